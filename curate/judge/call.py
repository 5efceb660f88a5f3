"""One request to a judge, whoever it goes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from curate.judge.cost import tokens_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curate.judge.rates import Rates
    from curate.judge.rubric import Rubric
    from curate.judge.store import Judgement

# Tokens that a server may put around what it is sent: roles, the template's own words, the date.
AROUND = 512


@dataclass(frozen=True)
class Call:
    """What is asked, and which responses the answer grades.

    Attributes:
        key: Over everything the answer depends on.
        slots: Response id to slot: r1, r2 …
        rubric: What is graded by; None = the reply is free text.
        system: The system message.
        user: The user message.
        reply_tokens: The most tokens of a reply, reasoning aside.
        schemas: The reply's schema, with and without bounds of length; None = the reply is text.
        seed: None for the first answer; a number for one that shall be drawn anew.
        pairs: Prompt and response by slot as plain text, for judges that take no instructions.
        partial: Ids of responses of which only head and tail are shown.
    """

    key: str
    slots: Mapping[str, str]
    rubric: Rubric | None
    system: str
    user: str
    reply_tokens: int
    schemas: tuple[dict[str, Any], dict[str, Any]] | None = None
    seed: int | None = None
    pairs: Mapping[str, tuple[str, str]] | None = None
    partial: frozenset[str] = frozenset()

    @property
    def tokens_in(self) -> int:
        """Prompt tokens, estimated."""
        return tokens_of(self.system) + tokens_of(self.user)

    @property
    def most_in(self) -> int:
        """The most prompt tokens that may be billed: a byte-level tokenizer makes no more of a text than it has bytes.

        Base64, emoji and rare scripts come close to that; a ratio measured on prose does not bound them.
        """
        schema = len(orjson.dumps(self.schemas[0])) if self.schemas else 0
        told = len(self.system.encode()) + len(self.user.encode()) + schema
        shown = sum(len(text.encode()) for pair in (self.pairs or {}).values() for text in pair)
        return max(told, shown) + AROUND


class Backend(Protocol):
    """Whoever answers calls."""

    @property
    def address(self) -> str:
        """What may be shown of where it is."""
        ...

    @property
    def reached(self) -> bool:
        """Whether it has answered anything yet."""
        ...

    @property
    def rates(self) -> Rates:
        """What it will still take before it refuses."""
        ...

    async def ask(self, call: Call) -> Judgement:
        """One judgement.

        Raises:
            BusyError: Wait and ask again; no attempt is spent.
            AgainError: Ask again, a few times.
            RowError: This one cannot be judged.
            JudgeError: Nothing can be: key, quota, model or address.
        """
        ...

    def worst_in(self, call: Call) -> int:
        """The most tokens that a prompt may be billed for."""
        ...

    def worst_out(self, call: Call) -> int:
        """The most tokens that a reply may be billed for."""
        ...
