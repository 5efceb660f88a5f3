"""`nemo-rl`: Parquet with a weight per row, and the data set that makes it NeMo RL's `loss_multiplier`.

NeMo RL trains all responses of a row alike and divides by Σ w, so a conversation whose responses weigh differently
becomes a row per weight; in each, the other responses are masked. The condition is the system message. A row longer
than `policy.max_total_sequence_length` weighs 0 there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from curate.export import recipe, shards
from curate.export.placement import in_system

if TYPE_CHECKING:
    import polars as pl

    from curate.export.job import Job

NEEDS_TOKENIZER = False
PACKS = "NeMo RL packs by itself: `policy.sequence_packing.enabled=true`"
TEXT_ONLY = True
WEIGHTS = "row"
ROLES = r"^(system )?user assistant( user assistant)*$"

SCHEMA = pa.schema(
    [
        shards.required("id", pa.string()),
        shards.required("messages", shards.list_of(role=pa.string(), content=pa.string(), weight=pa.float32())),
        shards.required("condition", pa.string()),
        shards.required("weight", pa.float32()),
    ]
)


def write(job: Job) -> None:
    """Write shards, data set and configuration."""
    shards.write(job, SCHEMA, _rows)
    recipe.write(job, "nemo_rl/curate_nemo_rl.py", "nemo_rl/nemo_rl.yaml")


def _rows(rows: pl.DataFrame) -> pa.Table:
    messages = [in_system(*row) for row in rows.select("messages", "condition").iter_rows()]
    columns = {"order": rows["order"].to_arrow(), "id": rows["id"].to_list(), "messages": messages}
    columns |= {name: rows[name].to_list() for name in ("condition", "weight")}
    return pa.table(columns, schema=pa.schema([("order", pa.uint64()), *SCHEMA]))
