"""How fast, how complete and how right `curate dedup` is, beside datasketch in the same run.

    python benchmarks/dedup.py                    # a made-up corpus with planted duplicates, seed 1
    python benchmarks/dedup.py dump.json          # a dump, ingested into a temporary workspace
    python benchmarks/dedup.py curated            # a workspace; its table `duplicates` is not touched

The truth is exact, not sampled: every pair at or above the threshold is found by prefix filtering
(Chaudhuri et al., ICDE 2006: two such sets share one of the rarest few elements of each) and its
Jaccard similarity computed. It takes about 60 bytes of memory per word. CPU seconds are of this
process with all its threads, after one run on a few rows that compiles or loads the kernels and
imports datasketch (about 1 s, once; 3 s more the first time ever). Ours is the whole stage: reading,
signatures, verification, writing; datasketch's is words, signatures and unverified candidates.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import tempfile
import time
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from curate.dedup import dedup, minhash
from curate.dedup.exact import keepers
from curate.dedup.near import FEWEST_SHINGLES
from curate.dedup.texts import batches, texts
from curate.schema import TABLES
from curate.workspace import Workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, help="dump or workspace (default: a made-up corpus)")
    parser.add_argument("--rows", type=int, default=20_000, help="conversations of the made-up corpus")
    parser.add_argument("--seed", type=int, default=1, help="of the made-up corpus")
    parser.add_argument("--threshold", type=float, default=0.7)
    parser.add_argument("--datasketch-rows", type=int, default=1500, help="conversations given to datasketch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ws = prepare(options, Path(folder))
        warm_up(Path(folder) / "warm-up")
        megabytes = size(ws) / 1e6
        cpu, wall, result = timed(lambda: dedup(ws.path, threshold=options.threshold, quiet=True))
        removed, expected, unjustified = judge(ws, options.threshold)
        their_cpu, their_megabytes = datasketch_cpu(ws, options.datasketch_rows, options.threshold)

    table = Table("measure", "value", title=f"{result.conversations:,} conversations, {megabytes:,.1f} MB of text")
    lines = {
        "time of the whole stage": f"{cpu:.2f} CPU s, {wall:.2f} s on the clock",
        "speed": f"{megabytes / cpu:,.0f} MB per CPU s, {megabytes / wall:,.0f} MB/s",
        "exact copies": f"{result.copies:,}",
        "removed": f"{result.exact:,} exact, {result.near:,} near",
        "near rows that ought to go, by all true pairs": f"{len(expected):,}",
        "row recall": share(len(expected & removed), len(expected)),
        "row precision": share(len(expected & removed), len(removed)),
        "removed without a kept duplicate": str(unjustified),
        "pairs verified / below the threshold": f"{result.verified:,} / {result.rejected:,}",
        "datasketch MinHash + MinHashLSH": f"{their_megabytes / their_cpu:.1f} MB per CPU s "
        f"({their_cpu:.1f} CPU s on {options.datasketch_rows:,} random rows, {their_megabytes:.1f} MB)",
        "ratio per MB": f"{(their_cpu / their_megabytes) / (cpu / megabytes):.0f} x",
    }
    for measure, value in lines.items():
        table.add_row(measure, value)
    Console().print(table)


def share(part: int, whole: int) -> str:
    return f"{part / whole:.4f}" if whole else "nothing to find"


def timed(function):
    cpu, wall = time.process_time(), time.perf_counter()
    result = function()
    return time.process_time() - cpu, time.perf_counter() - wall, result


def prepare(options: argparse.Namespace, folder: Path) -> Workspace:
    """A workspace that may be written to."""
    ws = Workspace(folder / "workspace", create=True)
    if options.path is None:
        write(ws, made_up(options.rows, options.seed))
    elif options.path.is_dir():
        source = Workspace(options.path)
        shutil.copytree(source.path / "conversations", ws.path / "conversations")
    else:
        from curate.ingest import ingest

        ingest([str(options.path)], str(ws.path))
    return ws


def warm_up(folder: Path) -> None:
    ws = Workspace(folder, create=True)
    write(ws, made_up(200, 0))
    dedup(ws.path, quiet=True)


def write(ws: Workspace, rows: list[list[tuple[str, str]]], shard_rows: int = 4000) -> None:
    for shard, first in enumerate(range(0, len(rows), shard_rows)):
        records = [
            {
                "key": key,
                "source": "made up",
                "source_file": "made-up.json",
                "source_row": key,
                "messages": [{"role": role, "content": content} for role, content in row],
                "content_hash": blake2b(repr(row).encode(), digest_size=16).hexdigest(),
                "edits": [],
            }
            for key, row in enumerate(rows[first : first + shard_rows], start=first)
        ]
        table = pa.Table.from_pylist(records, TABLES["conversations"].arrow)
        ws.write("conversations", shard, table, {"fingerprint": "made up"})


def made_up(count: int, seed: int) -> list[list[tuple[str, str]]]:
    """Conversations of invented words with a Zipf law, three in ten of them a changed copy of an earlier one."""
    source = random.Random(seed)
    vocabulary = ["".join(source.choices("etaoinshrdlucmwfgypb", k=source.randint(2, 9))) for _ in range(20_000)]
    weights = np.cumsum([1 / (rank + 10) for rank in range(len(vocabulary))]).tolist()

    def text(words: int) -> list[str]:
        return source.choices(vocabulary, cum_weights=weights, k=words)

    rows: list[list[tuple[str, list[str]]]] = []
    for _ in range(count):
        if rows and source.random() < 0.3:
            rows.append(changed(source.choice(rows), source, text))
        else:
            turns = source.choice([1, 1, 2, 3])
            lengths = [(source.randint(5, 60), source.randint(30, 400)) for _ in range(turns)]
            rows.append([turn for q, a in lengths for turn in (("user", text(q)), ("assistant", text(a)))])
    return [[(role, " ".join(words)) for role, words in row] for row in rows]


def changed(row, source, text):
    """A copy: exact, with some words replaced, in another case, cut short or with a turn more."""
    kind = source.choice(["exact", "words", "words", "words", "case", "cut", "more"])
    if kind == "words":
        rate = source.uniform(0.002, 0.1)
        return [(role, [text(1)[0] if source.random() < rate else word for word in words]) for role, words in row]
    if kind == "case":
        return [(role, [word.capitalize() + "," for word in words]) for role, words in row]
    if kind == "cut":
        return [*row[:-1], (row[-1][0], row[-1][1][: int(len(row[-1][1]) * source.uniform(0.5, 1))])]
    return [*row, ("user", text(8)), ("assistant", text(40))] if kind == "more" else list(row)


def size(ws: Workspace) -> int:
    lengths = pl.col("messages").list.eval(pl.element().struct.field("content").str.len_bytes()).list.sum()
    return ws.scan("conversations").select(lengths.sum()).collect().item()


def shingle_sets(ws: Workspace) -> list[np.ndarray]:
    a, b = minhash.permutations(5)
    sets = []
    for shard in ws.shards("conversations"):
        for batch in batches(ws, shard):
            data, offsets, roles, rows = texts(batch["messages"]).arrays
            _, totals = minhash.band_keys(data, offsets, roles, rows, a, b, 5)
            sets += [
                np.unique(minhash.shingle_hashes(data, offsets, roles, rows[i], rows[i + 1], total))
                for i, total in enumerate(totals)
            ]
    return sets


def judge(ws: Workspace, threshold: float) -> tuple[set[int], set[int], int]:
    """Rows removed as near duplicates, rows that ought to be, and removals that no kept row justifies.

    Copies of a conversation are left out: they follow it.
    """
    frame = ws.scan("conversations").select("key", "content_hash", pl.col("messages")).collect()
    characters = pl.col("messages").list.eval(pl.element().struct.field("content").str.len_chars()).list.sum()
    order = frame.select(key="key", length=characters).sort(["length", "key"], descending=[True, False])["key"]
    rank = np.empty(len(order), np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    hashes = np.frombuffer(bytes.fromhex("".join(frame["content_hash"])), ">u8").astype(np.uint64).reshape(-1, 2)
    sets = shingle_sets(ws)
    first = set(np.flatnonzero(keepers(hashes, rank) == np.arange(len(rank))).tolist())
    similar = true_pairs(sets, sorted(row for row in first if len(sets[row]) >= FEWEST_SHINGLES), threshold)

    expected: set[int] = set()
    for row in np.argsort(rank).tolist():
        if any(rank[other] < rank[row] and other not in expected for other in similar.get(row, ())):
            expected.add(row)
    found = ws.scan("duplicates").filter(pl.col("removed_by").is_not_null()).collect()
    keeper = dict(zip(found["key"].to_list(), found["removed_by"].to_list(), strict=True))
    unjustified = sum(
        by in keeper
        or (minhash.jaccard(sets[row], sets[by], 0.0) < threshold and (hashes[row] != hashes[by]).any())
        for row, by in keeper.items()
    )
    near = found.filter(pl.col("kind") == "near")["key"].to_list()
    return set(near) & first, expected, unjustified


def true_pairs(sets: list[np.ndarray], rows: list[int], threshold: float) -> dict[int, list[int]]:
    """Every row's neighbours of Jaccard similarity at least `threshold`."""
    values, counts = np.unique(np.concatenate([sets[row] for row in rows]), return_counts=True)
    elements, owners = [], []
    for row in rows:
        own = sets[row]
        frequency = counts[np.searchsorted(values, own)]
        rarest = np.lexsort([own, frequency])[: len(own) - int(np.ceil(threshold * len(own) - 1e-9)) + 1]
        shared = rarest[frequency[rarest] > 1]
        elements.append(own[shared])
        owners.append(np.full(len(shared), row))
    element, owner = np.concatenate(elements), np.concatenate(owners)
    order = np.argsort(element, kind="stable")
    starts = np.flatnonzero(np.r_[True, element[order][1:] != element[order][:-1], True])
    pairs: set[tuple[int, int]] = set()
    for start, stop in pairwise(starts.tolist()):
        group = owner[order[start:stop]].tolist()
        pairs.update((left, right) for i, left in enumerate(group) for right in group[i + 1 :])
    neighbours: dict[int, list[int]] = {}
    for left, right in pairs:
        if minhash.jaccard(sets[left], sets[right], threshold) >= threshold:
            neighbours.setdefault(left, []).append(right)
            neighbours.setdefault(right, []).append(left)
    return neighbours


def datasketch_cpu(ws: Workspace, rows: int, threshold: float) -> tuple[float, float]:
    """CPU seconds that datasketch takes for a sample, text to candidates, and the sample's megabytes."""
    from datasketch import MinHash, MinHashLSH

    content = pl.col("messages").list.eval(pl.element().struct.field("content")).list.join("\n")
    everything = ws.scan("conversations").select(text=content).collect()
    sample = everything.sample(min(rows, len(everything)), seed=1)["text"].to_list()

    def run() -> None:
        lsh = MinHashLSH(threshold=threshold, num_perm=128)
        start = MinHash(128)
        for key, text in enumerate(sample):
            words = re.findall(r"\w+", text.lower())
            sketch = start.copy()
            sketch.update_batch({" ".join(words[i : i + 5]).encode() for i in range(max(1, len(words) - 4))})
            lsh.query(sketch)
            lsh.insert(key, sketch, check_duplication=False)

    cpu, _, _ = timed(run)
    return cpu, sum(len(text.encode()) for text in sample) / 1e6


if __name__ == "__main__":
    main()
