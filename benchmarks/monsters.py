"""What becomes of files that are built to break a reader: records counted, seconds, and the most memory.

    python benchmarks/monsters.py [NAME…] [--megabytes 1024] [--run]

Each in a process of its own; `--run` goes on from `ingest` to the export.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "faults"))

from monsters import MONSTERS, make  # type: ignore[import-not-found]

# Megabytes above which a monster only takes longer: a million messages, millions of rejects.
MOST = {"a conversation of many messages": 50, "zstd bomb, empty objects": 50}
ONE = """
import json, sys, time
import curate
from curate.errors import CurateError
began = time.monotonic()
try:
    done = curate.ingest([sys.argv[1]], sys.argv[2], quiet=True)
    said = {"records": done.records, "conversations": done.conversations, "rejects": done.rejects}
    if len(sys.argv) > 3:
        for stage in (curate.clean, curate.label, curate.dedup, curate.score):
            stage(sys.argv[2], quiet=True)
        said["rows"] = sum(curate.export(sys.argv[2], sys.argv[3], quiet=True).rows.values())
except CurateError as error:
    said = {"error": error.what}
said["seconds"] = round(time.monotonic() - began, 1)
# Not `ru_maxrss`, which remembers the process that started this one.
said["MB"] = next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps(said))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("--megabytes", type=int, default=1024, help="unpacked; a string is that long")
    parser.add_argument("--run", action="store_true")
    given = parser.parse_args()
    for name in given.names or MONSTERS:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            size = min(given.megabytes, MOST.get(name, given.megabytes))
            path = make(name, folder, size)
            command = [sys.executable, "-c", ONE, str(path), str(folder / "ws"), *([str(folder / "out")] * given.run)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            try:
                said = json.loads(done.stdout)
            except ValueError:
                said = {"code": done.returncode, "stderr": done.stderr[-2000:]}
            print(f"{name:<32} {path.stat().st_size / 1e6:8.1f} MB packed, {size:5} unpacked  {said}", flush=True)


if __name__ == "__main__":
    main()
