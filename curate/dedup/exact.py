"""Exact duplicates: conversations whose canonical messages hash alike. Ids are never looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.dedup.tokens import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.dedup.tokens import Hashes, Integers


def keepers(hashes: NDArray[np.uint64], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row, the best row with equal content: itself where there is no better one.

    Args:
        hashes: Content hashes (rows x 2).
        rank: Place among those that deserve to stay; 0 = first.
    """
    keeper: NDArray[np.int64] = _keepers(np.lexsort([rank, hashes[:, 1], hashes[:, 0]]), hashes)
    return keeper


@compiled
def _keepers(order: Integers, hashes: Hashes) -> Integers:
    """The first row of each run of equal hashes, for all rows of that run."""
    keeper, best = np.empty(order.size, np.int64), np.int64(-1)
    for i in range(order.size):
        row = order[i]
        if best < 0 or hashes[row, 0] != hashes[best, 0] or hashes[row, 1] != hashes[best, 1]:
            best = row
        keeper[row] = best
    return keeper
