"""`together-parquet`: token ids in the three columns that Together reads, and no other; it carries no weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from curate.export.formats import crlft

if TYPE_CHECKING:
    import polars as pl

    from curate.export.job import Job

NEEDS_TOKENIZER = True
EPOCHS = True
WEIGHTS = "none"

SCHEMA = pa.schema([(name, crlft.TOKENS.field(name).type) for name in ("input_ids", "attention_mask", "labels")])


def write(job: Job) -> None:
    """Write `NAME.parquet`, with several epochs `NAME.<epoch>.parquet`, each another draw."""
    stored = job.store(_rows)
    for epoch in range(job.epochs):
        file = f"{job.name}.parquet" if job.epochs == 1 else f"{job.name}.{epoch}.parquet"
        with pq.ParquetWriter(job.folder / file, SCHEMA, compression="zstd") as writer:
            for part in job.shuffled(stored, epoch):
                writer.write_table(part.take().select(SCHEMA.names).cast(SCHEMA), row_group_size=crlft.ROW_GROUP)


def _rows(rows: pl.DataFrame) -> pa.Table:
    return crlft.as_arrow(crlft.as_tokens(rows).select("order", *SCHEMA.names))
