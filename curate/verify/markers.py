"""BOS and end of turn: the ids that nearly all rows begin and all responses end with, and the rows that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from curate.verify.findings import Findings

    Ids = npt.NDArray[np.int64]

# Share of the places that an id must hold to be taken for the marker where no tokenizer says so.
USUAL = 0.9
# Different ids that are remembered; beyond, there is no marker anyway.
_MOST = 4096


class Markers:
    """Counts, file by file, of the ids at one kind of place.

    Args:
        code: Finding for a place with another id.
        known: The right id, where a tokenizer has said so.
    """

    def __init__(self, code: str, known: int | None = None) -> None:
        self._code = code
        self._known = known
        self._counts: dict[int, int] = {}
        self._places: dict[tuple[int, str], tuple[int, int]] = {}

    def add(self, file: str, ids: Ids, rows: Ids) -> None:
        """Note the id at each place, and its row."""
        found, first, counts = np.unique(ids, return_index=True, return_counts=True)
        for id_, at, count in zip(found.tolist(), first.tolist(), counts.tolist(), strict=True):
            self._counts[id_] = self._counts.get(id_, 0) + count
            row, before = self._places.get((id_, file), (int(rows[at]), 0))
            if before or len(self._places) < _MOST:
                self._places[id_, file] = (row, before + count)

    @property
    def marker(self) -> int | None:
        """The id; None where there is no usual one."""
        if self._known is not None or not self._counts:
            return self._known
        id_, count = max(self._counts.items(), key=lambda item: item[1])
        return id_ if count >= USUAL * sum(self._counts.values()) else None

    def report(self, findings: Findings) -> None:
        """Note every place with another id."""
        if (marker := self.marker) is None:
            return
        for (id_, file), (row, count) in self._places.items():
            if id_ != marker:
                findings.add(self._code, file, row=row, count=count, detail=f"id {id_} instead of {marker}")
