"""A global shuffle of any number of rows in the memory of one part, through files on disk."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.export.ahead import ahead
from curate.export.hashing import shuffle_hash
from curate.memory import give_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from curate.export.emulate import Drawn

# What a part may take in memory, as Arrow; on disk it is about a third.
PART_BYTES = 48 << 20
# Rows a part has at least on average, so that the hash leaves none empty: `datasets` fails on an empty shard.
_PART_ROWS = 64

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True)
class Stored:
    """Tables of one schema on disk, to be read more than once."""

    paths: tuple[Path, ...]
    rows: int
    nbytes: int

    @property
    def parts(self) -> int:
        """How many parts keep each under `PART_BYTES`; from 8 on a multiple of 8, to split over ranks."""
        parts = max(1, -(-self.nbytes // PART_BYTES))
        most = max(1, self.rows // _PART_ROWS)
        rounded = parts if parts < 8 else -(-parts // 8) * 8
        return rounded if rounded <= most else most if most < 8 else most // 8 * 8

    def __iter__(self) -> Iterator[pa.Table]:
        for path in self.paths:
            with pa.ipc.open_file(path) as reader:
                yield reader.read_all()


def store(tables: Iterable[pa.Table], folder: Path) -> Stored:
    """Put tables into files in `folder`, which is made here and removed by the caller."""
    folder.mkdir(parents=True)
    paths: list[Path] = []
    rows = nbytes = 0
    for table in tables:
        paths.append(folder / f"{len(paths):06}.arrow")
        with pa.ipc.new_file(paths[-1], table.schema, options=_OPTIONS) as writer:
            writer.write_table(table)
        rows += table.num_rows
        nbytes += table.nbytes
        del table
        give_back()
    return Stored(tuple(paths), rows, nbytes)


class Part:
    """One part of a shuffle, which leaves with whoever takes it: the next is made meanwhile, so no third may stay.

    Attributes:
        rows: How many it has.
    """

    def __init__(self, table: pa.Table) -> None:
        self.rows = table.num_rows
        self._tables = [table]

    def take(self) -> pa.Table:
        """The rows; once."""
        return self._tables.pop()


def shuffled(stored: Stored | Drawn, *, seed: int, folder: Path) -> Iterator[Part]:
    """The rows in the order of a seeded hash of their column `order`, in `stored.parts` parts.

    Args:
        stored: Tables with a uint64 column `order`, which is not handed on.
        seed: Another seed, another order.
        folder: Made here, for files that the caller removes.
    """
    folder.mkdir(parents=True)
    parts = stored.parts

    def parted(numbered: tuple[int, pa.Table]) -> Path:
        number, table = numbered
        path = folder / f"{number:06}.arrow"
        rank = shuffle_hash(table["order"].to_numpy(), seed)
        part = (rank % np.uint64(parts)).astype(np.int64)
        ranked = table.drop_columns("order").append_column("order", pa.array(rank))
        ordered = ranked.take(np.argsort(part, kind="stable"))
        ends = np.cumsum([0, *np.bincount(part, minlength=parts)])
        with pa.ipc.new_file(path, ordered.schema, options=_OPTIONS) as writer:
            for begin, end in pairwise(ends.tolist()):
                writer.write_batch(_one_batch(ordered.slice(begin, end - begin)))
        give_back()
        return path

    def whole(number: int) -> Part:
        give_back()
        return _ordered([_batch(path, number) for path in paths])

    paths = list(ahead(parted, enumerate(stored)))
    yield from ahead(whole, range(parts), 1)


def _ordered(batches: list[pa.RecordBatch]) -> Part:
    """All rows by their column `order`, without it: one column after the other, so that there is no second copy."""
    names = batches[0].schema.names
    columns = {name: [batch.column(name) for batch in batches] for name in names}
    batches.clear()
    order = pa.array(np.argsort(pa.concat_arrays(columns.pop("order")).to_numpy(), kind="stable"))
    return Part(pa.table({name: pa.concat_arrays(columns.pop(name)).take(order) for name in names if name != "order"}))


def _batch(path: Path, number: int) -> pa.RecordBatch:
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
        return reader.get_batch(number)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
