"""What becomes of files that are built to break a reader: records counted, seconds, and the most memory.

    python benchmarks/monsters.py [NAME…] [--megabytes 1024] [--run [--messages 1000000]]

Each in a process of its own; `--run` goes on from `ingest` to the export as text and as ids of a tokenizer of words,
and tells each stage's seconds of a processor, and the most memory up to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "faults"))

from monsters import MONSTERS, PER_MEGABYTE, make, words  # type: ignore[import-not-found]

# Processor time and memory are those of one process.
ALONE = {**os.environ, "CURATE_PROCESSES": "1"}
# Megabytes above which a monster only takes longer: a million messages, millions of rejects.
MOST = {"a conversation of many messages": 50, "zstd bomb, empty objects": 50, "rows that are the same": 100}
ONE = """
import json, sys, time
import curate
from curate.errors import CurateError

def peak():
    # Not `ru_maxrss`, which remembers the process that started this one.
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

def timed(name, function, *arguments, **options):
    began = time.process_time()
    done = function(*arguments, **options, quiet=True)
    stages[name] = [round(time.process_time() - began, 1), peak()]
    return done

source, ws, *more = sys.argv[1:]
began, stages = time.monotonic(), {}
try:
    done = timed("ingest", curate.ingest, [source], ws)
    said = {"records": done.records, "conversations": done.conversations, "rejects": done.rejects}
    if more:
        for stage in (curate.clean, curate.label, curate.dedup, curate.score):
            timed(stage.__name__, stage, ws)
        said["rows"] = timed("export", curate.export, ws, more[0]).rows
        for truncate in ("turn", "split"):
            options = {"tokenizer": more[1], "truncate": truncate}
            said[f"rows, {truncate}"] = timed(truncate, curate.export, ws, f"{more[0]}-{truncate}", **options).rows
        said["stages"] = stages
except CurateError as error:
    said = {"error": error.what}
said["seconds"], said["MB"] = round(time.monotonic() - began, 1), peak()
print(json.dumps(said))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("--megabytes", type=int, default=1024, help="unpacked; a string is that long")
    parser.add_argument("--messages", type=int, help="instead, where a monster is counted in messages or rows")
    parser.add_argument("--run", action="store_true")
    given = parser.parse_args()
    for name in given.names or MONSTERS:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            size = min(given.megabytes, MOST.get(name, given.megabytes))
            if given.messages and name in PER_MEGABYTE:
                size = max(1, given.messages // PER_MEGABYTE[name])
            path = make(name, folder, size)
            more = [str(folder / "out"), str(words(folder / "words"))] if given.run else []
            command = [sys.executable, "-c", ONE, str(path), str(folder / "ws"), *more]
            done = subprocess.run(command, env=ALONE, capture_output=True, text=True, check=False)
            try:
                said = json.loads(done.stdout)
            except ValueError:
                said = {"code": done.returncode, "stderr": done.stderr[-2000:]}
            print(f"{name:<32} {path.stat().st_size / 1e6:8.1f} MB packed, {size:5} unpacked  {said}", flush=True)


if __name__ == "__main__":
    main()
