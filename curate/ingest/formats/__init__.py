"""One module per input format, found by its file name.

A format module says in its docstring what a record looks like, and has two functions:

    matches(record) -> bool            does this parsed JSON object look like one of mine?
    convert(record) -> Conversation    raises UnusableError(reason, detail) when it is not usable

`convert` may return a list of conversations (and UnusableErrors for parts) when a record holds several. A format
may have more:

    convert(record, *, branches="current", columns=None)    options of the command line, where it takes them
    group(record) -> str | None                             records that make sense together share this text
    convert_group(records) -> list                          … and are converted together
    companion(record) -> tuple[key, prompt] | None          a record of the file that holds the prompts
    needs(record) -> key                                    the prompt that belongs to this record
    convert(record, prompt)                                 … which is null when there is none
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from curate.errors import CurateError, did_you_mean
from curate.ingest.conversation import Conversation, UnusableError

if TYPE_CHECKING:
    from collections.abc import Callable

# What a record becomes: one conversation, or several and what is wrong with the rest.
Result = Conversation | list[Conversation | UnusableError]


class Format(Protocol):
    """What every format module offers."""

    convert: Callable[..., Result]

    def matches(self, record: dict[str, Any]) -> bool:
        """Whether the record looks like this format's."""


class Grouped(Format, Protocol):
    """A format whose conversations lie in several records each."""

    def group(self, record: dict[str, Any]) -> str | None:
        """What the records of one group share."""

    def convert_group(self, records: list[dict[str, Any]]) -> list[Conversation | UnusableError]:
        """All conversations of a group."""


class Answers(Format, Protocol):
    """A format whose prompts lie in another file."""

    def companion(self, record: dict[str, Any]) -> tuple[str, Any] | None:
        """Key and prompt, when the record is one of the other file."""

    def needs(self, record: dict[str, Any]) -> str:
        """The key of the prompt that a record answers."""


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


def grouped(name: str) -> Grouped | None:
    """The format, when its conversations lie in several records each."""
    module = load(name)
    return cast("Grouped", module) if hasattr(module, "convert_group") else None


def answers(name: str) -> Answers | None:
    """The format, when its prompts lie in another file."""
    module = load(name)
    return cast("Answers", module) if hasattr(module, "companion") else None
