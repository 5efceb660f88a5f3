"""A process that has loaded curate and forks a child for every command, so that a fault costs no second of imports.

Reads requests from stdin, one JSON object a line, and answers each with one:

    {"argv": ["label", "-w", "ws"], "cwd": "/…", "shard_bytes": 60000, "fault": {…}, "signals": [[0.2, 9]]}
    {"code": -9, "seconds": 0.31, "cpu": 0.4, "stderr": "…"}

`fault` is applied in the child, see `fault.py`; `signals` are sent to it after so many seconds, while it runs.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

# Threads that a library starts when it is loaded would be gone in the child.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
sys.path.insert(0, str(Path(__file__).parent))

import fault
import typer

import curate


def load() -> None:
    """Everything of curate; what else a command loads is learned from its first child."""
    for module in pkgutil.walk_packages(curate.__path__, "curate."):
        if ".recipes" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    from curate.cli import app

    command = typer.main.get_command(app)  # the same for every child
    typer.main.get_command = lambda _: command
    gc.freeze()


def child(request: dict[str, Any], stderr: int) -> NoReturn:
    """Become the command."""
    from curate.ingest import table
    from curate.main import main

    nothing = os.open(os.devnull, os.O_RDWR)
    for number, handle in ((0, nothing), (1, nothing), (2, stderr)):
        os.dup2(handle, number)
    os.close(nothing)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.update(request.get("env") or {})
    table.SHARD_BYTES = request["shard_bytes"]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["curate", *request["argv"]]
    if "loaded" in request:
        atexit.register(lambda: Path(request["loaded"]).write_text("\n".join(sys.modules)))
    fault.install(request.get("fault") or {})
    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    # As the interpreter ends, but for taking apart what the parent has loaded.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(code or 0)


def serve(request: dict[str, Any]) -> dict[str, Any]:
    """Fork, disturb, wait."""
    read, write = os.pipe()  # and no file: how large one may become is a fault, too
    os.set_blocking(read, False)
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        child(request, write)
    os.close(write)
    said, signals = b"", list(request.get("signals") or ())
    done = 0
    while not done:
        while signals and time.monotonic() - began >= signals[0][0]:
            os.kill(pid, signals.pop(0)[1])
        done, status, used = os.wait4(pid, os.WNOHANG)
        seconds = time.monotonic() - began
        if select.select([read], [], [], 0.001)[0]:
            with suppress(BlockingIOError):
                said += os.read(read, 1 << 20)
    while piece := _available(read):
        said += piece
    os.close(read)
    code = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    return {"code": code, "seconds": seconds, "cpu": cpu, "stderr": said.decode("utf-8", "replace")}


def _available(handle: int) -> bytes:
    with suppress(BlockingIOError):
        return os.read(handle, 1 << 20)
    return b""


def main() -> None:
    load()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    known: set[str] = set()
    loaded = Path(tempfile.gettempdir()) / f"curate-loaded-{os.getpid()}"
    for line in sys.stdin:
        request = json.loads(line)
        command = request["argv"][0]
        if command not in known:
            request["loaded"] = str(loaded)
        answer = serve(request)
        if loaded.exists():
            known.add(command)
            for name in loaded.read_text().split():
                with suppress(Exception):
                    importlib.import_module(name)
            loaded.unlink()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
