"""What `curate --help` costs, and which heavy packages it loads (none).

    python benchmarks/startup.py [--runs 9] [--json]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from statistics import median

HEAVY = ("polars", "pyarrow", "numpy", "openai", "datasketch", "scipy", "numba", "torch")
LOADED = f"""
import sys
from curate.cli import app
app(["--help"], standalone_mode=False)
print("loaded:", [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def cpu(*command: str) -> float:
    """CPU seconds, user and system, of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    runs, seconds = options.runs, {}
    for arguments in (["--help"], ["score", "--help"], ["--version"]):
        times = [cpu(sys.executable, "-m", "curate", *arguments) for _ in range(runs)]
        seconds[" ".join(arguments)] = median(times)
        if options.json:
            continue
        print(f"curate {' '.join(arguments):<14} {median(times):.2f} s CPU (median of {runs})")
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = done.stderr.strip()
    if options.json:
        print(json.dumps({"cpu": seconds, "loaded": loaded}))
        return
    print("curate --help  heavy packages", loaded)


if __name__ == "__main__":
    main()
