"""`ms-swift`: Parquet with a `loss_scale` per response and the condition as system message and `channel`.

ms-swift divides by the number of tokens, not by Σ w, so weights are scaled to a mean of 1 over the characters of
trained responses. `train.sh` has `--is_binary_loss_scale false`, without which every weight is 1, and
`curate_swift.py`, without which the end of every turn weighs 1, after a masked response, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from curate.export import recipe, shards
from curate.export.placement import in_system
from curate.export.ragged import regrouped

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = False
PACKS = "ms-swift packs by itself and keeps `loss_scale`: `sh train.sh MODEL --packing true`, with flash attention"
TEXT_ONLY = True
ROLES = r"^(system )?user assistant( user assistant)*$"

MESSAGE = pa.struct([shards.required("role", pa.string()), shards.required("content", pa.string()),
                     pa.field("loss_scale", pa.float64())])  # fmt: skip
SCHEMA = pa.schema(
    [
        shards.required("messages", pa.list_(pa.field("item", MESSAGE, nullable=False))),
        shards.required("channel", pa.string()),
    ]
)


def write(job: Job) -> None:
    """Write shards, loss scale and command."""
    sums = np.zeros(2)

    def convert(rows: pl.DataFrame) -> pa.Table:
        messages = [in_system(*row) for row in rows.select("messages", "condition").iter_rows()]
        found = [(m["weight"], len(m["content"]) or 1) for turns in messages for m in turns if m["weight"] > 0]
        sums[:] += sum(weight * length for weight, length in found), sum(length for _, length in found)
        spelled = [[_message(message) for message in turns] for turns in messages]
        columns = {"order": rows["order"].to_arrow(), "messages": spelled, "channel": rows["condition"].to_list()}
        return pa.table(columns, schema=pa.schema([("order", pa.uint64()), *SCHEMA]))

    def finish(table: pa.Table) -> pa.Table:
        rows = pl.DataFrame(table)
        lengths = rows["messages"].list.len().to_numpy()
        flat = rows["messages"].explode().struct.unnest()
        flat = flat.with_columns(pl.col("loss_scale") * (sums[1] / sums[0]))
        return rows.with_columns(messages=regrouped(flat, lengths)).to_arrow(compat_level=pl.CompatLevel.oldest())

    shards.write(job, SCHEMA, convert, finish)
    recipe.write(job, "ms_swift/curate_swift.py", "ms_swift/train.sh")


def _message(message: dict[str, object]) -> dict[str, object]:
    scale = message["weight"] if message["role"] == "assistant" else None
    return {"role": message["role"], "content": message["content"], "loss_scale": scale}
