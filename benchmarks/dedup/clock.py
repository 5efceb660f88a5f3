"""Runs a measured script in a process of its own, on given processors, and watches its memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

HERE = Path(__file__).parent
# Where scripts find measure.py and, those of ours, the curate of this checkout.
PYTHONPATH = os.pathsep.join([str(HERE), str(HERE.parents[1])])
EVERY = 0.05


class ToolError(Exception):
    """A script failed; the message is the end of what it said."""


@dataclass(frozen=True)
class Run:
    """One run: seconds, MiB and what was removed, similar or contained (see measure.py)."""

    cpu: float
    wall: float
    process_cpu: float
    peak: float
    removed: frozenset[int]
    contained: frozenset[int]


def run(
    interpreter: Path | str,
    script: Path,
    documents: Path,
    *,
    warm_up: Path,
    threshold: float = 0.7,
    cores: int = 1,
    variables: dict[str, str] | None = None,
) -> Run:
    """Run a script that calls `measure.main`.

    Raises:
        ToolError: It failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        removed, output = Path(folder) / "removed.txt", Path(folder) / "output.txt"
        command = [interpreter, script, documents, f"--threshold={threshold}", f"--cores={cores}"]
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [*map(str, command), f"--warm-up={warm_up}", f"--removed={removed}"],
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(variables or {}), "PYTHONPATH": PYTHONPATH},
                preexec_fn=partial(first_processors, cores),
            )
            peak = watch(process)
        said = output.read_text("utf-8", errors="replace")
        if process.returncode:
            raise ToolError(f"{script.name}: {said[-2000:]}")
        told = json.loads(said.strip().splitlines()[-1])
        found = json.loads(removed.read_text())
    ids = [frozenset(found[name]) for name in ("similar", "contained")]
    return Run(told["cpu"], told["wall"], told["process_cpu"], max(told["peak"], peak), *ids)


def command_cpu(*arguments: str) -> float:
    """CPU seconds of a command of ours on one processor, all of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "curate", *arguments],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        check=True,
        capture_output=True,
        preexec_fn=partial(first_processors, 1),
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_processors(number: int) -> None:
    """Keep this process to that many of the processors it may use."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:number])


def watch(process: subprocess.Popen[bytes]) -> float:
    """MiB of memory of a process and those it started, all together, at the highest seen."""
    peak = 0
    me = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [me, *me.children(recursive=True)]
            peak = max(peak, sum(member.memory_info().rss for member in family))
        except psutil.NoSuchProcess:
            pass
        time.sleep(EVERY)
    return peak / 2**20
