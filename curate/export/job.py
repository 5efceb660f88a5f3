"""What a format is given: decided rows, shuffled, and a folder to fill."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError
from curate.export import pack, shuffle
from curate.export.emulate import Drawn
from curate.export.folder import SPILL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import polars as pl
    import pyarrow as pa

    from curate.export.chat import ChatTemplate
    from curate.export.shuffle import Part, Stored
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
        emulate: How rows are drawn by weight (`emulate.EMULATIONS`); they have a column `draw` then.
        drawn: Rows of each epoch, filled as they are drawn.
        pack: Whether several rows become one; the format asks `bins` which.
        packed: Packed `rows` and the `tokens` in them, of all epochs.
    """

    folder: Path
    name: str
    rows: Iterable[pl.DataFrame]
    template: Template | ChatTemplate
    encoder: Encoder | None
    epochs: int
    seed: int
    facts: dict[str, Any]
    emulate: str | None = None
    drawn: dict[int, int] = field(default_factory=dict)
    pack: bool = False
    packed: Counter[str] = field(default_factory=Counter)

    def bins(self, lengths: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """As `pack.plan`, counted."""
        assert self.encoder
        order, sizes = pack.plan(lengths, self.encoder.max_length)
        self.packed.update(rows=len(sizes), tokens=int(lengths.sum()))
        return order, sizes

    def store(self, convert: Callable[[pl.DataFrame], pa.Table]) -> Stored | Drawn:
        """The rows, converted, on disk, for `shuffled`.

        Args:
            convert: From rows to a table of one schema, row for row, that still has their column `order`.
        """
        total = heaviest = 0.0

        def converted() -> Iterator[pa.Table]:
            nonlocal total, heaviest
            for rows in self.rows:
                table = convert(rows)
                if self.emulate:
                    draws = rows["draw"].to_numpy()
                    total += float(draws.sum(dtype=float))
                    heaviest = max(heaviest, float(draws.max(initial=0)))
                    table = table.append_column("draw", rows["draw"].to_arrow())
                yield table

        stored = shuffle.store(converted(), self.folder / SPILL / "rows")
        return Drawn(stored, self.emulate, total, heaviest) if self.emulate else stored

    def shuffled(self, stored: Stored | Drawn, epoch: int = 0) -> Iterator[Part]:
        """The stored rows in a seeded global order, in `stored.parts` parts; another epoch, another order and draw.

        Raises:
            CurateError: Not one row was drawn.
        """
        seed = self.seed + epoch
        if isinstance(stored, Drawn):
            stored = replace(stored, seed=seed)
        rows = 0
        for part in shuffle.shuffled(stored, seed=seed, folder=self.folder / SPILL / f"epoch-{epoch}"):
            rows += part.rows
            yield part
        if isinstance(stored, Drawn):
            self.drawn[epoch] = rows
            if not rows:
                what = f"of rows that weigh {stored.total:.3g} together, none was drawn in epoch {epoch}"
                raise CurateError(what, hint="give weights nearer to 1, or another --seed")
