"""A conversation as ids under any chat template: the ids of the rendering, with special tokens in contents as text.

The rendering is tokenised whole, as a server tokenises a prompt, so that the seams are those that the model meets. In
the tokenizer used here every control token has a secret name, which only the template's own text is given: what
somebody typed cannot be one. Control tokens are the special ones, and those that the template's text names.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from curate.errors import CurateError
from curate.export.chat import Refused
from curate.export.segments import Framed, Segment
from curate.export.vocabulary import backend, flat, renamed
from curate.export.written import Writer, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from curate.export.chat import ChatTemplate
    from curate.export.segments import Messages, Part
    from curate.export.vocabulary import HuggingFace, Ids
    from curate.export.written import Row


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
        writer = Writer(template, controls)
        self._written = writer.written
        self._names = names = writer.names
        self._backend = backend(json.dumps(renamed(tokenizer.description(), names), ensure_ascii=False))
        for token, name in names.items():
            if self._backend.token_to_id(name) != tokenizer.special(token):
                what = f"the control token `{token}` of the tokenizer cannot be kept apart from text"
                raise CurateError(what, where=tokenizer.file, hint="use one of OpenChat's templates: --template NAME")
        # Controls that are found before all else and take no blanks: what stands before one is tokenised for itself.
        self._apart = not any(
            entry.get("lstrip") or entry.get("rstrip") or entry.get("normalized")
            for entry in tokenizer.added
            if entry["content"] in controls
        )
        ids = {id_ for token in controls if (id_ := tokenizer.special(token)) is not None}
        self._is_control = np.zeros(max(ids, default=-1) + 2, bool)
        self._is_control[list(ids)] = True
        self._head = cache(lambda text: flat(self._backend.encode(text, add_special_tokens=False).ids))
        self._bos: list[int] = []
        self._end: list[int] = []
        self._probe(tokenizer, writer)

    def _probe(self, tokenizer: HuggingFace, writer: Writer) -> None:
        """What opens a row and what ends a turn, from a conversation of one exchange."""
        said = [{"role": role, "content": "x", "weight": float(role == "assistant")} for role in ("user", "assistant")]
        markup, _ = self._template.markup(said, "")
        bos = self._template.tokens.get("bos_token")
        # SmolLM2 calls what opens each message its BOS.
        if bos and markup.literals[0].startswith(bos) and "".join(markup.literals).count(bos) == 1:
            self._bos = tokenizer.markup(bos)
        end = writer.controls.search(markup.literals[-1])
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
        rows: list[Row] = []
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
        rows: dict[int, Row] = {}
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
        for place, (framed, part) in enumerate(zip(found, parts, strict=True)):
            if framed:
                own = [segment._replace(turn=part.turns[segment.turn]) for segment in framed.segments]
                found[place] = framed._replace(segments=own)
        return found

    def _tokenised(self, rows: list[Row], enough: int | None = None) -> list[tuple[Row, Ids]]:
        """Rows with their ids; those of more than `enough` may end after any message that lies beyond."""
        if not rows:
            return []
        tried = rows if enough is None else [short(row, enough) for row in rows]
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

    def _beginning(self, whole: Framed, row: Row) -> Ids | None:
        """The ids of a row with which a tokenised one begins, up to a control token; None where it does not."""
        source, ids = whole.source
        if not self._apart or not source.text.startswith(row.text):
            return None
        marks = self._marks(ids)
        if len(marks) != source.controls or not source.text.startswith(tuple(self._names.values()), len(row.text)):
            return None
        return cast("Ids", ids[: marks[row.controls]])

    def _framed(self, row: Row, ids: Ids) -> Framed:
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

    def _bounds(self, row: Row, given: Iterable[int]) -> list[tuple[int, int]] | None:
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

    def _slow_bounds(self, row: Row) -> list[tuple[int, int]]:
        """The same from the tokenizer's offsets, which take it half as long again."""
        encoding = self._backend.encode(row.text, add_special_tokens=False)
        found: list[tuple[int, int]] = []
        least = 0
        for place in row.places:
            begin = _token(encoding, place.begin, len(row.text), least)
            least = _token(encoding, place.end, len(row.text), begin)
            found.append((begin, least))
        return found


def _token(encoding: Any, at: int, size: int, least: int) -> int:
    """The first token that begins at or covers a place in the text, as transformers has it."""
    for place in range(at, size):
        token: int | None = encoding.char_to_token(place)
        if token is not None:
            return max(token, least)
    return len(encoding.ids)
