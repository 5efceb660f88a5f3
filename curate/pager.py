"""Long output through the pager of the user: only on a terminal, only if it is longer than the screen."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from curate.console import stdout

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

# Colours as they are, all else made visible by the pager itself; ends at once where it all fits.
LESS = "-FRX"


def page(lines: Iterable[RenderableType], *, use: bool = True) -> None:
    """Print lines that are inert for a terminal, through `PAGER` or less.

    An empty `PAGER`, or `cat`, is none; so is anything where stdout is no terminal or all of it fits.

    Args:
        lines: The lines, each no wider than the terminal.
        use: Whether to page at all.
    """
    console = stdout()
    listed = list(lines)
    command = _command() if use and console.is_terminal and sys.stdin.isatty() else None
    if command is None or len(listed) < console.height:
        for line in listed:
            console.print(line, soft_wrap=True)
        return
    with console.capture() as captured:
        for line in listed:
            console.print(line, soft_wrap=True)
    environment = {**os.environ, "LESS": os.environ.get("LESS") or LESS, "LESSSECURE": "1"}
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    except OSError:
        sys.stdout.write(captured.get())
        return
    try:
        process.communicate(captured.get().encode(errors="replace"))
    except (BrokenPipeError, KeyboardInterrupt):
        # The reader has seen enough; the pager puts the terminal in order before it ends.
        process.wait()


def _command() -> list[str] | None:
    """The pager and its arguments; None = none is wanted, or there is none."""
    told = os.environ.get("PAGER")
    try:
        command = shlex.split("less" if told is None else told)
    except ValueError:
        return None
    if not command or command[0] == "cat" or os.environ.get("TERM") == "dumb":
        return None
    return command if shutil.which(command[0]) else None
