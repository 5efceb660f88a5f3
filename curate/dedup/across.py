"""The search of `curate dedup` over the machines of a cluster.

Whom a text goes for is decided among the texts that share a hash, a band or a beginning with it, directly or through
others. So every shard lists these links of its texts, Daft finds who shares one (the exchange between all shards),
a union-find here makes groups of them, Daft brings the texts of a group together, and each group is compared by the
function that compares a whole workspace on one machine. Texts of no group stay.
"""

from __future__ import annotations

import shutil
from collections import Counter
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate.dedup import DedupResult, by_hand, near, policy, prefix
from curate.dedup.clusters import first_rows
from curate.dedup.corpus import load
from curate.dedup.exchange import Exchange, put
from curate.dedup.group import SIGNED, compare_group, verdicts_of
from curate.dedup.lsh import bands
from curate.dedup.minhash import shingles_of
from curate.dedup.search import FEWEST_TOKENS, goes_anyway
from curate.dedup.signing import TABLE_OF

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from curate.console import Talk
    from curate.dedup import Options
    from curate.dedup.corpus import Corpus
    from curate.dedup.policy import Policy
    from curate.workspace import Workspace

FOLDER = ".dedup"
# Texts that a worker compares at a time; those of one group are never parted.
PART_TEXTS = 50_000
# Counts that add up over groups.
SUMS = ("exact", "prefix", "near", "copies", "clusters", "candidates", "verified", "limited")


def search(
    ws: Workspace, options: Options, keep: Policy, table: str, stamps: dict[int, dict[str, Any]], talk: Talk
) -> DedupResult:
    """Decide about every text, and write the table.

    Args:
        ws: The workspace, with signatures for the unit, on storage that all machines have under one path.
        options: What a duplicate is.
        keep: Which copy stays.
        table: `duplicates` or `repeats`.
        stamps: Of the table's shards.
        talk: Where progress is shown.
    """
    spill = ws.path.resolve() / FOLDER
    shutil.rmtree(spill, ignore_errors=True)
    try:
        return _search(ws, options, keep, table, stamps, talk, spill)
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _search(
    ws: Workspace,
    options: Options,
    keep: Policy,
    table: str,
    stamps: dict[int, dict[str, Any]],
    talk: Talk,
    spill: Path,
) -> DedupResult:
    signatures, shards = TABLE_OF[options.unit], ws.shards("conversations")
    shape = bands(options.threshold, options.num_perm, ws.rows(signatures))
    sizes = [pq.read_metadata(ws.shard(signatures, index)).num_rows for index in shards]
    firsts = dict(zip(shards, np.cumsum([0, *sizes]).tolist(), strict=False))

    def tell(index: int) -> Counter[str]:
        return _tell(ws, options, keep, spill, index, firsts[index], shape)

    counted: Counter[str] = Counter()
    with talk.progress("links", len(shards), "shards") as advance:
        for found in ws.engine.map(tell, shards):
            counted += found
            advance(1)
    exchange = Exchange(ws, spill)
    parts, count = grouped(exchange.edges() if shards else pa.table({"text": [], "first": []}))
    together = exchange.gather(parts, count) if count else []

    def compare(part: int) -> DedupResult:
        return compare_group(*together[part], spill / "verdicts" / f"part-{part:05}.parquet", options, keep, shape)

    sums: dict[str, Any] = dict.fromkeys(SUMS, 0)
    with talk.progress("comparing", count, "groups") as advance:
        for result in ws.engine.map(compare, range(count)):
            sums = {name: total + getattr(result, name) for name, total in sums.items()}
            advance(1)
    decided = exchange.scatter(len(shards)) if count else {}

    def write(index: int) -> None:
        rows = verdicts_of(spill / "texts" / f"part-{index:05}.parquet", firsts[index], decided.get(index, []))
        made = rows.repeats if table == "repeats" else rows.duplicates
        ws.write(table, index, made(0, len(rows.turns)), stamps[index])

    for _ in ws.engine.map(write, shards):
        pass
    ws.sweep(table)
    texts = counted["texts"] - counted["gone"]
    kept = texts - sums["exact"] - sums["prefix"] - sums["near"]
    return DedupResult(options.unit, texts, kept, semantic=0, against=0, restored=counted["restored"], **sums)


def _tell(
    ws: Workspace, options: Options, keep: Policy, spill: Path, index: int, first: int, shape: tuple[int, int]
) -> Counter[str]:
    """Write down what is known of the texts of a shard, and their links; how many there are."""
    path, name = ws.shard(TABLE_OF[options.unit], index), f"part-{index:05}.parquet"
    with TemporaryFile() as file:
        corpus = load([(index, path)], file, shape)
        criteria = policy.criteria(ws, keep, corpus, options.by_reward)
        gone, stays = goes_anyway(ws, options, corpus), by_hand.rows(ws, corpus)
        places = np.arange(first, first + len(corpus.keys), dtype=np.uint64)
        known = {
            "text": places,
            "shard": np.full(len(places), index, np.uint32),
            "gone": gone,
            "stays": stays,
            **{f"by_{name}": values.astype(np.float64) for name, values in criteria.items()},
            "by_age": places.astype(np.float64),
        }
        texts = pq.read_table(path, columns=SIGNED)
        for column, values in known.items():
            texts = texts.append_column(column, pa.array(values))
        put(texts, spill / "texts" / name)
        out = gone | (corpus.tokens < FEWEST_TOKENS[options.unit])
        put(links(corpus, places, out), spill / "links" / name)
    return Counter(texts=len(places), gone=int(gone.sum()), restored=int(stays.sum()))


def links(corpus: Corpus, places: NDArray[np.uint64], out: NDArray[np.bool_]) -> pa.Table:
    """What the texts of a shard may share with others: `link`, `text`, and `wanted`.

    Two texts are linked when they have the same link and one of them wants it. A beginning is wanted by the text that
    it is all of, or all but the last message of: that two texts go on from it links them with nobody.

    Args:
        corpus: The texts.
        places: Their numbers in the whole workspace.
        out: Those that have no links.
    """
    rows = np.flatnonzero(~out)
    found = [(corpus.hashes()[rows, 0], rows, True)]
    rows = rows[shingles_of(corpus.tokens[rows]) >= near.FEWEST_SHINGLES]
    found += [(keys[rows], rows, True) for keys in corpus.band_keys()]
    found += [(digests, owners, wanted) for digests, owners, wanted in prefix.beginnings(corpus, rows)]
    return pa.table(
        {
            "link": np.concatenate([link for link, _, _ in found]),
            "text": places[np.concatenate([owners for _, owners, _ in found])],
            "wanted": np.concatenate([np.full(len(link), wanted, np.int8) for link, _, wanted in found]),
        }
    )


def grouped(edges: pa.Table) -> tuple[pa.Table, int]:
    """The part that each linked text is compared in, as `text` and `part`; and how many parts there are.

    Args:
        edges: Pairs of texts, `text` and `first`.
    """
    pairs = np.c_[edges["text"].to_numpy(), edges["first"].to_numpy()].astype(np.uint64)
    texts, places = np.unique(pairs, return_inverse=True)
    firsts = first_rows(len(texts), places.reshape(-1, 2))
    _, groups, sizes = np.unique(firsts, return_inverse=True, return_counts=True)
    numbers, parts = np.unique((np.cumsum(sizes) - sizes) // PART_TEXTS, return_inverse=True)
    return pa.table({"text": texts, "part": parts[groups].astype(np.uint32)}), len(numbers)
