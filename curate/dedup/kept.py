"""What stays of a workspace, as its tables say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.dedup.corpus import Corpus
    from curate.workspace import Workspace


def kept_rows(ws: Workspace, unit: str, corpus: Corpus) -> NDArray[np.int64]:
    """The texts that the last `curate dedup` kept; before it ran, all of them.

    Args:
        ws: The workspace.
        unit: One of `texts.UNITS`.
        corpus: Its texts.
    """
    kept = in_kept_conversations(ws, corpus)
    if unit == "responses":
        kept &= ~_in_table(ws, corpus, "repeats", ["key", "turn"])
    return np.flatnonzero(kept)


def in_kept_conversations(ws: Workspace, corpus: Corpus) -> NDArray[np.bool_]:
    """Whether the conversation of each text was kept, or not looked at yet."""
    return ~_in_table(ws, corpus, "duplicates", ["key"])


def _in_table(ws: Workspace, corpus: Corpus, table: str, on: list[str]) -> NDArray[np.bool_]:
    """Whether a table says that something has each text."""
    ws.require_one_run(table)
    found = [np.zeros(end - first, np.bool_) for _, first, end in corpus.shards]
    for place, (index, first, end) in enumerate(corpus.shards):
        if ws.shard(table, index).exists():
            rows = pl.DataFrame({"key": corpus.keys[first:end], "turn": corpus.turns[first:end]})
            removed = ws.read(table, index).drop_nulls("kind").select(on).with_columns(gone=pl.lit(True))
            rows = rows.join(removed, on=on, how="left", maintain_order="left")
            found[place] = rows["gone"].fill_null(False).to_numpy()
    return np.concatenate([np.empty(0, np.bool_), *found])
