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

from curate.clean import nobody
from curate.clean.secrets import LOOKS_SECRET, secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

VERSION = 1  # rises when the same text may be judged otherwise

KINDS = ("secret", "iban", "card", "email", "phone")

SPANS: dict[str, pl.DataType] = {
    "key": pl.UInt64(),
    "turn": pl.Int32(),
    "begin": pl.Int32(),
    "end": pl.Int32(),
    "kind": pl.String(),
}

# Regions whose national numbers are believed when a word before them says that they are telephone numbers.
REGIONS = ("US", "GB", "IN", "DE", "FR", "ES", "IT", "BR", "JP", "AU")


class Span(NamedTuple):
    """A piece of a text, in characters, and one of `KINDS`."""

    begin: int
    end: int
    kind: str


_CALLED = "tel|t[eé]l[eé]phone|telefon[eo]?|phone|mobile|cell|whatsapp|fax|call"

# What a message must hold for Python to look for each kind in it: told by Rust at 1 to 10 GB/s. Written so that
# its engine begins from a rare character; `[0-9]` because there `\d` is every script's digits.
_SIGNS: dict[str, tuple[str, ...]] = {
    "secret": LOOKS_SECRET,
    "iban": (r"[0-9]{2}(?:[A-Z0-9]{11}| [A-Z0-9]{4} [A-Z0-9]{4} )",),
    "card": (r"[0-9]{15}|[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -]", r"3[47][0-9]{2}[ -][0-9]{6}[ -]"),
    "email": (r"[A-Za-z0-9_%+-]@[A-Za-z0-9-]+\.[A-Za-z]",),
    "phone": (
        r"\+[0-9][0-9 ().-]{6,17}[0-9]",
        r"[0-9]{3}\)? ?[-. ]?[0-9]{3}[-. ][0-9]{4}",
        rf"(?i:{_CALLED})[^0-9\n]{{1,12}}[0-9][0-9 ().-]{{5,17}}[0-9]",
    ),
}

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+/-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@"
    r"((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24})(?![A-Za-z0-9-])"
)
_PHONE = re.compile(
    r"(?:(?<![\w+])\+\d[\d ().-]{6,17}\d|"
    r"(?<![\w.,/#=:+-])(?<!\d )(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?! \d))(?![-.]?\d|\w)"
)
_CALLED_PHONE = re.compile(
    rf"(?i)\b(?:{_CALLED})\b[^\d\n+(]{{1,12}}"
    r"(?!\d{4}-\d\d-\d\d)([+(]?\d[\d ().-]{5,17}\d)(?!\w)"
)
_CARD = re.compile(
    r"(?<![\w.,/#=:+-])(?:(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3[47]\d{2}([ -])\d{6}\2\d{5})|\d{15,16})(?![-.]?\d|\w)"
)
_CARD_PREFIX = re.compile(r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|35|6(?:011|4[4-9]|5)|62")
_CARD_CONTEXT = re.compile(r"(?i)card|visa\b|amex|american express|credit|debit|\bpan\b|\bcvv|karte|tarjeta|carte")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")


def spans(text: str, kinds: Iterable[str] = KINDS) -> list[Span]:
    """Personal data and secrets in a text, in order; none overlaps another, and without them there are no more."""
    found: list[Span] = []
    wanted = list(kinds)
    # A number glued to an address is seen when the address is gone.
    while new := [Span(begin, end, kind) for kind in wanted for begin, end in _DETECTORS[kind](text)]:
        found += new
        for begin, end, _ in new:
            text = text[:begin] + "\0" * (end - begin) + text[end:]
    return _apart(found)


def find(turns: pl.DataFrame) -> pl.DataFrame:
    """Personal data and secrets in messages; what is found once in a conversation is found all over it.

    Args:
        turns: Rows with `key`, `turn` and `content`.

    Returns:
        The columns of `SPANS`, by `key` and `turn` as in `turns`, then by place.
    """
    content = pl.col("content")
    signs = turns.select(content.str.contains(sign).alias(f"{kind}{sign}") for kind in KINDS for sign in _SIGNS[kind])
    looks = signs.select(pl.any_horizontal(f"{kind}{sign}" for sign in _SIGNS[kind]).alias(kind) for kind in KINDS)
    looked_at = turns.select("key", "content").hstack(looks).filter(pl.any_horizontal(KINDS))
    found: dict[int, dict[str, str]] = {}
    for key, text, *likely in looked_at.iter_rows():
        for span in spans(text, compress(KINDS, likely)):
            found.setdefault(key, {})[text[span.begin : span.end]] = span.kind
    concerned = pl.DataFrame({"key": list(found)}, schema={"key": pl.UInt64})
    chosen = turns.select("key", "turn", "content").join(concerned, on="key", how="semi", maintain_order="left")
    rows = [(key, turn, *span) for key, turn, text in chosen.iter_rows() for span in _occurrences(text, found[key])]
    return pl.DataFrame(rows, schema=SPANS, orient="row")


def _occurrences(text: str, pieces: dict[str, str]) -> list[Span]:
    places = ((begin, piece, kind) for piece, kind in pieces.items() for begin in _places(text, piece))
    return _apart([Span(begin, begin + len(piece), kind) for begin, piece, kind in places])


def _places(text: str, piece: str) -> Iterator[int]:
    """Overlapping occurrences too: of each, no character may stay."""
    place = text.find(piece)
    while place >= 0:
        yield place
        place = text.find(piece, place + 1)


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
        if not nobody.has_address(name, domain):
            yield match.span()


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _PHONE.finditer(text):
        if _is_phone(match[0], ("US",)):
            yield match.span()
    for match in _CALLED_PHONE.finditer(text):
        if _is_phone(match[1], REGIONS):
            yield match.span(1)


@lru_cache(10_000)
def _is_phone(number: str, regions: tuple[str, ...]) -> bool:
    """Whether this is a number that may be dialled in one of the regions, and is not set aside for examples."""
    import phonenumbers

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
