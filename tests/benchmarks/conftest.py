import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks" / "dedup"
sys.path.insert(0, str(FOLDER))
# A source distribution has the tests and not the benchmarks.
collect_ignore_glob = [] if FOLDER.is_dir() else ["test_*.py"]
