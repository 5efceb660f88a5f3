"""Connected components over verified links: a column for reports, never a reason to remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.dedup.tokens import compiled

if TYPE_CHECKING:
    from curate.dedup.tokens import Integers


@compiled
def first_rows(count: int, links: Integers) -> Integers:
    """For each row, the first of the rows that it is linked to, directly or through others.

    Union-find with path halving: Tarjan and van Leeuwen, "Worst-case analysis of set union algorithms", 1984.

    Args:
        count: How many rows there are.
        links: Pairs of rows (pairs x 2).
    """
    parents = np.arange(count)
    for i in range(links.shape[0]):
        left, right = links[i, 0], links[i, 1]
        while parents[left] != left:
            parents[left] = parents[parents[left]]
            left = parents[left]
        while parents[right] != right:
            parents[right] = parents[parents[right]]
            right = parents[right]
        parents[max(left, right)] = min(left, right)
    for row in range(count):
        parents[row] = parents[parents[row]]
    return parents
