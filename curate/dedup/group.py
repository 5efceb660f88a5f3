"""One group of linked texts, compared as a small workspace of its own; and verdicts back in their shards."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.console import Talk
from curate.dedup.corpus import load
from curate.dedup.exchange import put
from curate.dedup.kinds import KEPT
from curate.dedup.policy import best_first
from curate.dedup.search import Standing, compared, ranks
from curate.dedup.verdicts import Verdicts
from curate.schema import TABLES
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from curate.dedup import DedupResult, Options
    from curate.dedup.policy import Policy

SIGNED = TABLES["signatures"].arrow.names


def compare_group(
    texts: Sequence[str], talks: Sequence[str], verdicts: Path, options: Options, keep: Policy, shape: tuple[int, int]
) -> DedupResult:
    """Decide about the texts of a part, and write down what is more than that a text stays alone.

    Args:
        texts: Files with the texts: the columns of `signatures`, and what is known of them.
        talks: Files with their conversations.
        verdicts: The file to write.
        options: What a duplicate is.
        keep: Which copy stays.
        shape: Number of bands, and signature values in each.
    """
    known = _read(texts, "text")
    # On this machine's own disk.
    with TemporaryDirectory() as folder:
        ws = Workspace(folder, create=True)
        signatures = ws.path / "signatures.parquet"
        ws.shard("conversations", 0).parent.mkdir()
        # Without Arrow's schema they come back with the types of any workspace, however large they are here.
        pq.write_table(known.select(SIGNED), signatures, store_schema=False)
        pq.write_table(_read(talks, "key"), ws.shard("conversations", 0), store_schema=False, row_group_size=4096)
        criteria = {name[3:]: known[name].to_numpy() for name in known.column_names if name.startswith("by_")}
        own, gone, stays = (known[name].to_numpy().astype(np.bool_) for name in ("own", "gone", "stays"))
        with (ws.path / "bands").open("wb+") as file:
            corpus = load([(0, signatures)], file, shape)
            standing = Standing(ranks(best_first(keep, criteria), gone | ~own), gone | ~own, stays)
            found = compared(ws, options, corpus, standing, (), shape[1], Talk(quiet=True))
    said = found.verdicts
    rows = np.flatnonzero(own & ((said.kinds != KEPT) | (said.clusters != np.arange(len(said.keys)))))
    decided = pa.table(
        {
            "text": known["text"].to_numpy()[rows],
            "shard": known["shard"].to_numpy()[rows],
            "kind": said.kinds[rows],
            "by_key": said.by_keys[rows],
            "by_turn": said.by_turns[rows],
            "similarity": said.similarities[rows],
            "cluster": said.keys[said.clusters[rows]],
        }
    )
    put(decided, verdicts)
    return found.result


def _read(paths: Sequence[str], order: str) -> pa.Table:
    table = pa.concat_tables([pq.read_table(path, partitioning=None) for path in paths])
    return table.take(pc.sort_indices(table[order]))


def verdicts_of(texts: Path, first: int, decided: Sequence[str]) -> Verdicts:
    """The verdicts of a shard.

    Args:
        texts: Its texts.
        first: The number of the first of them in the workspace.
        decided: Files with those of its texts that do not stay alone.
    """
    known = pq.read_table(texts, columns=["key", "turn"])
    keys, size = known["key"].to_numpy(), len(known)
    empty: NDArray[np.uint64] = np.empty(0, np.uint64)
    said = {name: empty for name in ("text", "kind", "by_key", "by_turn", "similarity", "cluster")}
    if decided:
        rows = _read(decided, "text")
        said = {name: rows[name].to_numpy() for name in said}
    at = (said["text"] - np.uint64(first)).astype(np.int64)
    found = Verdicts(
        # Clusters are places in `keys`: those of the firsts of clusters, which may be of another shard, come last.
        keys=np.r_[keys, said["cluster"].astype(np.uint64)],
        turns=known["turn"].fill_null(-1).to_numpy(),
        kinds=np.full(size, KEPT, np.uint8),
        by_keys=np.zeros(size, np.uint64),
        by_turns=np.full(size, -1, np.int32),
        similarities=np.ones(size, np.float32),
        clusters=np.arange(size),
        sets=np.full(size, -1, np.int16),
        names=(),
        similar_to=np.zeros(size, np.uint64),
        similar_turns=np.full(size, -1, np.int32),
        cosines=np.full(size, np.nan, np.float32),
    )
    found.kinds[at], found.similarities[at] = said["kind"], said["similarity"]
    found.by_keys[at], found.by_turns[at] = said["by_key"], said["by_turn"]
    found.clusters[at] = size + np.arange(len(at))
    return found
