"""A conversation as a chat template writes it, with secret names for control tokens, and where its messages stand."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.export.placement import in_system
from curate.export.sandbox import OFF, ON
from curate.export.segments import CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curate.export.chat import ChatTemplate, Markup
    from curate.export.segments import Messages


# Around the secret name of a control token.
_NAME, _CLOSE = "\U000f2000", "\U000f2001"


class Place(NamedTuple):
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


class Around(NamedTuple):
    """What a template writes around a message, with secret names for its control tokens.

    Attributes:
        owner: The message's place.
        lead: Before its content.
        close: After it, as far as that is learned where the message is.
        begin: Where in `lead` it begins.
        before: As of `Place`, and so are `head` and `inside`.
    """

    owner: int
    lead: str
    close: str
    begin: int
    before: int
    head: str
    inside: int


class Row(NamedTuple):
    """A rendering with secret names for its control tokens, and how many of those it has."""

    text: str
    places: list[Place]
    controls: int


class Writer:
    """Writes conversations.

    Args:
        template: Their chat template.
        controls: Its control tokens.

    Attributes:
        names: What each control token is called in what is written.
        controls: Finds them in what the template says.
    """

    def __init__(self, template: ChatTemplate, controls: Iterable[str]) -> None:
        self._template = template
        salt = secrets.token_hex(8)
        self.names = {token: f"{_NAME}{salt}{number}{_CLOSE}" for number, token in enumerate(sorted(controls))}
        self.controls = re.compile("|".join(map(re.escape, sorted(self.names, key=len, reverse=True))) or "(?!)")
        # After a content: what ends its turn, if a control token does.
        self._ends = re.compile(rf"\s*(?:{self.controls.pattern})")
        self._known: dict[Any, Markup] = {}
        self._frames: dict[int, tuple[Markup, list[Around], str]] = {}

    def written(self, messages: Messages, condition: str) -> Row:
        """The rendering with secret names for its control tokens, and where its messages stand."""
        added = 0
        if condition and not self._template.conditioned:
            whole = in_system(messages, condition)
            added = len(whole) - len(messages)
            messages = whole
        markup, contents = self._template.markup(messages, condition, self._known)
        around, tail = self._around(markup)
        pieces: list[str] = []
        places, at = [], 0
        for frame, content in zip(around, contents, strict=True):
            begin = at + frame.begin
            at += len(frame.lead) + len(content) + len(frame.close)
            pieces += (frame.lead, content, frame.close)
            learned = messages[frame.owner]["weight"] > 0
            places.append(Place(frame.owner - added, begin, at, learned, frame.before, frame.head, frame.inside))
        controls = (around[-1].before if around else 0) + self._count(markup.literals[-1])
        return Row("".join([*pieces, tail]), places, controls)

    def _around(self, markup: Markup) -> tuple[list[Around], str]:
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
                Around(
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
        return len(self.controls.findall(literal))

    def _learned(self, literal: str) -> int:
        """How much of what follows a response is learned: to the end of its `{% generation %}`, else of its turn."""
        if OFF in literal and ON not in literal.partition(OFF)[0]:
            return literal.index(OFF)
        end = self._ends.match(literal)
        return end.end() if end else 0

    def _live(self, literal: str) -> str:
        literal = literal.replace(ON, "").replace(OFF, "")
        return self.controls.sub(lambda found: self.names[found.group()], literal)


def short(row: Row, enough: int) -> Row:
    """A row up to the end of the first message that lies far beyond `enough` ids."""
    for number, place in enumerate(row.places[:-1], 1):
        if place.inside and place.end > enough * CHARACTERS:
            return Row(row.text[: place.end], row.places[:number], place.before + place.inside)
    return row
