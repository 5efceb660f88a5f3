"""`llama-factory`: ShareGPT rows for LLaMA-Factory's v0 engine, which has neither weights nor masks per response.

So each trained response is a row of its own that ends with it; `train.yaml` has `mask_history: true`, which trains
only that. Rows are drawn by weight (`--emulate-weights`). The condition is the `system` column.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

from curate.export import recipe, shards
from curate.export.placement import in_system

if TYPE_CHECKING:
    import polars as pl

    from curate.export.job import Job

NEEDS_TOKENIZER = False
PACKS = "LLaMA-Factory packs by itself, each row seeing itself only, with `neat_packing: true` in train.yaml"
TEXT_ONLY = True
WEIGHTS = "none"
LAST_ONLY = True
ROLES = r"^(system )?user assistant( user assistant)*$"

SCHEMA = pa.schema(
    [
        shards.required("messages", shards.list_of(role=pa.string(), content=pa.string())),
        shards.required("system", pa.string()),
    ]
)
TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}


def write(job: Job) -> None:
    """Write shards, `dataset_info.json` and `train.yaml`."""
    shards.write(job, SCHEMA, _rows)
    columns = {"messages": "messages", "system": "system"}
    info = {job.name: {"file_name": "data", "formatting": "sharegpt", "columns": columns, "tags": TAGS}}
    (job.folder / "dataset_info.json").write_text(json.dumps(info, indent=2) + "\n", "utf-8")
    recipe.write(job, "llama_factory/train.yaml")


def _rows(rows: pl.DataFrame) -> pa.Table:
    systems, turns = [], []
    for row in rows.select("messages", "condition").iter_rows():
        messages = [{"role": m["role"], "content": m["content"]} for m in in_system(*row)]
        has_system = messages[0]["role"] == "system"
        systems.append(messages[0]["content"] if has_system else "")
        turns.append(messages[has_system:])
    columns = {"order": rows["order"].to_arrow(), "messages": turns, "system": systems}
    return pa.table(columns, schema=pa.schema([("order", pa.uint64()), *SCHEMA]))
