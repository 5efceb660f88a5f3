"""Every error a user can meet, in three parts: what happened, where, how to go on.

CurateError                 exit 2: wrong usage, configuration or unreadable input
├── InputError              a file, folder or stream that cannot be read as data
├── RuleError               a rule, rubric or recipe file with mistakes (all of them at once)
├── WorkspaceError          a workspace that is missing, locked, newer than this curate, or damaged
├── JudgeError              the judge's endpoint refuses to work at all (key, quota, model, address)
├── MissingExtraError       an optional dependency is not installed
├── GateError               exit 1: everything ran, but a data gate failed
└── PartlyDoneError         exit 3: part of the work is stored; the same command resumes
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class CurateError(Exception):
    """An error with a way out.

    Args:
        what: One sentence, no full stop, literals in backticks.
        where: File, row, rule or option it happened at.
        hint: What to do or type next.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: object = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = None if where is None else str(where)
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """So that it comes back whole from another process, whatever a subclass is made with."""
        return _revived, (type(self), self.what, self.__dict__)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  --> {self.where}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


def _revived(kind: type[CurateError], what: str, state: dict[str, Any]) -> CurateError:
    error = kind.__new__(kind, what)
    error.__dict__.update(state)
    return error


class InputError(CurateError):
    """A file, folder or stream that cannot be read as data."""


class RuleError(CurateError):
    """A rule, rubric or recipe file with mistakes."""


class WorkspaceError(CurateError):
    """A workspace that is missing, locked, newer than this curate, or damaged."""


def unwritable(error: OSError, where: object) -> WorkspaceError:
    """What it is for whoever reads it that a file of a workspace could not be written."""
    what = f"the workspace cannot be written: {error.strerror or error}"
    return WorkspaceError(what, where=where, hint="make room or free the folder, then run it again")


class JudgeError(CurateError):
    """The judge's endpoint refuses to work at all: nothing is lost, nothing more is sent."""


class MissingExtraError(CurateError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package `{package}`, which is not installed",
            hint=f"pip install 'curate-chat[{extra}]'",
        )


class GateError(CurateError):
    """Everything ran, but the data did not pass a gate."""

    exit_code = 1


class PartlyDoneError(CurateError):
    """Part of the work is done and stored; running the same command again resumes.

    Args:
        what: As of `CurateError`.
        where: As of `CurateError`.
        hint: As of `CurateError`.
        result: What the stage would have returned, when the same command could do no more; None = it could.
    """

    exit_code = 3

    def __init__(self, what: str, *, where: object = None, hint: str | None = None, result: object = None) -> None:
        super().__init__(what, where=where, hint=hint)
        self.result = result


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the nearest known word, or all of them when none is near."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return "known: " + ", ".join(f"`{name}`" for name in names) if names else None
