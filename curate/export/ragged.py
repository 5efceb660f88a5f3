"""Lists of numbers as one flat array and lengths: how token columns are computed without loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt

    Flat = npt.NDArray[Any]


def lists(flat: Flat, lengths: Flat, item: pa.DataType) -> pl.Series:
    """A list column from its flat values."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pl.Series(pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(flat, item)))


def regrouped(structs: pl.DataFrame, lengths: Flat) -> pl.Series:
    """A list column from the fields of its flat structs."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    return pl.Series(pa.LargeListArray.from_arrays(offsets, structs.to_struct().to_arrow()))


def flat(column: pl.Series) -> Flat:
    """The flat values of a list column."""
    return column.explode(empty_as_null=False, keep_nulls=False).to_numpy()


def shifted_left(values: Flat, lengths: Flat) -> Flat:
    """Each list moved left by one place, with 0 at its end; lists are not empty."""
    moved = np.roll(values, -1)
    moved[np.cumsum(lengths) - 1] = 0
    return moved


def positions(lengths: Flat) -> Flat:
    """0, 1, 2 … within each list."""
    starts = np.cumsum(lengths) - lengths
    within: Flat = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    return within


def stretches(sizes: Flat, most: int) -> list[tuple[int, int]]:
    """Begin and end of stretches of at most `most` together, or of one that is more."""
    ends = np.cumsum(sizes)
    found, begin = [], 0
    while begin < len(sizes):
        before = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + most, side="right")))
        found.append((begin, end))
        begin = end
    return found
