"""What each target of JSON lines takes, by its export format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from curate.schema import ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence

KNOWN = ("openchat-jsonl", "fireworks-jsonl", "together-jsonl", "openai-jsonl", "mistral-jsonl")
# Role sequences up to this length are remembered.
_SHORT = 400


@dataclass(frozen=True)
class Target:
    """What its lines look like.

    Attributes:
        name: The export format; `chat-jsonl` where nobody said which.
        turns: The key of the messages.
        weights: message: any number in each. row: a number in the line. none: 1 or 0 in a response. either: as row, or
            as none.
        order: A regular expression over the roles, as `ROLES` of the format; None = any.
        no_empty: Whether an empty response is refused.
        parts: Whether content may be a list of parts.
        negative: Whether a line may weigh less than 0.
    """

    name: str
    turns: str = "messages"
    weights: str = "either"
    order: str | None = None
    no_empty: bool = False
    parts: bool = True
    negative: bool = False

    def takes(self, roles: Sequence[str]) -> bool:
        """Whether the roles stand in an order that it takes."""
        if self.order is None:
            return True
        joined = " ".join(roles)
        return _matches(self.order, joined) if len(joined) < _SHORT else _linear(self.order, joined)


def named(name: str) -> Target:
    """The target of an export format in `KNOWN`."""
    if name == "openchat-jsonl":
        return Target(name, turns="items", weights="message", parts=False)
    module: Any = import_module(f"curate.export.formats.{name.replace('-', '_')}")
    return Target(
        name,
        weights=module.WEIGHTS,
        order=module.ROLES,
        no_empty=getattr(module, "NO_EMPTY_RESPONSE", False),
        parts=name in ("openai-jsonl", "fireworks-jsonl"),
        negative=name == "fireworks-jsonl",
    )


def guessed(line: dict[str, Any]) -> Target | None:
    """The target of a file by its first line; None = none of them."""
    if "items" in line:
        return named("openchat-jsonl")
    return Target("chat-jsonl") if "messages" in line else None


def known_role(role: str) -> bool:
    """Whether any target knows it."""
    return role in ROLES


@lru_cache(4096)
def _matches(order: str, roles: str) -> bool:
    return re.search(order, roles) is not None


def _linear(order: str, roles: str) -> bool:
    """By an engine that does not backtrack: a line may have a million roles."""
    import polars as pl

    return bool(pl.Series([roles]).str.contains(order)[0])
