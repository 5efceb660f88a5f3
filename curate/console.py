"""The one output sink: data to stdout, talk to stderr, and no control character from data to either."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

    from curate.errors import CurateError

# C0 and C1 controls, and the bidirectional overrides that can reorder a line on screen.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

Advance = "Callable[[int], None]"


def plain(text: str, limit: int | None = None) -> str:
    """Text from data, made inert for a terminal: control characters become `?`, cut to `limit`."""
    text = _CONTROL.sub("?", text)
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def stdout() -> Console:
    """Where data goes. Width and colour follow the terminal, `COLUMNS` and `NO_COLOR`."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def stderr() -> Console:
    """Where talk goes."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False)


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
            task = bar.add_task(label, total=total)
            yield lambda done: bar.advance(task, done)


def show_error(error: CurateError) -> None:
    """An error in its three parts, on stderr."""
    from rich.text import Text

    parts = [("error: ", "bold red"), (plain(error.what), "bold")]
    if error.where:
        parts += [("\n  --> ", "blue"), (plain(error.where), "")]
    if error.hint:
        parts += [("\nhint: ", "cyan"), (plain(error.hint), "")]
    stderr().print(Text.assemble(*parts), soft_wrap=True)


def print_json(value: Any) -> None:
    """A value as JSON on stdout: the machine's view of any reading command."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")
