"""What every measured tool shares: its command line, the clock, and the words to shingle where a tool takes shingles.

    python peers/NAME.py DOCUMENTS.parquet --threshold 0.7 --cores 2 --warm-up FEW.parquet --removed ROWS.txt

DOCUMENTS has the columns `id` (whole numbers) and `text`. The tool runs on a few documents first, which pays for
compiling and late imports; then on all of them, reading included. Prints one line of JSON: CPU seconds (user and
system, processes it started included) and seconds on the clock of the second run, CPU seconds of the whole process,
and MiB of memory at the highest.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Found:
    """Removed documents by their ids.

    Attributes:
        similar: Those that are copies or similar enough to one that stays.
        contained: Those that went because one that stays begins with all of them, however much longer that one is.
    """

    similar: Iterable[int]
    contained: Iterable[int] = ()


# What is prepared before the clock starts; a path to the documents where a tool needs nothing else.
Prepare = Callable[[Path], Any]
# Prepared documents, threshold and processors to the ids of removed documents.
Removed = Callable[[Any, float, int], Iterable[int] | Found]


def main(removed: Removed, prepare: Prepare = lambda documents: documents) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("documents", type=Path)
    parser.add_argument("--threshold", type=float, default=0.7)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--warm-up", type=Path, required=True)
    parser.add_argument("--removed", type=Path, required=True)
    options = parser.parse_args()
    removed(prepare(options.warm_up), options.threshold, options.cores)
    prepared = prepare(options.documents)
    wall, cpu = time.perf_counter(), cpu_seconds()
    found = removed(prepared, options.threshold, options.cores)
    found = found if isinstance(found, Found) else Found(found)
    ids, contained = sorted(found.similar), sorted(found.contained)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    options.removed.write_text(json.dumps({"similar": ids, "contained": contained}))
    print(json.dumps({"cpu": cpu, "wall": wall, "process_cpu": cpu_seconds(), "peak": peak(), "removed": len(ids)}))


def cpu_seconds() -> float:
    """User and system time of this process and of those it waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak() -> float:
    """MiB of memory of this process at its highest; not ru_maxrss, which begins at the parent's."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def read(documents: Path) -> tuple[list[int], list[str]]:
    """Ids and texts as Python objects, for tools that take those."""
    import pyarrow.parquet as pq

    table = pq.read_table(documents)
    return table["id"].to_pylist(), table["text"].to_pylist()


def shingles(text: str) -> list[str]:
    """Runs of five words in lower case, repeats included, as strings; one shorter run where there are fewer words."""
    words = re.findall(r"\w+", text.lower())
    runs = zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)
    return list(map(" ".join, runs)) or [" ".join(words)]
