"""Rows packed into rows of `max_length`, whole, as OpenChat's sampler packs batches: first fit, the longest first.

What is packed together must not see each other: `seq_lengths` and `position_ids`, which begin again with each, say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]


def plan(lengths: npt.NDArray[Any], most: int) -> tuple[Integers, Integers]:
    """Which rows stand together.

    Args:
        lengths: Ids of each row, none above `most`.
        most: Ids of a packed row.

    Returns:
        The rows in their new order, and how many of them each packed row has. Packed rows stand in the order of
        their first rows, so that a shuffle stays one.
    """
    space = np.zeros(len(lengths), np.int64)
    bins: list[list[int]] = []
    for row in np.argsort(-lengths.astype(np.int64), kind="stable").tolist():
        length = int(lengths[row])
        place = int(np.argmax(space[: len(bins)] >= length)) if bins else 0
        if not bins or space[place] < length:
            place = len(bins)
            bins.append([])
            space[place] = most
        bins[place].append(row)
        space[place] -= length
    bins = sorted(sorted(rows) for rows in bins)
    order = np.array([row for rows in bins for row in rows], np.int64)
    return order, np.array([len(rows) for rows in bins], np.int64)


def grouped(values: npt.NDArray[Any], sizes: Integers) -> npt.NDArray[Any]:
    """The sums of `values` over groups of `sizes`, none of them empty."""
    sums: npt.NDArray[Any] = np.add.reduceat(values, np.cumsum(sizes) - sizes) if len(sizes) else values[:0]
    return sums
