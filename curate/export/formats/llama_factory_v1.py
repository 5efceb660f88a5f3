"""`llama-factory-v1`: messages of content blocks with `loss_weight`, for LLaMA-Factory with `USE_V1=1`.

Its loss divides by the sum of weights of the micro-batch, so that with one row in it the weight cancels: `train.yaml`
has 8. The condition is the system message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from curate.export import recipe, shards
from curate.export.placement import in_system
from curate.export.tokenise import decimal

if TYPE_CHECKING:
    import polars as pl

    from curate.export.job import Job

NEEDS_TOKENIZER = False
PACKS = "LLaMA-Factory pads or not by itself: `batching_strategy` in train.yaml"
TEXT_ONLY = True
ROLES = r"^(system )?user assistant( user assistant)*$"

BLOCKS = shards.list_of(type=pa.string(), value=pa.string())
MESSAGES = shards.list_of(role=pa.string(), content=BLOCKS, loss_weight=pa.float64())
SCHEMA = pa.schema([shards.required("messages", MESSAGES)])


def write(job: Job) -> None:
    """Write shards and `train.yaml`."""
    shards.write(job, SCHEMA, _rows)
    recipe.write(job, "llama_factory_v1/train.yaml", "llama_factory_v1/dataset.yaml")


def _rows(rows: pl.DataFrame) -> pa.Table:
    turns = [
        [
            {
                "role": message["role"],
                "content": [{"type": "text", "value": message["content"]}],
                "loss_weight": decimal(message["weight"]),
            }
            for message in in_system(*row)
        ]
        for row in rows.select("messages", "condition").iter_rows()
    ]
    columns = {"order": rows["order"].to_arrow(), "messages": turns}
    return pa.table(columns, schema=pa.schema([("order", pa.uint64()), *SCHEMA]))
