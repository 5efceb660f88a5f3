"""From what was found to the table `duplicates`: one row per conversation, kept or removed by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.dedup.clusters import smallest_keys
from curate.schema import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.dedup.near import Near

KEPT, EXACT, NEAR = 0, 1, 2


@dataclass(frozen=True)
class Verdicts:
    """Per row of the corpus.

    Attributes:
        keys: The conversation.
        kinds: `KEPT`, `EXACT` or `NEAR`.
        removed_by: Row of the kept conversation; means nothing where the row is kept.
        similarities: To that conversation; means nothing where the row is kept.
        clusters: Smallest key of the linked conversations.
    """

    keys: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    removed_by: NDArray[np.int64]
    similarities: NDArray[np.float32]
    clusters: NDArray[np.uint64]

    def count(self, kind: int) -> int:
        """How many rows are of a kind."""
        return int((self.kinds == kind).sum())

    def table(self, first: int, end: int) -> pa.Table:
        """The rows of one shard, with the schema of `duplicates`."""
        rows = slice(first, end)
        kept = self.kinds[rows] == KEPT
        names = pa.DictionaryArray.from_arrays(self.kinds[rows].astype(np.int8), pa.array([None, "exact", "near"]))
        return pa.Table.from_arrays(
            [
                pa.array(self.keys[rows]),
                pa.array(self.keys[self.removed_by[rows]], mask=kept),
                names.cast(pa.string()),
                pa.array(self.similarities[rows], mask=kept),
                pa.array(self.clusters[rows]),
            ],
            schema=TABLES["duplicates"].arrow,
        )


def decide(keys: NDArray[np.uint64], keeper: NDArray[np.int64], near: Near) -> Verdicts:
    """One verdict per row.

    A copy follows its best copy: where that one goes for a third conversation, so does the copy,
    with the same similarity, as a near duplicate. `removed_by` is always a kept row.

    Args:
        keys: The conversations.
        keeper: For each row, the best row with equal content.
        near: Removals among those best rows.
    """
    rows = np.arange(len(keys))
    kinds = np.where(keeper != rows, EXACT, KEPT).astype(np.uint8)
    removed_by, similarities = keeper.copy(), np.ones(len(keys), np.float32)
    for row in np.flatnonzero(np.isin(keeper, list(near.removed))).tolist():
        removal = near.removed[int(keeper[row])]
        kinds[row], removed_by[row], similarities[row] = NEAR, removal.by, removal.similarity
    copies = np.flatnonzero(keeper != rows)
    links = [*zip(copies.tolist(), keeper[copies].tolist(), strict=True), *near.links]
    return Verdicts(keys, kinds, removed_by, similarities, smallest_keys(keys, links))
