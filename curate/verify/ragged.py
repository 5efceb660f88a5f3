"""List columns of a record batch as flat values and lengths, whatever kind of Arrow list they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Ragged:
    """Lists: `values` one behind the other, and how many belong to each row."""

    values: Numbers
    lengths: npt.NDArray[np.int64]

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The row of each value."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def ends(self) -> npt.NDArray[np.int64]:
        """Where each list ends in `values`."""
        ends: npt.NDArray[np.int64] = np.cumsum(self.lengths)
        return ends

    def sums(self) -> npt.NDArray[np.float64]:
        """The sum of each list, added in order of the values as float64."""
        weights = self.values.astype(np.float64)
        return np.bincount(self.rows, weights, minlength=len(self.lengths)).astype(np.float64)

    def any(self, where: Numbers) -> npt.NDArray[np.bool_]:
        """The rows that have a value where `where` is true."""
        found = np.zeros(len(self.lengths), bool)
        found[self.rows[where]] = True
        return found


def is_list(type_: pa.DataType) -> bool:
    """Whether a column holds lists."""
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def ragged(column: pa.Array) -> Ragged:
    """A list column without nulls."""
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    return Ragged(pc.list_flatten(column).to_numpy(zero_copy_only=False), lengths)


def has_null(column: pa.Array) -> npt.NDArray[np.bool_]:
    """The rows that are null or hold one."""
    found: npt.NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False).copy()
    if is_list(column.type):
        inner = pc.list_flatten(column)
        if inner.null_count:
            parents = pc.list_parent_indices(column).to_numpy()
            found[parents[inner.is_null().to_numpy(zero_copy_only=False)]] = True
    return found
