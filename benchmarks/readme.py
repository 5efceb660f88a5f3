"""The table of numbers in the README and docs/benchmarks.md: runs benchmarks, keeps what they say, writes both.

    python benchmarks/readme.py [--only startup,dedup] [--folder bench]     # `make bench`
    python benchmarks/readme.py --write                                                   # nothing is measured

What was measured is kept in benchmarks/results.json, with the day, the machine and the versions of each line, so that
single lines can be measured anew. Each line is one command that anybody can type (lines.py); peers have environments of
their own below `--folder`. Only what stands between the two markers of the README is written.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lines import LINES

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- numbers: python benchmarks/readme.py -->", "<!-- end of numbers -->"
PACKAGES = ("numba", "orjson", "polars", "pyarrow")


def machine() -> dict[str, object]:
    """Cores that may be used, the processor's name, and how busy they were when the line began."""
    cpus = Path("/proc/cpuinfo").read_text("utf-8")
    name = re.search(r"^model name\s*: (.*)$", cpus, re.MULTILINE)
    cpu = name[1] if name else platform.machine()
    return {"cores": len(os.sched_getaffinity(0)), "cpu": cpu, "load": round(os.getloadavg()[0], 1)}


def measure(arguments: list[str]) -> dict[str, Any]:
    """Run a line's command, which prints one JSON object as the last thing it says."""
    before = machine()
    command = [sys.executable, *arguments[1:], "--json"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=variables, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return {
        "found": found,
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "machine": before,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def block(results: dict[str, Any]) -> str:
    """What stands in the README."""
    rows = ["| what | seen | command |", "|---|---|---|"]
    known = [line for line in LINES if line.name in results]
    rows += [f"| {line.what} | {line.seen(results[line.name]['found'])} | `{line.command}` |" for line in known]
    return "\n".join([BEGIN, f"{context(results)}\n", *rows, "", END])


def context(results: dict[str, Any]) -> str:
    """Machine, versions and days of all lines, in a sentence or two."""
    told = results.values()
    machines = sorted({f"{one['machine']['cores']} cores ({one['machine']['cpu']})" for one in told})
    days = sorted({one["date"] for one in told})
    newest = max(told, key=lambda one: one["date"])["versions"]
    loads = [one["machine"]["load"] for one in told]
    return (
        f"On {' and '.join(machines)}, {' to '.join(dict.fromkeys((days[0], days[-1])))}; Python {newest['python']}, "
        f"polars {newest['polars']}, pyarrow {newest['pyarrow']}. The machine was shared (load {min(loads):g} to "
        f"{max(loads):g}), so seconds are those of the processor, which a busy machine lengthens, too; ratios are of "
        "runs in turn. `make bench` measures anew; peers, versions, and in what the jobs differ: "
        "[docs/benchmarks.md](docs/benchmarks.md)."
    )


def page(results: dict[str, Any]) -> str:
    """docs/benchmarks.md: every line with its numbers, and what is compared with what."""
    written = "Written by `python benchmarks/readme.py` (`make bench`); `--only NAME` measures single lines."
    text = ["# Benchmarks", "", written]
    for line in LINES:
        if line.name not in results:
            continue
        one = results[line.name]
        at = one["machine"]
        stamp = f"{one['date']}, {at['cores']} cores, {at['cpu']}, load {at['load']:g}"
        versions = ", ".join(f"{name} {number}" for name, number in one["versions"].items())
        text += ["", f"## {line.name}: {line.what}", "", f"    {line.command}", ""]
        text += [*([line.differs, ""] if line.differs else []), f"{stamp}; {versions}.", "", *flat(one["found"])]
    return "\n".join(text) + "\n"


def flat(found: object) -> list[str]:
    """Nested numbers as lines of one table."""
    rows: list[tuple[str, str]] = []

    def walk(path: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{path} / {key}" if path else str(key), inner)
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                name = inner.pop("what", number) if isinstance(inner, dict) else number
                walk(f"{path} / {name}", inner)
        else:
            rows.append((path, f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1e4 else str(value)))

    walk("", json.loads(json.dumps(found)))
    return ["| number | value |", "|---|---:|", *(f"| {name} | {value} |" for name, value in rows)]


def write(results: dict[str, Any]) -> None:
    """Put the block into the README and the page into docs/."""
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    begin, end = text.index(BEGIN), text.index(END) + len(END)
    readme.write_text(text[:begin] + block(results) + text[end:], "utf-8")
    PAGE.write_text(page(results), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(line.name for line in LINES), help="lines to measure, by comma")
    parser.add_argument("--folder", default="bench", help="where environments of peers and corpora are kept")
    parser.add_argument("--write", action="store_true", help="write README and page from what is kept")
    told = parser.parse_args()
    for line in LINES:
        if told.write or line.name not in told.only.split(","):
            continue
        words = [re.sub(r"^bench\b(?!marks)", told.folder, word) for word in shlex.split(line.command)]
        print(f"{line.name}: {line.command}", file=sys.stderr, flush=True)
        measured = measure(words)
        print(f"  {line.seen(measured['found'])}", file=sys.stderr, flush=True)
        # Another one may have measured other lines meanwhile.
        results = {**json.loads(RESULTS.read_text("utf-8")), line.name: measured}
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
    write(json.loads(RESULTS.read_text("utf-8")))


if __name__ == "__main__":
    main()
