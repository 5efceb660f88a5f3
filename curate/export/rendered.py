"""A conversation as ids under any chat template: the ids of the rendering, with special tokens in contents as text.

The rendering is tokenised whole, as a server tokenises a prompt, so that the seams are those that the model meets. In
the tokenizer used here every control token has a secret name, which only the template's own text is given: what
somebody typed cannot be one. Control tokens are the special ones, and those that the template's text names.
"""

from __future__ import annotations

import json
import re
import secrets
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from curate.errors import CurateError
from curate.export.chat import Markup, Refused
from curate.export.placement import in_system
from curate.export.sandbox import OFF, ON
from curate.export.segments import CHARACTERS, Framed, Segment
from curate.export.vocabulary import backend, flat, renamed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from curate.export.chat import ChatTemplate
    from curate.export.segments import Messages, Part
    from curate.export.vocabulary import HuggingFace, Ids


# Around the secret name of a control token.
_NAME, _CLOSE = "\U000f2000", "\U000f2001"


class _Place(NamedTuple):
    """Where in a rendering a message stands.

    Attributes:
        turn: Its place in the conversation.
        begin: Where in the text it begins.
        end: Where what is learned of it ends.
        learned: Whether it is.
        before: Control tokens before `begin`.
        head: The text from the last of them to `begin`; empty where there is none.
        inside: Control tokens from `begin` to `end`; 0 where the last does not stand right before `end`.
    """

    turn: int
    begin: int
    end: int
    learned: bool
    before: int
    head: str
    inside: int


class _Around(NamedTuple):
    """What a template writes around a message, with secret names for its control tokens.

    Attributes:
        owner: The message's place.
        lead: Before its content.
        close: After it, as far as that is learned where the message is.
        begin: Where in `lead` it begins.
        before: As of `_Place`, and so are `head` and `inside`.
    """

    owner: int
    lead: str
    close: str
    begin: int
    before: int
    head: str
    inside: int


class _Row(NamedTuple):
    """A rendering with secret names for its control tokens, and how many of those it has."""

    text: str
    places: list[_Place]
    controls: int


