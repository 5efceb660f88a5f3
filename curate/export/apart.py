"""Rows of the validation split, set apart on disk while those of the training split are written."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.export.folder import SPILL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from curate.export.job import Job

NAME = "validation"


@dataclass(frozen=True)
class Apart:
    """What is held out.

    Attributes:
        spill: Folder for the rows; the caller removes it.
        keys: The conversations; None = there is no split.
    """

    spill: Path
    keys: npt.NDArray[np.uint64] | None

    def train(self, rows: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The rows that are not held out."""
        if self.keys is None:
            yield from rows
            return
        self.spill.mkdir(parents=True)
        keys = pl.Series(self.keys, dtype=pl.UInt64)
        for number, shard in enumerate(rows):
            out = pl.col("key").is_in(keys.implode())
            shard.filter(out).write_ipc(self.spill / f"{number:06}.arrow", compression="lz4")
            yield shard.filter(~out)

    def write(self, writer: Any, job: Job) -> None:
        """The rows that are, as an export of its own in the folder `validation`."""
        if self.keys is None:
            return
        rows = (pl.read_ipc(path) for path in sorted(self.spill.glob("*.arrow")))
        facts = {**job.facts, "name": NAME}
        inner = replace(job, folder=job.folder / NAME, name=NAME, rows=rows, facts=facts, drawn={}, packed=Counter())
        (inner.folder / SPILL).mkdir(parents=True)
        writer.write(inner)
        shutil.rmtree(inner.folder / SPILL)
