"""One module per input format, found by its file name.

A format module says in its docstring what a record looks like, and has two functions:

    matches(record) -> bool            does this parsed JSON object look like one of mine?
    convert(record) -> Conversation    raises UnusableError(reason, detail) when it is not usable
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from curate.errors import CurateError, did_you_mean

if TYPE_CHECKING:
    from curate.ingest.conversation import Conversation


class Format(Protocol):
    """What a format module offers."""

    def matches(self, record: dict[str, Any]) -> bool:
        """Whether the record looks like this format's."""

    def convert(self, record: dict[str, Any]) -> Conversation:
        """The record as a conversation."""


@cache
def names() -> tuple[str, ...]:
    """The formats that curate reads, in the order in which records are tried."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__"))


@cache
def load(name: str) -> Format:
    """The format of that name.

    Raises:
        CurateError: There is none.
    """
    if name not in names():
        raise CurateError(f"no input format `{name}`", hint=did_you_mean(name, names()))
    return cast("Format", import_module(f"curate.ingest.formats.{name}"))


def detect(record: dict[str, Any]) -> str | None:
    """The first format whose records look like this one."""
    return next((name for name in names() if load(name).matches(record)), None)
