"""What a format is given: decided rows, shuffled, and a folder to fill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.export import shuffle
from curate.export.folder import SPILL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import polars as pl
    import pyarrow as pa

    from curate.export.shuffle import Stored
    from curate.export.templates import Template
    from curate.export.tokenise import Encoder


@dataclass(frozen=True)
class Job:
    """One export.

    Attributes:
        folder: Where files go; it becomes the export when `write` returns.
        name: Split and file prefix.
        rows: The decided rows, shard by shard, to be read once (see `mix.Mixed.rows`).
        template: How conversations become text.
        encoder: Set when rows carry `input_ids` and `loss_weights`.
        epochs: Files of different order to write, where the format has one per epoch.
        seed: Of the shuffle.
        facts: What the manifest will say of options and policy.
    """

    folder: Path
    name: str
    rows: Iterable[pl.DataFrame]
    template: Template
    encoder: Encoder | None
    epochs: int
    seed: int
    facts: dict[str, Any]

    def store(self, convert: Callable[[pl.DataFrame], pa.Table]) -> Stored:
        """The rows, converted, on disk, for `shuffled`.

        Args:
            convert: From rows to a table of one schema that still has their column `order`.
        """
        return shuffle.store((convert(rows) for rows in self.rows), self.folder / SPILL / "rows")

    def shuffled(self, stored: Stored, epoch: int = 0) -> Iterator[pa.Table]:
        """The stored rows in a seeded global order, as `stored.parts` tables; another epoch, another order."""
        return shuffle.shuffled(stored, seed=self.seed + epoch, folder=self.folder / SPILL / f"epoch-{epoch}")
