"""Parquet shards of any schema in `data/`, which holds nothing else: some loaders fail on any other file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import polars as pl

    from curate.export.job import Job

ROW_GROUP = 1000


def write(
    job: Job,
    schema: pa.Schema,
    convert: Callable[[pl.DataFrame], pa.Table],
    finish: Callable[[pa.Table], pa.Table] = lambda table: table,
) -> None:
    """Write the rows.

    Args:
        job: The export.
        schema: Of the shards.
        convert: From rows to a table of that schema with the column `order` beside it.
        finish: What can be done only when all rows were seen; called with one part at a time.
    """
    stamped = schema.with_metadata({"curate": json.dumps(job.facts, sort_keys=True, allow_nan=False)})
    data = job.folder / "data"
    data.mkdir()
    stored = job.store(convert)
    for number, part in enumerate(job.shuffled(stored)):
        path = data / f"{job.name}-{number:05}-of-{stored.parts:05}.parquet"
        put(path, stamped, map(finish, _groups(part.take())))


def put(path: Path, schema: pa.Schema, groups: Iterable[pa.Table]) -> None:
    """Write a shard, a row group at a time; when it is written nothing here holds its rows any more."""
    options = {"compression": "zstd", "compression_level": 3, "write_page_index": True}
    with pq.ParquetWriter(path, schema, **options) as writer:
        for rows in groups:
            writer.write_table(rows.select(schema.names).cast(schema))


def _groups(table: pa.Table) -> Iterator[pa.Table]:
    return (table.slice(begin, ROW_GROUP) for begin in range(0, table.num_rows, ROW_GROUP))


def required(name: str, type_: pa.DataType) -> pa.Field:
    """A field without nulls."""
    return pa.field(name, type_, nullable=False)


def list_of(**fields: pa.DataType) -> pa.DataType:
    """A list of structs without nulls."""
    item = pa.struct([required(name, type_) for name, type_ in fields.items()])
    return pa.list_(pa.field("item", item, nullable=False))
