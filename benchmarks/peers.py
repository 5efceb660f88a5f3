"""What benchmarks beside a peer share: environments as in dedup/environments.py, and the clock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.append(str(HERE / "dedup"))

import environments  # noqa: E402
from environments import Peer  # noqa: E402

# Where environments are kept, unless `--folder` says otherwise; `make bench-dedup` has its own there, too.
FOLDER = Path("bench")
FASTCHAT = Peer(
    "fastchat", "fastchat", (("--no-deps", "fschat==0.2.36"), ("markdownify==0.11.6", "beautifulsoup4", "tqdm")), None
)
# In full it asks for vLLM, flash-attn and wandb. What its converter imports, in the versions of our tests.
OCHAT_NEEDS = ("torch==2.13.0", "transformers==5.23.0", "accelerate", "numba", "orjson", "pyarrow", "pydantic")
OCHAT = Peer("ochat", "ochat", (("--no-deps", "ochat==3.6.1"), (*OCHAT_NEEDS, "sentencepiece", "protobuf")), None)

# `call()` after `warm()`: seconds on the clock, CPU seconds of this process and of those it waited for, MiB at most.
CLOCK = """
import json, pathlib, resource, sys, time

def cpu():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in both)

def told(warm, call):
    warm()
    began = time.perf_counter(), cpu()
    call()
    taken = {"wall": time.perf_counter() - began[0], "cpu": cpu() - began[1]}
    # Not ru_maxrss, which begins at the parent's.
    peak = int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({**taken, "peak": peak}))
"""


def python(peer: Peer, folder: Path = FOLDER) -> Path:
    """The interpreter of a peer's environment, which is built where it is not there yet."""
    return environments.python(peer, folder.resolve())


def clocked(interpreter: Path | str, script: str, *arguments: object) -> dict[str, float]:
    """What a script that ends with `told(warm, call)` says, in a process of its own on one processor."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.py"
        path.write_text(CLOCK + script, "utf-8")
        done = subprocess.run(
            [interpreter, path, *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE.parent), "TOKENIZERS_PARALLELISM": "false"},
            preexec_fn=lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1]),
        )
    if done.returncode:
        sys.exit(f"{interpreter} failed: {done.stderr[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said
