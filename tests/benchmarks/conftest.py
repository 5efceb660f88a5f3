import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FOLDERS = (BENCHMARKS / "dedup", BENCHMARKS)
sys.path[:0] = map(str, FOLDERS)
# A source distribution has the tests and not the benchmarks.
collect_ignore_glob = [] if BENCHMARKS.is_dir() else ["test_*.py"]
