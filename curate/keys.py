"""Which shard a conversation is in, by the bounds that the files themselves state."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curate.workspace import Workspace


def shard_of(ws: Workspace, key: int) -> int | None:
    """The shard of a key; None = there is no such conversation. No more than the one shard is read.

    Raises:
        WorkspaceError: A shard before it is damaged.
    """
    import polars as pl
    import pyarrow.parquet as pq

    for index in ws.shards("conversations"):
        ws.require_current("conversations", index)
        metadata = pq.read_metadata(ws.shard("conversations", index))
        place = metadata.schema.to_arrow_schema().get_field_index("key")
        for group in range(metadata.num_row_groups):
            bounds = metadata.row_group(group).column(place).statistics
            if bounds is None or not bounds.has_min_max or bounds.min <= key <= bounds.max:
                keys = ws.scan("conversations", index).filter(pl.col("key") == key).select("key").collect()
                if keys.height:
                    return index
    return None
