"""JSON lines, a file per epoch, in the memory of one part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from curate.export.job import Job


def write(job: Job, line: Callable[[dict[str, Any]], dict[str, Any]]) -> list[str]:
    """Write the rows as `NAME.jsonl`, with several epochs as `NAME.<epoch>.jsonl`, and return the names.

    Args:
        job: The export.
        line: From `messages`, `condition` and `weight` of a row to what stands in its line.
    """

    def convert(rows: pl.DataFrame) -> pa.Table:
        wanted = rows.select("messages", "condition", "weight")
        lines = [orjson.dumps(line(row)) for row in wanted.iter_rows(named=True)]
        return pa.table({"order": rows["order"].to_arrow(), "line": pa.array(lines, pa.large_binary())})

    stored = job.store(convert)
    names = [f"{job.name}.jsonl"] if job.epochs == 1 else [f"{job.name}.{epoch}.jsonl" for epoch in range(job.epochs)]
    for epoch, name in enumerate(names):
        with (job.folder / name).open("wb") as file:
            for part in job.shuffled(stored, epoch):
                file.writelines(text.as_py() + b"\n" for text in part.take()["line"])
    return names
