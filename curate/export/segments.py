"""A conversation as ids, message by message, the way OpenChat's converter makes them.

Prefix, content and end of turn are tokenised apart: a rendered conversation tokenised in one go differs at the seams.
Text from data never yields a control token: `<|end_of_turn|>` in a user's message stays text. (OpenChat's own
escaping has no effect on transformers of 2024-06 and later.)
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from curate.export.templates import Template
    from curate.export.vocabulary import Tokenizer

    Messages = Sequence[dict[str, Any]]


class Segment(NamedTuple):
    """One message as ids; those from `begin` to `end` are the message itself and its end of turn, which can be learned.

    Attributes:
        turn: Its place in the conversation.
    """

    turn: int
    ids: list[int]
    begin: int
    end: int


class Framed(NamedTuple):
    """A conversation as ids.

    Attributes:
        opening: What stands before the first message, such as BOS.
        segments: Its messages.
    """

    opening: list[int]
    segments: list[Segment]


class Framing(Protocol):
    """How conversations become ids."""

    def frame(self, conversations: Sequence[tuple[Messages, str]]) -> list[Framed | str]:
        """Each conversation, with its condition, as ids; where the template refuses it, why."""

    def part(self, framed: Framed, turns: Iterable[int], messages: Messages, condition: str) -> Framed | None:
        """Some messages of a framed conversation as one of their own; None where the template refuses that."""

    def count(self, texts: list[str]) -> list[int]:
        """Ids of each text and of the end of its turn."""

    def end(self) -> list[int]:
        """The ids that end a turn."""

    def bos(self) -> list[int]:
        """The ids that open every conversation."""


class Segments:
    """The framing of OpenChat's model types."""

    def __init__(self, tokenizer: Tokenizer, template: Template) -> None:
        self._template = template
        self._texts = tokenizer.texts
        self._markup = cache(tokenizer.markup)
        self._bos = tokenizer.bos() if template.bos else []
        self._eot = tokenizer.markup(template.eot)
        self._prefix = cache(self._prefixed)
        self._opening = cache(self._opened)

    def bos(self) -> list[int]:
        """As `Framing.bos`."""
        return self._bos

    def end(self) -> list[int]:
        """As `Framing.end`."""
        return self._eot

    def count(self, texts: list[str]) -> list[int]:
        """As `Framing.count`."""
        return [len(ids) + len(self._eot) for ids in self._texts(texts)]

    def frame(self, conversations: Sequence[tuple[Messages, str]]) -> list[Framed | str]:
        """As `Framing.frame`."""
        contents = iter(self._texts([message["content"] for messages, _ in conversations for message in messages]))
        eot = self._eot
        framed: list[Framed | str] = []
        for messages, condition in conversations:
            segments = []
            for turn, message in enumerate(messages):
                content = next(contents)
                if turn == 0 and message["role"] == "system":
                    if not message["content"]:
                        continue
                    prefix = self._markup(self._template.system_prefix) if self._template.system_prefix else []
                else:
                    prefix = self._prefix(message["role"], condition)
                ids = [*prefix, *content, *eot]
                segments.append(Segment(turn, ids, len(prefix), len(ids)))
            framed.append(Framed(self._opening(condition), segments))
        return framed

    def part(self, framed: Framed, turns: Iterable[int], messages: Messages, condition: str) -> Framed | None:
        """As `Framing.part`."""
        # They are found by halving: a conversation of a million messages has a thousand parts.
        own = []
        for turn in turns:
            place = bisect_left(framed.segments, turn, key=attrgetter("turn"))
            if place < len(framed.segments) and framed.segments[place].turn == turn:
                own.append(framed.segments[place])
        return Framed(framed.opening, own)

    def _prefixed(self, role: str, condition: str) -> list[int]:
        """The role prefix; a condition in it is text, whatever it says."""
        template = self._template
        if template.place == "nowhere":
            return self._markup(template.prefix(role, condition))
        if not template.start:
            return self._texts([template.prefix(role, condition)])[0]
        named = self._texts([template.named(role, condition)])[0]
        return [*self._markup(template.start), *named, *self._markup(template.end)]

    def _opened(self, condition: str) -> list[int]:
        opening = self._template.opening(condition)
        return [*self._bos, *self._texts([opening])[0], *self._eot] if opening else self._bos
