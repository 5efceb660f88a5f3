"""`verl`: Parquet with a weight per message, and the data set that puts it into verl's float `loss_mask`.

The condition is the system message. verl renders each message alone, so a template that changes a message by its place
does not suit it. Its FSDP engine divides by the sum of the mask, Σ w; its Megatron engine was not tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from curate.export import recipe, shards
from curate.export.placement import in_system

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = False
PACKS = "verl packs every micro-batch by itself: `data.max_token_len_per_gpu`"
TEXT_ONLY = True
ROLES = r"^(system )?user assistant( user assistant)*$"

SCHEMA = pa.schema(
    [
        shards.required("id", pa.string()),
        shards.required("messages", shards.list_of(role=pa.string(), content=pa.string(), weight=pa.float32())),
        shards.required("condition", pa.string()),
    ]
)


def write(job: Job) -> None:
    """Write shards, data set and command."""
    shards.write(job, SCHEMA, _rows)
    recipe.write(job, "verl/curate_verl.py", "verl/train.sh")


def _rows(rows: pl.DataFrame) -> pa.Table:
    messages = [in_system(*row) for row in rows.select("messages", "condition").iter_rows()]
    columns = {"order": rows["order"].to_arrow(), "id": rows["id"].to_list(), "messages": messages}
    columns |= {"condition": rows["condition"].to_list()}
    return pa.table(columns, schema=pa.schema([("order", pa.uint64()), *SCHEMA]))
