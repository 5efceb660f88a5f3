"""The entry point: errors become three-part messages, and every end has its exit code.

0 done, 1 a data gate failed, 2 usage, configuration or input, 3 partly done, 70 a bug of ours,
130 interrupted, 141 the reader of a pipe is gone.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from errno import EDQUOT, EMFILE, ENOSPC
from io import TextIOWrapper
from pathlib import Path

from curate.cli import app
from curate.errors import CurateError

INTERNAL_ERROR = 70
INTERRUPTED = 130
# What polars raises where its own code gives up; no `Exception`.
PANIC = "PanicException"
# More than any command of ours needs at a time.
HANDLES = "ulimit -n 1024"
ROOM = "make room, then run the same command again: it goes on where it stopped"


def main() -> None:
    """Run the command line."""
    sys.unraisablehook = _unraisable
    _reopen()
    if isinstance(sys.stdout, TextIOWrapper):
        # A name that stdout cannot encode must not end a report.
        sys.stdout.reconfigure(errors="replace")
    try:
        try:
            app(prog_name="curate")
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        _interrupted()
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _interrupted()
        # Typer ends with 1 when the reader of a pipe is gone, and leaves a wrapped stdout behind.
        sys.exit(141 if end.code == 1 and type(sys.stdout).__name__ == "PacifyFlushWrapper" else end.code)
    except BrokenPipeError:
        _discard_stdout()
        sys.exit(141)
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        code = _explain(error)
        if isinstance(error, OSError):
            _discard_stdout()  # what could not be written is not tried again at exit
        sys.exit(code)


def _reopen() -> None:
    """Let standard streams that are closed lead nowhere, before a file that is opened takes their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - until the end


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """Ctrl-C that met a callback of a compiled library, which cannot pass it on, comes again a moment later."""
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    with suppress(RuntimeError):  # the interpreter is ending anyway
        threading.Timer(0.02, _thread.interrupt_main).start()


def _interrupted() -> None:
    """Say so; from here on Ctrl-C ends the process at once, and no traceback of its end is shown."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stderr.write("interrupted; the same command goes on where it stopped\n")


def _explain(error: BaseException) -> int:
    """Say what happened, and return the exit code for it."""
    from curate.console import show_error

    if os.environ.get("CURATE_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, CurateError):
        show_error(error)
        return error.exit_code
    if isinstance(error, UnicodeEncodeError):
        show_error(CurateError("an argument is not UTF-8", where=ascii(error.object)[:200], hint="rename it"))
        return CurateError.exit_code
    if isinstance(error, OSError):
        # A full disk or a folder that may not be read, wherever it was met.
        hint = {EMFILE: HANDLES, ENOSPC: ROOM, EDQUOT: ROOM}.get(error.errno or 0)
        show_error(CurateError(error.strerror or str(error), where=error.filename, hint=hint))
        return CurateError.exit_code
    if type(error).__name__ == PANIC and "TooManyOpenFiles" in str(error):
        show_error(CurateError(os.strerror(EMFILE), hint=HANDLES))
        return CurateError.exit_code
    if not os.environ.get("CURATE_DEBUG"):
        traceback.print_exception(error)
    hint = "this is a bug: please report it with the lines above; what finished before is kept"
    show_error(CurateError(f"internal error: {type(error).__name__}", hint=hint))
    return INTERNAL_ERROR


def _discard_stdout() -> None:
    with suppress(OSError):  # no handle is left
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
