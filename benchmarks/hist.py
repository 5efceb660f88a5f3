"""How long `curate hist` takes, and how much memory, for a workspace of many responses.

    python benchmarks/hist.py [--responses 10000000] [--folder FOLDER] [--json]

The workspace is made up: two classes, rewards on a grid of 1/36 (a rubric of four criteria of ten levels), two
responses per conversation. Prints one line per column with seconds and the greatest resident memory of the process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

SHARD = 100_000
HIST = r"""
import json, re, sys, time
import curate
began, cpu = time.perf_counter(), time.process_time()
found = curate.hist(sys.argv[1], column=sys.argv[2], by=sys.argv[3])
taken, cpu = time.perf_counter() - began, time.process_time() - cpu
# Not ru_maxrss, which begins at the parent's.
rss = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) / 1024
counted = sum(group.scored for group in found.groups)
auc = f", AUC {found.compared.auc:.4f}" if found.compared else ""
if sys.argv[4] == "json":
    print(json.dumps({"values": counted, "wall": taken, "cpu": cpu, "peak": rss}))
    sys.exit()
print(f"{sys.argv[2]} by {sys.argv[3]}: {counted:,} values, {taken:.1f} s, {rss:,.0f} MB{auc}")
"""


def make(folder: Path, responses: int) -> None:
    ws = Workspace(folder, create=True)
    rng = np.random.default_rng(0)
    for index, first in enumerate(range(0, responses // 2, SHARD)):
        count = min(SHARD, responses // 2 - first)
        keys = pl.Series("key", np.arange(first, first + count), pl.UInt64)
        talk = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}] * 2
        plain = {"source": "made", "source_file": "made.json", "content_hash": "0" * 32}
        conversations = pl.DataFrame({"key": keys}).with_columns(
            **{name: pl.lit(value) for name, value in plain.items()},
            source_row=pl.col("key").cast(pl.Int64),
            messages=pl.lit(pl.Series([talk])).first(),
        )
        write(ws, "conversations", index, conversations)
        turns = pl.DataFrame({"key": keys}).join(pl.DataFrame({"turn": [1, 3]}), how="cross")
        better = turns["key"] % 4 == 0
        level = np.clip(rng.normal(np.where(better, 28, 24), 6), 0, 36).round() / 36
        turns = turns.with_columns(
            **{"class": pl.when(better).then(pl.lit("gpt-4")).otherwise(pl.lit("gpt-3.5"))},
            reward=pl.Series(level, dtype=pl.Float32),
            score=pl.Series(level * 9 + 1, dtype=pl.Float32),
            status=pl.lit("ok"),
            judge=pl.lit("made-up"),
            rubric=pl.lit("made@1"),
        )
        write(ws, "labels", index, turns)
        write(ws, "scores", index, turns)


def write(ws: Workspace, table: str, index: int, rows: pl.DataFrame) -> None:
    """A shard, with what it lacks null or empty."""
    schema = TABLES[table].arrow
    frame = pl.DataFrame(schema=pl.from_arrow(schema.empty_table()).schema)
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List) and name not in rows.columns]
    rows = rows.with_columns(pl.lit([], frame.schema[name]).alias(name) for name in lists)
    rows = rows.with_columns(
        pl.lit(None, kind).alias(name) for name, kind in frame.schema.items() if name not in rows.columns
    )
    made = rows.select(pl.col(name).cast(kind) for name, kind in frame.schema.items())
    ws.write(table, index, made.to_arrow().cast(schema), {"fingerprint": fingerprint(table, index)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--responses", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "workspace"
        make(folder, options.responses)
        kind, found = "json" if options.json else "text", {}
        for column, by in (("reward", "class"), ("score", "class"), ("reward", "source")):
            told = subprocess.check_output([sys.executable, "-c", HIST, str(folder), column, by, kind], text=True)
            found[f"{column} by {by}"] = json.loads(told) if options.json else print(told, end="")
        if options.json:
            print(json.dumps(found))


if __name__ == "__main__":
    main()
