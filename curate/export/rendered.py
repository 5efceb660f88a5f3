"""A conversation as ids under any chat template: the ids of the rendering, with special tokens in contents as text.

The rendering is tokenised whole, as a server tokenises a prompt, so that the seams are those that the model meets. In
the tokenizer used here every control token has a secret name, which only the template's own text is given: what
somebody typed cannot be one. Control tokens are the special ones, and those that the template's text names.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.errors import CurateError
from curate.export.chat import OFF, ON, Markup, Refused
from curate.export.placement import in_system
from curate.export.segments import Framed, Segment
from curate.export.vocabulary import backend

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from curate.export.chat import ChatTemplate
    from curate.export.segments import Messages
    from curate.export.vocabulary import HuggingFace


class _Place(NamedTuple):
    """Where in a text a message stands: its content from `begin`, learned to `end`, all of it to `over`."""

    turn: int
    begin: int
    end: int
    over: int


class Rendered:
    """The framing of a chat template.

    A condition that the template has no variable for is the front of the system message, as in other targets.
    """

    def __init__(self, tokenizer: HuggingFace, template: ChatTemplate) -> None:
        self._template = template
        controls = tokenizer.specials() | {
            entry["content"]
            for entry in tokenizer.description.get("added_tokens") or []
            if entry["content"].strip() and entry["content"] in template.jinja
        }
        salt = secrets.token_hex(8)
        names = {token: f"\U000f2000{salt}{number}\U000f2001" for number, token in enumerate(sorted(controls))}
        self._backend = backend(json.dumps(_renamed(tokenizer.description, names), ensure_ascii=False))
        for token, name in names.items():
            if self._backend.token_to_id(name) != tokenizer.special(token):
                what = f"the control token `{token}` of the tokenizer cannot be kept apart from text"
                raise CurateError(what, where=tokenizer.file, hint="use one of OpenChat's templates: --template NAME")
        self._names = names
        self._controls = re.compile("|".join(map(re.escape, sorted(controls, key=len, reverse=True))) or "(?!)")
        # After a content: what ends its turn, if a control token does.
        self._ends = re.compile(rf"\s*(?:{self._controls.pattern})")
        self._known: dict[Any, Markup] = {}
        self._bos: list[int] = []
        self._end: list[int] = []
        self._probe(tokenizer)

    def _probe(self, tokenizer: HuggingFace) -> None:
        """What opens a row and what ends a turn, from a conversation of one exchange."""
        said = [{"role": role, "content": "x", "weight": float(role == "assistant")} for role in ("user", "assistant")]
        markup, _ = self._template.markup(said, "")
        opening = self._controls.match(markup.literals[0].replace(ON, ""))
        if opening and opening.group() == self._template.tokens.get("bos_token"):
            self._bos = tokenizer.markup(opening.group())
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

    def frame(self, conversations: Sequence[tuple[Messages, str]]) -> list[Framed | str]:
        """As `Framing.frame`."""
        framed: list[Framed | str] = []
        texts, places = [], []
        for messages, condition in conversations:
            try:
                text, place = self._written(messages, condition)
            except Refused as refused:
                framed.append(str(refused))
                continue
            framed.append("")
            texts.append(text)
            places.append(place)
        encodings = iter(zip(self._backend.encode_batch(texts, add_special_tokens=False), places, strict=True))
        return [_framed(*next(encodings)) if entry == "" else entry for entry in framed]

    def part(self, framed: Framed, turns: Iterable[int], messages: Messages, condition: str) -> Framed | None:
        """As `Framing.part`."""
        turns = list(turns)
        (found,) = self.frame([([messages[turn] for turn in turns], condition)])
        if isinstance(found, str):
            return None
        return Framed(found.opening, [segment._replace(turn=turns[segment.turn]) for segment in found.segments])

    def _written(self, messages: Messages, condition: str) -> tuple[str, list[_Place]]:
        """The rendering with secret names for its control tokens, and where its messages stand."""
        before = 0
        if condition and not self._template.conditioned:
            whole = in_system(messages, condition)
            before = len(whole) - len(messages)
            messages = whole
        markup, contents = self._template.markup(messages, condition, self._known)
        text = self._live(markup.literals[0])
        places = []
        for owner, content, literal in zip(markup.owners, contents, markup.literals[1:], strict=True):
            begin = len(text)
            learned = self._learned(literal)
            text += content + self._live(literal[:learned])
            end = len(text)
            text += self._live(literal[learned:])
            places.append(_Place(owner - before, begin, end, len(text)))
        return text, places

    def _learned(self, literal: str) -> int:
        """How much of what follows a response is learned: to the end of its `{% generation %}`, else of its turn."""
        if OFF in literal and ON not in literal.partition(OFF)[0]:
            return literal.index(OFF)
        end = self._ends.match(literal)
        return end.end() if end else 0

    def _live(self, literal: str) -> str:
        literal = literal.replace(ON, "").replace(OFF, "")
        return self._controls.sub(lambda found: self._names[found.group()], literal)


def _framed(encoding: Any, places: list[_Place]) -> Framed:
    """Ids by message; the opening is what stands before the first content."""
    ids: list[int] = encoding.ids
    bounds = [0]
    for place in places:
        for at in place[1:]:
            bounds.append(_token(encoding, at, places[-1].over, len(ids), bounds[-1]))
    segments: list[Segment] = []
    over = bounds[1] if places else 0
    opening = ids[:over]
    for number, place in enumerate(places):
        begin, end, after = bounds[3 * number + 1 : 3 * number + 4]
        segment = Segment(place.turn, ids[over:after], begin - over, end - over)
        over = after
        if place.turn >= 0:
            segments.append(segment)
        elif segments:  # a system message that only states the condition belongs to what is around it
            segments[-1] = segments[-1]._replace(ids=segments[-1].ids + segment.ids)
        else:
            opening = opening + segment.ids
    return Framed(opening, segments)


def _token(encoding: Any, at: int, size: int, most: int, least: int) -> int:
    """The first token that begins at or covers a place in the text, as transformers has it."""
    for place in range(at, size):
        token: int | None = encoding.char_to_token(place)
        if token is not None:
            return max(token, least)
    return most


def _renamed(description: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A tokenizer in which control tokens go by other names and keep their ids."""
    added = [
        {**entry, "content": names.get(entry["content"], entry["content"])} for entry in description["added_tokens"]
    ]
    model = dict(description["model"])
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(token, token): number for token, number in vocabulary.items()}
    elif isinstance(vocabulary, list):
        model["vocab"] = [[names.get(token, token), score] for token, score in vocabulary]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    return {**description, "added_tokens": added, "model": model, "post_processor": None}
