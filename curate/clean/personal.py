"""Personal data and secrets in text: what they look like, and which well-known ones are nobody's.

Telephone numbers are found by `phonenumbers` (Google's libphonenumber), card and bank account numbers are
checked by `python-stdnum`, keys and tokens are those that `detect_secrets` knows. A regular expression
in Rust picks the few messages that Python looks at, one in a hundred of real chats.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from curate.clean import nobody, parts
from curate.clean.secrets import LOOKS_SECRET, secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

VERSION = 2  # rises when the same text may be judged otherwise

KINDS = ("secret", "iban", "card", "email", "phone")

SPANS: dict[str, pl.DataType] = {
    "key": pl.UInt64(),
    "turn": pl.Int32(),
    "begin": pl.Int32(),
    "end": pl.Int32(),
    "kind": pl.String(),
}

# Regions whose national numbers are believed when a word before them says that they are telephone numbers.
REGIONS = ("US", "GB", "IN", "DE", "FR", "ES", "IT", "BR", "JP", "AU", "RU")
IN_ASIA = ("CN", "KR", "JP", "TW", "HK")


# How far around a find a text is looked at again, and how far from where it is cut a find is believed.
_REACH, _EDGE = 1000, 200


class Span(NamedTuple):
    """A piece of a text, in characters, and one of `KINDS`."""

    begin: int
    end: int
    kind: str


# Spaces and hyphens that people and word processors put into numbers, each for one character.
_SPACES, _HYPHENS = "\u00a0\u2007\u2009\u202f", "\u2010\u2011\u2012\u2013\u2014\u2015"
_PLAIN = str.maketrans(_SPACES + _HYPHENS, " " * len(_SPACES) + "-" * len(_HYPHENS))


def _written(words: str) -> str:
    """Words as people write them, Small, small and SMALL: Rust finds them five times as fast as in any case."""
    forms = (form for word in words.split() for form in (word, word[0].upper() + word[1:], word.upper()))
    return "|".join(dict.fromkeys(forms))


_CALLED = _written(
    "tel t[eé]l[eé]phone t[eé]l[eé]fono? telefon[eo]? phone mobiles? mob m[oó]vil mobil handy cell cellulare celular "
    "portable whatsapp whatsApp fax call тел телефон моб"
)
# They stand in all of those.
_CALLED_STEMS = _written("tel tél phone mob mov móv handy cel portable whatsapp whatsApp fax call тел моб")
_CALLED_IN_ASIA = "手机|手機|电话|電話|携帯|전화|휴대폰|핸드폰"

# What a message must hold for Python to look for each kind in it: told by Rust at 1 to 10 GB/s. Written so that
# its engine begins from a rare character; `[0-9]` because there `\d` is every script's digits.
_GAP = rf" {_SPACES}"
_DASH = rf"{_HYPHENS}-"
_SIGNS: dict[str, tuple[str, ...]] = {
    "secret": LOOKS_SECRET,
    "iban": (rf"[0-9]{{2}}(?:[A-Z0-9]{{11}}|[{_GAP}][A-Z0-9]{{4}}[{_GAP}][A-Z0-9]{{4}}[{_GAP}])",),
    "card": (
        rf"[0-9]{{15}}|[0-9]{{4}}[{_GAP}{_DASH}][0-9]{{4}}[{_GAP}{_DASH}][0-9]{{4}}[{_GAP}{_DASH}]",
        rf"3[47][0-9]{{2}}[{_GAP}{_DASH}][0-9]{{6}}[{_GAP}{_DASH}]",
    ),
    "email": (r"[A-Za-z0-9_%+-]@[A-Za-z0-9-]+\.[A-Za-z]",),
    "phone": (
        rf"\+[0-9][0-9{_GAP}()./{_DASH}]{{6,17}}[0-9]",
        rf"00[1-9][0-9]{{0,2}}[{_GAP}./{_DASH}][0-9{_GAP}()./{_DASH}]{{5,15}}[0-9]",
        rf"[0-9]{{3}}\)?[{_GAP}]?[{_GAP}.{_DASH}]?[0-9]{{3}}[{_GAP}.{_DASH}][0-9]{{4}}",
        rf"(?:{_CALLED_STEMS})[^0-9\n]{{1,26}}[0-9][0-9{_GAP}()./{_DASH}]{{5,17}}[0-9]",
        rf"(?:{_CALLED_IN_ASIA})[^0-9\n]{{0,12}}[0-9][0-9{_GAP}().{_DASH}]{{5,17}}[0-9]",
    ),
}

# Markdown writes `\_` for `_`.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9])(?<!//)[A-Za-z0-9](?:[A-Za-z0-9._%+-]|\\_){0,63}@"
    r"((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24})(?![A-Za-z0-9-])"
)
# Of letters only those of ASCII end a number: other scripts write without spaces.
_PHONE = re.compile(
    r"(?:(?<![\w+])\+\d[\d ()./-]{6,17}\d|"
    r"(?<![\w.,/#=+-])00[1-9]\d{0,2}[ ./-][\d ().\/-]{5,15}\d|"
    r"(?<![\w.,/#=+-])(?<!\d:)(?<!\d )(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}"
    r"(?: ?(?:x|ext\.?) ?\d{1,6})?(?! \d))(?![-.]?\d|\w)",
    re.ASCII,
)
_CALLED_PHONE = re.compile(
    rf"\b(?:{_CALLED})\b(?: ?\([^()\d\n]{{1,12}}\))?[^\d\n+(]{{1,12}}"
    r"(?!\d{4}-\d\d-\d\d)([+(]?\d[\d ()./-]{5,17}\d)(?![A-Za-z0-9_])"
)
_CALLED_IN_ASIA_PHONE = re.compile(
    rf"(?:{_CALLED_IN_ASIA})[^\d\n+(]{{0,12}}(?!\d{{4}}-\d\d-\d\d)([+(]?\d[\d ().-]{{5,17}}\d)(?![A-Za-z0-9_])"
)
_CARD = re.compile(
    r"(?<![\w.,/#=+-])(?<!\d:)(?:(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3[47]\d{2}([ -])\d{6}\2\d{5})|\d{15,16})"
    r"(?![-.]?\d|\w)",
    re.ASCII,
)
_CARD_PREFIX = re.compile(r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|35|6(?:011|4[4-9]|5)|62")
_CARD_CONTEXT = re.compile(r"(?i)card|visa\b|amex|american express|credit|debit|\bpan\b|\bcvv|karte|tarjeta|carte")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")


def spans(text: str, kinds: Iterable[str] = KINDS) -> list[Span]:
    """Personal data and secrets in a text, in order; none overlaps another, and without them there are no more."""
    found: list[Span] = []
    text, wanted = _typed(text), list(kinds)
    around = [Span(0, len(text), "")]
    # A number glued to an address is seen when the address is gone.
    while around:
        new = _apart([span for begin, end, _ in around for span in _within(text, begin, end, wanted)])
        found += new
        text = _without(text, new)
        around = _apart([Span(max(0, begin - _REACH), min(len(text), end + _REACH), kind) for begin, end, kind in new])
    return _apart(found)


def _typed(text: str) -> str:
    """Of the same length, with the spaces and hyphens of a typewriter."""
    return text if text.isascii() else text.translate(_PLAIN)


def _within(text: str, begin: int, end: int, kinds: list[str]) -> Iterator[Span]:
    """What is found in a piece of a text; near where it was cut nothing is what it seems."""
    first = begin + _EDGE if begin else 0
    last = end - _EDGE if end < len(text) else end
    for kind in kinds:
        for place, until in _DETECTORS[kind](text[begin:end]):
            if begin + place >= first and begin + until <= last:
                yield Span(begin + place, begin + until, kind)


def _without(text: str, apart: list[Span]) -> str:
    ends = [0, *(span.end for span in apart)]
    begins = [*(span.begin for span in apart), len(text)]
    blanks = [*("\0" * (span.end - span.begin) for span in apart), ""]
    return "".join(
        part for end, begin, blank in zip(ends, begins, blanks, strict=True) for part in (text[end:begin], blank)
    )


def find(turns: pl.DataFrame) -> pl.DataFrame:
    """Personal data and secrets in messages; what is found once in a conversation is found all over it.

    Args:
        turns: Rows with `key`, `turn`, `content` and, where they are known, `name` and `tool_calls`.

    Returns:
        The columns of `SPANS`, by `key` and `turn` as in `turns`, then by place in the text of `parts.searched`.
    """
    rows = turns.select("key", "turn", text=parts.searched(turns))
    text = pl.col("text")
    signs = rows.select(text.str.contains(sign).alias(f"{kind}{sign}") for kind in KINDS for sign in _SIGNS[kind])
    looks = signs.select(pl.any_horizontal(f"{kind}{sign}" for sign in _SIGNS[kind]).alias(kind) for kind in KINDS)
    looked_at = rows.select("key", "text").hstack(looks).filter(pl.any_horizontal(KINDS))
    found: dict[int, dict[str, str]] = {}
    for key, searched, *likely in looked_at.iter_rows():
        for span in spans(searched, compress(KINDS, likely)):
            found.setdefault(key, {})[searched[span.begin : span.end]] = span.kind
    columns = {"key": list(found), "piece": [list(kinds) for kinds in found.values()]}
    pieces = pl.DataFrame(columns, schema={"key": pl.UInt64(), "piece": pl.List(pl.String())})
    places = (
        rows.join(pieces, on="key", how="inner", maintain_order="left")
        .with_columns(
            begin=text.str.find_many("piece", overlapping=True), piece=text.str.extract_many("piece", overlapping=True)
        )
        .filter(pl.col("begin").list.len() > 0)
    )
    listed = [
        (key, turn, *span)
        for key, turn, searched, said, begins in places.select("key", "turn", "text", "piece", "begin").iter_rows()
        for span in _occurrences(searched, zip(begins, said, strict=True), found[key])
    ]
    return pl.DataFrame(listed, schema=SPANS, orient="row")


def _occurrences(text: str, places: Iterable[tuple[int, str]], kinds: dict[str, str]) -> list[Span]:
    """Spans in characters.

    Args:
        text: A text.
        places: Where pieces begin in it, in bytes, and the pieces.
        kinds: The kind of each piece.
    """
    encoded = text.encode()
    found, place, characters = [], 0, 0
    for begin, piece in sorted(places):
        characters += len(encoded[place:begin].decode())
        place = begin
        found.append(Span(characters, characters + len(piece), kinds[piece]))
    return _apart(found)


def _apart(found: list[Span]) -> list[Span]:
    """The union of spans, in order; where several overlap, the kind is that of the weightiest."""
    united: list[Span] = []
    for span in sorted(found):
        if united and span.begin < united[-1].end:
            last = united[-1]
            kind = min(last.kind, span.kind, key=KINDS.index)
            united[-1] = Span(last.begin, max(last.end, span.end), kind)
        else:
            united.append(span)
    return united


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for match in _EMAIL.finditer(text) if "@" in text else ():
        name, domain = match[0].split("@")
        if not nobody.has_address(name.replace("\\", ""), domain):
            yield match.span()


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _PHONE.finditer(text):
        if _is_phone(match[0], ("US",)):
            yield match.span()
    for pattern, regions in ((_CALLED_PHONE, REGIONS), (_CALLED_IN_ASIA_PHONE, IN_ASIA)):
        for match in pattern.finditer(text):
            if _is_phone(match[1], regions):
                yield match.span(1)


@lru_cache(10_000)
def _is_phone(number: str, regions: tuple[str, ...]) -> bool:
    """Whether this is a number that may be dialled in one of the regions, and is not set aside for examples."""
    import phonenumbers

    number = re.sub(r"^00(?=[1-9])", "+", number)
    for region in regions:
        for match in phonenumbers.PhoneNumberMatcher(number, region, leniency=phonenumbers.Leniency.VALID):
            international = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
            return not nobody.has_phone(international)
    return False


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """Grouped as on the card, or a bare number that a word before it calls a card's."""
    from stdnum import luhn

    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        grouped = len(match[0]) > len(digits)
        believed = grouped or _CARD_CONTEXT.search(text, max(0, match.start() - 60), match.start())
        length = 15 if digits[:2] in ("34", "37") else 16
        if not believed or len(digits) != length or not _CARD_PREFIX.match(digits) or not luhn.is_valid(digits):
            continue
        if not nobody.has_card(digits):
            yield match.span()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    from stdnum import iban

    for match in _IBAN.finditer(text):
        # What follows an account number may look like a part of it.
        ends = [match.start() + place.start() for place in re.finditer(r" |$", match[0])]
        for end in reversed(ends):
            number = text[match.start() : end].replace(" ", "")
            if iban.is_valid(number):
                if not nobody.has_account(number):
                    yield match.start(), end
                break


_DETECTORS: dict[str, Callable[[str], Iterator[tuple[int, int]]]] = {
    "secret": secrets,
    "iban": _ibans,
    "card": _cards,
    "email": _emails,
    "phone": _phones,
}
