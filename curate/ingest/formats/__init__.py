"""One module per input format, found by its file name.

A format module says in its docstring what a record looks like, and has two functions:

    matches(record) -> bool            does this parsed JSON object look like one of mine?
    convert(record) -> Conversation    raises UnusableError(reason, detail) when it is not usable

`convert` may return a list of conversations (and UnusableErrors for parts) when a record holds several. A format
may have more:

    convert(record, *, branches="current", columns=None)    options of the command line, where it takes them
    group(record) -> str | None                             records that make sense together share this text
    convert_group(records) -> list                          … and are converted together, with `branches` as above
    companion(record) -> tuple[key, prompt] | None          a record of the file that holds the prompts
    needs(record) -> key                                    the prompt that belongs to this record
    convert(record, prompt)                                 … which is null when there is none
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
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

    convert_group: Callable[..., list[Conversation | UnusableError]]

    def group(self, record: dict[str, Any]) -> str | None:
        """What the records of one group share."""


class Answers(Format, Protocol):
    """A format whose prompts lie in another file."""

    def companion(self, record: dict[str, Any]) -> tuple[str, Any] | None:
        """Key and prompt, when the record is one of the other file."""

    def needs(self, record: dict[str, Any]) -> str:
        """The key of the prompt that a record answers."""


@cache
def names() -> tuple[str, ...]:
    """The formats that curate reads, in the order in which records are tried: ours, then those of other packages."""
    ours = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")
    return (*ours, *sorted(set(_installed()) - set(ours)))


@cache
def _installed() -> dict[str, EntryPoint]:
    """Formats that other packages bring, by the entry point group `curate.formats`."""
    return {entry.name: entry for entry in entry_points(group="curate.formats")}


@cache
def load(name: str) -> Format:
    """A format by its name, or by the path of its file, which ends in `.py`.

    Raises:
        CurateError: There is none, or the file is no format.
    """
    if name.endswith(".py"):
        return _from_file(Path(name))
    if name not in names():
        raise CurateError(f"no input format `{name}`", hint=did_you_mean(name, names()))
    return cast("Format", _installed()[name].load() if name in _installed() else import_module(f"{__name__}.{name}"))


def _from_file(path: Path) -> Format:
    spec = spec_from_file_location(f"curate_format_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise CurateError("no such file", where=path, hint="a Python file with `matches` and `convert`")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    if missing := [name for name in ("matches", "convert") if not hasattr(module, name)]:
        raise CurateError(f"the format has no `{missing[0]}`", where=path, hint="see docs/extend.md")
    return cast("Format", module)


def detect(record: dict[str, Any]) -> str | None:
    """The first format whose records look like this one."""
    return next((name for name in names() if load(name).matches(record)), None)


@cache
def grouped(name: str) -> Grouped | None:
    """The format, when its conversations lie in several records each."""
    module = load(name)
    return cast("Grouped", module) if hasattr(module, "convert_group") else None


@cache
def answers(name: str) -> Answers | None:
    """The format, when its prompts lie in another file."""
    module = load(name)
    return cast("Answers", module) if hasattr(module, "companion") else None