class Rendered:
    """The framing of a chat template.

    A condition that the template has no variable for is the front of the system message, as in other targets.
    """

    def __init__(self, tokenizer: HuggingFace, template: ChatTemplate) -> None:
        self._template = template
        controls = tokenizer.specials() | {
            entry["content"]
            for entry in tokenizer.added
            if entry["content"].strip() and entry["content"] in template.jinja
        }
        salt = secrets.token_hex(8)
        names = {token: f"{_NAME}{salt}{number}{_CLOSE}" for number, token in enumerate(sorted(controls))}
        self._backend = backend(json.dumps(renamed(tokenizer.description(), names), ensure_ascii=False))
        for token, name in names.items():
            if self._backend.token_to_id(name) != tokenizer.special(token):
                what = f"the control token `{token}` of the tokenizer cannot be kept apart from text"
                raise CurateError(what, where=tokenizer.file, hint="use one of OpenChat's templates: --template NAME")
        self._names = names
        # Controls that are found before all else and take no blanks: what stands before one is tokenised for itself.
        self._apart = not any(
            entry.get("lstrip") or entry.get("rstrip") or entry.get("normalized")
            for entry in tokenizer.added
            if entry["content"] in controls
        )
        self._controls = re.compile("|".join(map(re.escape, sorted(controls, key=len, reverse=True))) or "(?!)")
        # After a content: what ends its turn, if a control token does.
        self._ends = re.compile(rf"\s*(?:{self._controls.pattern})")
        ids = {id_ for token in controls if (id_ := tokenizer.special(token)) is not None}
        self._is_control = np.zeros(max(ids, default=-1) + 2, bool)
        self._is_control[list(ids)] = True
        self._head = cache(lambda text: flat(self._backend.encode(text, add_special_tokens=False).ids))
        self._known: dict[Any, Markup] = {}
        self._frames: dict[int, tuple[Markup, list[_Around], str]] = {}
        self._bos: list[int] = []
        self._end: list[int] = []
        self._probe(tokenizer)

    def _probe(self, tokenizer: HuggingFace) -> None:
        """What opens a row and what ends a turn, from a conversation of one exchange."""
        said = [{"role": role, "content": "x", "weight": float(role == "assistant")} for role in ("user", "assistant")]
        markup, _ = self._template.markup(said, "")
        bos = self._template.tokens.get("bos_token")
        # SmolLM2 calls what opens each message its BOS.
        if bos and markup.literals[0].startswith(bos) and "".join(markup.literals).count(bos) == 1:
            self._bos = tokenizer.markup(bos)
        end = self._controls.search(markup.literals[-1])
        self._end = tokenizer.markup(end.group()) if end else []

    def bos(self) -> list[int]:
        """As `Framing.bos`."""
        return self._bos

    def end(self) -> list[int]:
        """As `Framing.end`."""
        return self._end

    def count(self, texts: list[str]) -> list[int]:
        """As `Framing.count`."""
        found = self._backend.encode_batch_fast(texts, add_special_tokens=False)
        return [len(encoding.ids) + len(self._end) for encoding in found]

    def frame(self, conversations: Sequence[tuple[Messages, str]], enough: int | None = None) -> list[Framed | str]:
        """As `Framing.frame`; what certainly fits no row is rendered, but not tokenised."""
        framed: list[Framed | str] = []
        rows: list[_Row] = []
        for messages, condition in conversations:
            try:
                rows.append(self._written(messages, condition))
            except Refused as refused:
                framed.append(str(refused))
                continue
            framed.append("")
        found = iter(self._tokenised(rows, enough if self._apart else None))
        return [self._framed(*next(found)) if entry == "" else entry for entry in framed]

    def parts(self, parts: Sequence[Part]) -> list[Framed | None]:
        """As `Framing.parts`."""
        found: list[Framed | None] = []
        rows: dict[int, _Row] = {}
        for place, (whole, turns, messages, condition) in enumerate(parts):
            found.append(None)
            with suppress(Refused):
                row = self._written([messages[turn] for turn in turns], condition)
                ids = self._beginning(whole, row)
                if ids is None:
                    rows[place] = row
                else:
                    found[place] = self._framed(row, ids)
        for place, (row, ids) in zip(rows, self._tokenised(list(rows.values())), strict=True):
            found[place] = self._framed(row, ids)
        return [
            framed and Framed(framed.opening, [segment._replace(turn=turns[segment.turn]) for segment in framed.segments])
            for framed, (_, turns, _, _) in zip(found, parts, strict=True)
        ]

    def _tokenised(self, rows: list[_Row], enough: int | None = None) -> list[tuple[_Row, Ids]]:
        """Rows with their ids; those of more than `enough` may end after any message that lies beyond."""
        if not rows:
            return []
        tried = rows if enough is None else [_short(row, enough) for row in rows]
        encodings = self._backend.encode_batch_fast([row.text for row in tried], add_special_tokens=False)
        found = [(row, flat(encoding.ids)) for row, encoding in zip(tried, encodings, strict=True)]
        del encodings
        if enough is not None:
            more = [
                place
                for place, (row, ids) in enumerate(found)
                if row is not rows[place] and (len(ids) <= enough or len(self._marks(ids)) != row.controls)
            ]
            for place, entry in zip(more, self._tokenised([rows[place] for place in more]), strict=True):
                found[place] = entry
        return found

    def _beginning(self, whole: Framed, row: _Row) -> Ids | None:
        """The ids of a row with which a tokenised one begins, up to a control token; None where it does not."""
        source, ids = whole.source
        if not self._apart or not source.text.startswith(row.text):
            return None
        marks = self._marks(ids)
        if len(marks) != source.controls or not source.text.startswith(tuple(self._names.values()), len(row.text)):
            return None
        return cast("Ids", ids[: marks[row.controls]])

    def _written(self, messages: Messages, condition: str) -> _Row:
        """The rendering with secret names for its control tokens, and where its messages stand."""
        added = 0
        if condition and not self._template.conditioned:
            whole = in_system(messages, condition)
            added = len(whole) - len(messages)
            messages = whole
        markup, contents = self._template.markup(messages, condition, self._known)
        around, tail = self._around(markup)
        pieces, places, at = [], [], 0
        for frame, content in zip(around, contents, strict=True):
            begin = at + frame.begin
            at += len(frame.lead) + len(content) + len(frame.close)
            pieces += (frame.lead, content, frame.close)
            learned = messages[frame.owner]["weight"] > 0
            places.append(_Place(frame.owner - added, begin, at, learned, frame.before, frame.head, frame.inside))
        controls = (around[-1].before if around else 0) + self._count(markup.literals[-1])
        return _Row("".join([*pieces, tail]), places, controls)

    def _around(self, markup: Markup) -> tuple[list[_Around], str]:
        """What the template writes around each content, with secret names, and at the end; made once."""
        found = self._frames.get(id(markup))
        if found and found[0] is markup:
            return found[1:]
        before, done = 0, 0
        around = []
        for owner, literal, following in zip(markup.owners, markup.literals, markup.literals[1:], strict=False):
            lead = self._live(literal[done:])
            # What a template says inside of `{% generation %}` is learned, before the content as well.
            said = self._live(literal.rpartition(ON)[2]) if literal.rfind(ON) > literal.rfind(OFF) else ""
            last = -1 if said else lead.rfind(_NAME)
            before += self._count(literal)
            done = self._learned(following)
            close = self._live(following[:done])
            around.append(
                _Around(
                    owner=owner,
                    lead=lead,
                    close=close,
                    begin=len(lead) - len(said),
                    before=before,
                    head=lead[last:] if last >= 0 else "",
                    inside=self._count(following[:done]) if close.endswith(_CLOSE) else 0,
                )
            )
        tail = self._live(markup.literals[-1][done:])
        self._frames[id(markup)] = markup, around, tail
        return around, tail

    def _count(self, literal: str) -> int:
        """Its control tokens."""
        return len(self._controls.findall(literal))

    def _framed(self, row: _Row, ids: Ids) -> Framed:
        """Ids by message; the opening is what stands before the first content."""
        places = row.places
        bounds = self._bounds(row, ids) or self._slow_bounds(row)
        begins = [begin for begin, _ in bounds]
        opening = ids[: begins[0]] if places else ids
        segments: list[Segment] = []
        for place, (begin, end), over in zip(places, bounds, [*begins[1:], len(ids)], strict=True):
            segment = Segment(place.turn, ids[begin:over], 0, end - begin)
            if place.turn >= 0:
                segments.append(segment)
            elif segments:  # a system message that only states the condition belongs to what is around it
                segments[-1] = segments[-1]._replace(ids=segments[-1].ids + segment.ids)
            else:
                opening = opening + segment.ids
        return Framed(opening, segments, (row, ids))

    def _bounds(self, row: _Row, given: Iterable[int]) -> list[tuple[int, int]] | None:
        """Begin and end of each message in ids, from where its control tokens are; None where that does not tell.

        Contents hold no control token, so the n-th in the text is the n-th in the ids.
        """
        ids = flat(given)
        marks = self._marks(ids)
        if len(marks) != row.controls:
            return None
        found = []
        for place in row.places:
            if not place.head:
                return None
            begin = marks[place.before - 1]
            head = self._head(place.head)
            if ids[begin : begin + len(head)] == head:
                begin += len(head)
            elif place.learned:
                return None  # its first characters are of one token with what stands before
            else:
                begin += 1
            if place.learned and not place.inside:
                return None
            found.append((begin, marks[place.before + place.inside - 1] + 1 if place.learned else begin))
        return found

    def _marks(self, ids: Ids) -> list[int]:
        """Where control tokens are."""
        found: list[int] = np.flatnonzero(self._is_control.take(np.frombuffer(ids, np.int32), mode="clip")).tolist()
        return found

    def _slow_bounds(self, row: _Row) -> list[tuple[int, int]]:
        """The same from the tokenizer's offsets, which take it half as long again."""
        encoding = self._backend.encode(row.text, add_special_tokens=False)
        found: list[tuple[int, int]] = []
        least = 0
        for place in row.places:
            begin = _token(encoding, place.begin, len(row.text), least)
            least = _token(encoding, place.end, len(row.text), begin)
            found.append((begin, least))
        return found

    def _learned(self, literal: str) -> int:
        """How much of what follows a response is learned: to the end of its `{% generation %}`, else of its turn."""
        if OFF in literal and ON not in literal.partition(OFF)[0]:
            return literal.index(OFF)
        end = self._ends.match(literal)
        return end.end() if end else 0

    def _live(self, literal: str) -> str:
        literal = literal.replace(ON, "").replace(OFF, "")
        return self._controls.sub(lambda found: self._names[found.group()], literal)


def _short(row: _Row, enough: int) -> _Row:
    """A row up to the end of the first message that lies far beyond `enough` ids."""
    for number, place in enumerate(row.places[:-1], 1):
        if place.inside and place.end > enough * CHARACTERS:
            return _Row(row.text[: place.end], row.places[:number], place.before + place.inside)
    return row


def _token(encoding: Any, at: int, size: int, least: int) -> int:
    """The first token that begins at or covers a place in the text, as transformers has it."""
    for place in range(at, size):
        token: int | None = encoding.char_to_token(place)
        if token is not None:
            return max(token, least)
    return len(encoding.ids)
