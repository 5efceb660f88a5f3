"""Connected components over verified links: a column for reports, never a reason to remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray


def smallest_keys(keys: NDArray[np.uint64], links: Iterable[tuple[int, int]]) -> NDArray[np.uint64]:
    """For each row, the smallest key of the rows that it is linked to, directly or through others.

    Args:
        keys: One per row.
        links: Pairs of rows.
    """
    parent: dict[int, int] = {}

    def root(row: int) -> int:
        while (above := parent.get(row, row)) != row:
            parent[row] = parent.get(above, above)
            row = above
        return row

    for left, right in links:
        # The row with the smaller key becomes the root.
        low, high = sorted((root(left), root(right)), key=lambda row: int(keys[row]))
        parent[high] = parent.setdefault(low, low)
    smallest = keys.copy()
    for row in list(parent):
        smallest[row] = keys[root(row)]
    return smallest
