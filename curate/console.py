"""The one output sink: data to stdout, talk to stderr, and no control character from data to either."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager
from errno import EPIPE
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID

    from curate.errors import CurateError

# C0 and C1 controls, line separators, and the bidirectional marks that can reorder a line on screen.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text: str, limit: int | None = None) -> str:
    """Text from data, made inert for a terminal: one line, control characters become `?`, cut to `limit`."""
    text = _CONTROL.sub("?", text)
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def stdout() -> Console:
    """Where data goes. Width and colour follow the terminal, `COLUMNS` and `NO_COLOR`."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Where talk goes."""
    return _console(sys.stderr)


def _console(file: IO[str]) -> Console:
    from rich.console import Console

    class Sink(Console):
        def on_broken_pipe(self) -> None:
            """Let `main` see it; Rich itself would end with exit code 1, which says that a gate failed."""
            raise BrokenPipeError(EPIPE, os.strerror(EPIPE))

    # Rich keeps bold and dim under NO_COLOR; we send no escape sequence at all.
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Sink(file=file, color_system=colours, highlight=False, markup=False, emoji=False)


def unicode_stdout() -> bool:
    """Whether stdout can encode block characters."""
    try:
        "█▏·".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class Talk:
    """What a stage says while it works; `quiet` drops everything but warnings and errors."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, line: RenderableType) -> None:
        """A line of progress or result, on stderr."""
        if not self.quiet:
            stderr().print(line, soft_wrap=True)

    def warn(self, line: str) -> None:
        """A warning, always shown."""
        from rich.text import Text

        stderr().print(Text.assemble(("warning: ", "yellow"), plain(line)), soft_wrap=True)

    @contextmanager
    def progress(self, label: str, total: float | None, unit: str = "B") -> Iterator[Callable[[float], None]]:
        """A progress bar with rate and time left, on stderr, only on a terminal.

        Args:
            label: What is being done.
            total: Amount of work, or None when it is not known.
            unit: `B` for bytes, else a word such as `responses`.
        """
        console = stderr()
        if self.quiet or not console.is_terminal or os.environ.get("CURATE_NO_PROGRESS"):
            yield lambda _: None
            return
        from rich import progress

        amount: tuple[progress.ProgressColumn, ...] = (
            (progress.DownloadColumn(), progress.TransferSpeedColumn())
            if unit == "B"
            else (progress.MofNCompleteColumn(), progress.TextColumn(unit))
        )
        columns = (
            progress.TextColumn("{task.description:<12}"),
            progress.BarColumn(bar_width=24),
            *amount,
            progress.TimeRemainingColumn(),
        )
        with progress.Progress(*columns, console=console, transient=True) as bar:
            yield _Advance(bar, bar.add_task(label, total=total))


class Silent(Talk):
    """Talk of a decision that is only worked out: what is to be said of it, the command that takes it says."""

    def __init__(self) -> None:
        super().__init__(quiet=True)

    def warn(self, line: str) -> None:
        """Nothing."""


class _Advance:
    """Moves a bar; in another process, where there is no terminal, nothing."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self.bar, self.task = bar, task

    def __call__(self, done: float) -> None:
        self.bar.advance(self.task, done)

    def __reduce__(self) -> tuple[Any, ...]:
        return _advance_nothing, ()


def _advance_nothing() -> Callable[[float], None]:
    return lambda _: None


def show_error(error: CurateError) -> None:
    """An error in its three parts, on stderr."""
    from rich.text import Text

    what = "\n".join(plain(line) for line in error.what.split("\n"))
    parts = [("error: ", "bold red"), (what, "bold")]
    if error.where:
        parts += [("\n  --> ", "blue"), (plain(error.where), "")]
    if error.hint:
        parts += [("\nhint: ", "cyan"), (plain(error.hint), "")]
    stderr().print(Text.assemble(*parts), soft_wrap=True)


def print_json(value: Any) -> None:
    """A value as JSON on stdout: the machine's view of any reading command; control characters stay escaped."""
    text = json.dumps(value, ensure_ascii=not unicode_stdout(), indent=2, default=str)
    lines = (_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line) for line in text.split("\n"))
    sys.stdout.write("\n".join(lines) + "\n")
