"""From conversations to responses: the rows that are labelled, scored and weighted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curate.corrections import store
from curate.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path


def messages(conversations: pl.DataFrame) -> pl.DataFrame:
    """One row per message: `key`, `turn` (index in `messages`), then the message's own fields.

    Args:
        conversations: Rows with at least `key` and `messages`.
    """
    return (
        conversations.select("key", "messages", turn=pl.int_ranges(pl.col("messages").list.len(), dtype=pl.Int32))
        .explode("messages", "turn", empty_as_null=False, keep_nulls=False)
        .unnest("messages")
    )


def responses(conversations: pl.DataFrame) -> pl.DataFrame:
    """One row per response, in order of `key` and `turn`.

    Args:
        conversations: Rows with at least `key` and `messages`.

    Returns:
        `key`, `turn`, `response` (its text), `model` and `name` of its message, `prompt` (the user
        message right before it, system and tool messages aside; null = none), `last` (nothing follows).
    """
    own = pl.col("role").is_in(["user", "assistant"])
    previous = pl.when(own).then(pl.col("content")).shift(1).over("key")
    previous_role = pl.when(own).then(pl.col("role")).shift(1).over("key")
    return (
        messages(conversations)
        .with_columns(
            last=pl.col("turn") == pl.col("turn").max().over("key"),
            prompt=previous.forward_fill().over("key"),
            previous_role=previous_role.forward_fill().over("key"),
        )
        .filter(pl.col("role") == "assistant")
        .select(
            "key",
            "turn",
            "model",
            "name",
            "last",
            response="content",
            prompt=pl.when(pl.col("previous_role") == "user").then(pl.col("prompt")),
        )
    )


def scan(workspace: str | Path, only: int | None = None) -> pl.LazyFrame:
    """One joined LazyFrame, a row per response, with every column that the stages have made so far.

    Args:
        workspace: Folder of the workspace.
        only: The one shard to read, for those who want the rows of a large workspace a shard at a time.

    Returns:
        Columns of `conversations`, and those of `labels`, `tasks`, `scores`, `flags` and `duplicates` where the
        stages ran, null for shards that they have not seen yet; `flags.rules` is called `flags`, the text of
        the response `response`. `task` is that of `tasks`, decided by `task_rule`; what the record states is
        `stated_task`. `contaminated` lists the benchmarks that the conversation holds items of.

        `corrected_class` and `corrected_reward` are what was said by hand, which `curate export` takes instead.

    Raises:
        WorkspaceError: Not a workspace.
    """
    ws = Workspace(workspace)
    frame = ws.scan("conversations", only).rename({"task": "stated_task"})
    rows = (
        frame.select("key", "messages", turn=pl.int_ranges(pl.col("messages").list.len(), dtype=pl.Int32))
        .explode("messages", "turn", empty_as_null=False, keep_nulls=False)
        .filter(pl.col("messages").struct.field("role") == "assistant")
        .select("key", "turn", response=pl.col("messages").struct.field("content"))
        .join(frame, on="key", how="left", maintain_order="left")
    )
    one, every = ["key", "turn"], ["key"]
    joins = {"labels": one, "tasks": every, "scores": one, "flags": every, "duplicates": every}
    names = {"flags": {"rules": "flags", "unknown": "flags_unknown"}, "tasks": {"rule": "task_rule"}}
    for table, on in joins.items():
        if ws.shards(table):
            other = ws.scan(table, only).rename(names.get(table, {}))
            rows = rows.join(other, on=on, how="left", maintain_order="left")
    if ws.shards("contamination"):
        rows = rows.join(_contaminated(ws), on="key", how="left", maintain_order="left")
    if ws.shards("corrections"):
        said = store.current(ws).select("content_hash", "turn", corrected_class="class", corrected_reward="reward")
        rows = rows.join(said.lazy(), on=["content_hash", "turn"], how="left", maintain_order="left")
    return rows


def _contaminated(ws: Workspace) -> pl.LazyFrame:
    """`key` and `contaminated` of every conversation that was looked through; an empty list where nothing was found."""
    hits = ws.scan("contamination").group_by("key").agg(contaminated=pl.col("benchmark").unique(maintain_order=True))
    looked = [ws.shard("conversations", index) for index in ws.shards("contamination")]
    keys = pl.scan_parquet(looked, glob=False).select("key")
    return keys.join(hits, on="key", how="left").with_columns(pl.col("contaminated").fill_null([]))
