"""Exact duplicates: conversations whose canonical messages hash alike. Ids are never looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def keepers(hashes: NDArray[np.uint64], rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each row, the best row with equal content: itself where there is no better one.

    Args:
        hashes: Content hashes (rows x 2).
        rank: Place among those that deserve to stay; 0 = first.
    """
    order = np.lexsort([rank, hashes[:, 1], hashes[:, 0]])
    new = np.ones(len(order), np.bool_)
    new[1:] = (hashes[order[1:]] != hashes[order[:-1]]).any(axis=1)
    best = order[new]
    keeper = np.empty(len(order), np.int64)
    keeper[order] = best[np.cumsum(new) - 1]
    return keeper
