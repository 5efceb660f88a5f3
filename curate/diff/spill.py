"""Rows of two sets sorted into buckets on disk, so that equal ones meet without either set being in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ROWS = 50_000  # per bucket and side, on average


class Spill:
    """The rows of the sides `a` and `b` in buckets by the hash of some columns.

    Args:
        folder: An empty folder.
        on: The columns.
        rows: About how many there are on the larger side.
    """

    def __init__(self, folder: Path, on: Sequence[str], rows: int) -> None:
        self.folder, self.on = folder, list(on)
        self.buckets = max(1, -(-rows // ROWS))
        self._files = 0

    def add(self, side: str, rows: pl.DataFrame) -> None:
        """Put rows into their buckets."""
        if rows.is_empty():
            return
        places = pl.struct(self.on).hash(seed=1) % self.buckets
        parts = rows.with_columns(places.alias("bucket")).partition_by("bucket", as_dict=True, include_key=False)
        for (bucket,), part in parts.items():
            place = self.folder / side / str(bucket)
            place.mkdir(parents=True, exist_ok=True)
            part.write_ipc(place / f"{self._files:08}.arrow", compression="zstd")
            self._files += 1

    def pairs(self) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
        """By bucket: pairs (columns of `b` end in `_b`), rows of `a` alone, rows of `b` alone.

        Of several equal rows the first of one side is paired with the first of the other.
        """
        for bucket in range(self.buckets):
            a, b = (self._read(side, bucket) for side in ("a", "b"))
            if a is None or b is None:
                yield pl.DataFrame(), pl.DataFrame() if a is None else a, pl.DataFrame() if b is None else b
                continue
            a, b = (one.sort("key").with_columns(nth=pl.int_range(pl.len()).over(self.on)) for one in (a, b))
            on = [*self.on, "nth"]
            both = a.join(b, on=on, how="inner", suffix="_b", maintain_order="left")
            yield (
                both.drop("nth"),
                a.join(b, on=on, how="anti", maintain_order="left").drop("nth"),
                b.join(a, on=on, how="anti", maintain_order="left").drop("nth"),
            )

    def _read(self, side: str, bucket: int) -> pl.DataFrame | None:
        files = sorted((self.folder / side / str(bucket)).glob("*.arrow"))
        return pl.concat([pl.read_ipc(file) for file in files]) if files else None
