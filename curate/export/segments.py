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

from curate.export.vocabulary import flat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.export.templates import Template
    from curate.export.vocabulary import Ids, Tokenizer

    Messages = Sequence[dict[str, Any]]

# Characters tokenised for each id that there is room for, before it is asked whether that was enough; English has four.
CHARACTERS = 5


class Segment(NamedTuple):
    """One message as ids; those from `begin` to `end` are the message itself and its end of turn, which can be learned.

    Attributes:
        turn: Its place in the conversation.
    """

    turn: int
    ids: Ids
    begin: int
    end: int


class Framed(NamedTuple):
    """A conversation as ids.

    Attributes:
        opening: What stands before the first message, such as BOS.
        segments: Its messages.
        source: What `Framing.parts` may use of how it was made.
    """

    opening: Ids
    segments: list[Segment]
    source: Any = None

    def length(self) -> int:
        """All its ids."""
        return len(self.opening) + sum(len(segment.ids) for segment in self.segments)


class Part(NamedTuple):
    """Some messages of a framed conversation."""

    framed: Framed
    turns: Sequence[int]
    messages: Messages
    condition: str


class Framing(Protocol):
    """How conversations become ids. Safe to call from several threads."""

    def frame(self, conversations: Sequence[tuple[Messages, str]], enough: int | None = None) -> list[Framed | str]:
        """Each conversation, with its condition, as ids; where the template refuses it, why.

        Args:
            conversations: Messages and condition of each.
            enough: Once a conversation has more ids than that, the messages that follow may be missing.
        """

    def parts(self, parts: Sequence[Part]) -> list[Framed | None]:
        """Each part as a conversation of its own; None where the template refuses that."""

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
        self._markup = cache(lambda text: flat(tokenizer.markup(text)))
        self._bos = tokenizer.bos() if template.bos else []
        self._eot = tokenizer.markup(template.eot)
        self._close = flat(self._eot)
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

    def frame(self, conversations: Sequence[tuple[Messages, str]], enough: int | None = None) -> list[Framed | str]:
        """As `Framing.frame`; what certainly fits no row is not tokenised."""
        framed = [Framed(self._opening(condition), []) for _, condition in conversations]
        waiting = [(place, 0, len(framed[place].opening)) for place in range(len(framed))]
        while waiting:
            stretches = [self._stretch(conversations[place][0], first, used, enough) for place, first, used in waiting]
            texts = [
                message["content"]
                for (place, first, _), end in zip(waiting, stretches, strict=True)
                for message in conversations[place][0][first:end]
            ]
            contents = iter(self._texts(texts))
            more = []
            for (place, first, used), end in zip(waiting, stretches, strict=True):
                messages, condition = conversations[place]
                segments = framed[place].segments
                for turn in range(first, end):
                    segment = self._segment(turn, messages[turn], condition, next(contents))
                    if segment:
                        segments.append(segment)
                        used += len(segment.ids)
                if end < len(messages) and (enough is None or used <= enough):
                    more.append((place, end, used))
            waiting = more
        return list(framed)

    def parts(self, parts: Sequence[Part]) -> list[Framed | None]:
        """As `Framing.parts`."""
        # They are found by halving: a conversation of a million messages has a thousand parts.
        found: list[Framed | None] = []
        for framed, turns, _, _ in parts:
            own = []
            for turn in turns:
                place = bisect_left(framed.segments, turn, key=attrgetter("turn"))
                if place < len(framed.segments) and framed.segments[place].turn == turn:
                    own.append(framed.segments[place])
            found.append(Framed(framed.opening, own))
        return found

    @staticmethod
    def _stretch(messages: Messages, first: int, used: int, enough: int | None) -> int:
        """The messages to tokenise next end before this one; at least one of them."""
        if enough is None:
            return len(messages)
        room = (enough - used) * CHARACTERS
        for turn in range(first, len(messages)):
            if room < 0:
                return max(turn, first + 1)
            room -= len(messages[turn]["content"])
        return len(messages)

    def _segment(self, turn: int, message: dict[str, Any], condition: str, content: Ids) -> Segment | None:
        if turn == 0 and message["role"] == "system":
            if not message["content"]:
                return None
            prefix = self._markup(self._template.system_prefix) if self._template.system_prefix else flat([])
        else:
            prefix = self._prefix(message["role"], condition)
        ids = prefix + content + self._close
        return Segment(turn, ids, len(prefix), len(ids))

    def _prefixed(self, role: str, condition: str) -> Ids:
        """The role prefix; a condition in it is text, whatever it says."""
        template = self._template
        if template.place == "nowhere":
            return self._markup(template.prefix(role, condition))
        if not template.start:
            return self._texts([template.prefix(role, condition)])[0]
        named = self._texts([template.named(role, condition)])[0]
        return self._markup(template.start) + named + self._markup(template.end)

    def _opened(self, condition: str) -> Ids:
        opening = self._template.opening(condition)
        if not opening:
            return flat(self._bos)
        return flat(self._bos) + self._texts([opening])[0] + self._close
