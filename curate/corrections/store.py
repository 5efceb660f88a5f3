"""The table `corrections`: what people said of single responses, only ever added to.

A response is named by the hash of its conversation and its turn, so that what was said holds for every copy of it,
through every rerun, and in another workspace that the file is copied to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curate.schema import TABLES
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.workspace import Workspace

TABLE = "corrections"
UNKNOWN = "unknown"
RESPONSE = ["content_hash", "turn"]


def read(ws: Workspace) -> pl.DataFrame:
    """Every correction that was ever made, the oldest first."""
    if ws.shards(TABLE):
        return ws.read(TABLE, 0)
    import pyarrow as pa

    # Not `empty_table`: with a time zone in the schema it loads pandas, where that is installed.
    frame = pl.from_arrow(pa.Table.from_batches([], TABLES[TABLE].arrow))
    assert isinstance(frame, pl.DataFrame)
    return frame


def append(ws: Workspace, rows: Sequence[dict[str, Any]]) -> None:
    """Add corrections behind those that are there; the file is written whole or not at all.

    Raises:
        WorkspaceError: Another process writes to the workspace, or it cannot be written.
    """
    import pyarrow as pa

    schema = TABLES[TABLE].arrow
    with ws.lock():
        after = pa.concat_tables([read(ws).to_arrow().cast(schema), pa.Table.from_pylist(list(rows), schema)])
        ws.write(TABLE, 0, after, {"fingerprint": fingerprint(after.to_pylist())})


def current(ws: Workspace) -> pl.DataFrame:
    """What holds now: `content_hash`, `turn`, `class`, `reward`, `by`, `at`, `why`; one row per corrected response.

    The latest class and the latest reward count; an undone row and all before it do not.
    """
    rows = read(ws).with_row_index("place")
    undone = pl.col("place").filter("undo").max().over(RESPONSE)
    return (
        rows.filter((pl.col("place") > undone).fill_null(True) & ~pl.col("undo"))
        .group_by(RESPONSE, maintain_order=True)
        .agg(
            *(pl.col(name).drop_nulls().last() for name in ("class", "reward")),
            *(pl.col(name).last() for name in ("by", "at", "why")),
        )
    )


def labels(ws: Workspace) -> pl.DataFrame:
    """The corrected rewards as labels of a judge: `key`, `turn`, `label`, one per copy of the conversation."""
    said = current(ws).drop_nulls("reward").select(*RESPONSE, label=pl.col("reward").cast(pl.Float64))
    keys = ws.scan("conversations").select("key", "content_hash")
    return keys.join(said.lazy(), on="content_hash").select("key", "turn", "label").collect().sort("key", "turn")
