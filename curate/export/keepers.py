"""Copies that nobody stands in for: what they are copies of is left out of the export, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from curate.workspace import Workspace

# Why a conversation is left out without a fault of its own, so that no copy of it would do better.
_NO_FAULT = ("duplicate", "only", "over_cap", "sampled_out")


def without(ws: Workspace, dropped: list[pl.DataFrame]) -> int:
    """Conversations that are left out for nothing but one that is left out itself."""
    import polars as pl

    reasons = pl.concat(dropped).lazy()
    copies = reasons.filter("copy").select("key")
    others = reasons.filter(~pl.col("copy")).select(removed_by="key")
    found = ws.scan("duplicates").filter(pl.col("against").is_null()).join(copies, on="key", how="semi")
    return int(found.join(others, on="removed_by", how="semi").select(pl.len()).collect(engine="streaming").item())


def left_out(conversations: pl.DataFrame) -> pl.DataFrame:
    """Those that are left out as a `copy`, or for a fault of their own: 9 bytes each."""
    import polars as pl

    copy = pl.col("dropped") == "duplicate"
    wanted = pl.col("dropped").is_not_null() & (copy | ~pl.col("dropped").is_in(_NO_FAULT))
    return conversations.filter(wanted).select("key", copy=copy)
