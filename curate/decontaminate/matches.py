"""The tables of a shard: stretches that messages share with items, and the hits by the names of the items."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from curate.decontaminate.places import passages
from curate.decontaminate.scan import stretches
from curate.dedup.texts import batches, in_order, texts
from curate.schema import TABLES

if TYPE_CHECKING:
    from curate.decontaminate.index import Index
    from curate.decontaminate.items import Items
    from curate.workspace import Workspace


def table(ws: Workspace, number: int, index: Index) -> pa.Table:
    """The rows of `matches` for a shard of the conversations, in the order of the messages."""
    schema = TABLES["matches"].arrow

    def batch(part: pa.RecordBatch) -> pa.Table:
        text = texts(part["messages"])
        found = stretches(text.data, text.offsets, index)
        message, item, first, count, place = np.ascontiguousarray(found[np.lexsort(found.T[[4, 2, 1, 0]])].T)
        row = np.searchsorted(text.rows, message, side="right") - 1
        begin, end = passages(text.data, text.offsets, message, place, count)
        columns = (part["key"].to_numpy()[row], message - text.rows[row], item, first, count, place, begin, end)
        return pa.table([pa.array(c).cast(field.type) for c, field in zip(columns, schema, strict=True)], schema)

    return pa.concat_tables([schema.empty_table(), *in_order(batch, batches(ws, number, ("key",)))])


def named(hits: pl.DataFrame, items: Items) -> pa.Table:
    """The rows of `contamination`: hits with names of lists and items instead of the number of a text."""
    parts = hits["part"].to_numpy()
    lists = items.lists_of[parts].tolist()
    rows = hits.select(
        "key",
        "turn",
        pl.Series("benchmark", [items.lists[one].benchmark for one in lists], pl.String),
        pl.Series("column", [items.lists[one].column for one in lists], pl.String),
        pl.Series("item", [items.ids[part] for part in parts.tolist()], pl.String),
        pl.Series("part", items.places[parts]),
        "kind",
        "overlap",
        "begin",
        "end",
    )
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(TABLES["contamination"].arrow)
