"""Conversations as later stages may see them: personal data and secrets replaced by what they were.

`curate clean --redact` finds them and stores where they stand; the conversations of the workspace stay as they are.
Labels, judges and exports read through `read`, so that nothing found leaves the workspace.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.clean import parts, personal
from curate.clean.personal import Span
from curate.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.workspace import Workspace


def placeholder(kind: str) -> str:
    """`[EMAIL]` and its like."""
    return f"[{kind.upper()}]"


def inputs(workspace: Workspace) -> list[str]:
    """The tables that `read` reads."""
    return ["conversations", "flags"] if _redacting(workspace) else ["conversations"]


def read(
    workspace: Workspace,
    index: int,
    columns: Sequence[str] | None = None,
    *,
    source_ids: bool = True,
    keys: Sequence[int] | None = None,
) -> pl.DataFrame:
    """A shard of the conversations, redacted if `curate clean --redact` was the last to clean.

    Args:
        workspace: The workspace.
        index: The shard.
        columns: Those wanted; None = all.
        source_ids: Whether `source_id` is redacted too. Only who looks conversations up by it may have it as it is.
        keys: The conversations wanted, of which alone the texts are read; None = all.

    Raises:
        WorkspaceError: The shard was not cleaned since, or by a run that did not finish.
    """
    conversations = _conversations(workspace, index, columns, keys)
    redacting = _redacting(workspace)
    if redacting != bool(workspace.stamp("flags", index).get("redact")):
        raise WorkspaceError(
            "the last `curate clean` did not finish: not all conversations are redacted alike",
            where=workspace.shard("flags", index),
            hint="run `curate clean --redact` again",
        )
    if not redacting:
        return conversations
    flags = workspace.read("flags", index, ["key", "redact"])
    if keys is not None:
        flags = flags.filter(pl.col("key").is_in(list(keys)))
    changed = redacted(conversations, flags)
    return changed if source_ids else changed.with_columns(conversations["source_id"])


def _conversations(
    workspace: Workspace, index: int, columns: Sequence[str] | None, keys: Sequence[int] | None
) -> pl.DataFrame:
    if keys is None:
        return workspace.read("conversations", index, columns)
    rows = workspace.scan("conversations", index).filter(pl.col("key").is_in(list(keys)))
    try:
        return (rows if columns is None else rows.select(columns)).collect()
    except pl.exceptions.PolarsError:
        # The checked way of reading says what is wrong with the shard.
        return workspace.read("conversations", index, columns).filter(pl.col("key").is_in(list(keys)))


def _redacting(workspace: Workspace) -> bool:
    return bool(workspace.manifest.get("stages", {}).get("clean", {}).get("redact"))


def redacted(conversations: pl.DataFrame, flags: pl.DataFrame) -> pl.DataFrame:
    """The same conversations with every span of `flags.redact` replaced by its placeholder.

    The column `source_id`, where there is one, loses the same pieces and whatever else is found in it.

    Args:
        conversations: Rows with at least `key` and `messages`.
        flags: Rows with `key` and `redact`.
    """
    spans = flags.select("key", "redact").filter(pl.col("redact").list.len() > 0)
    ids = {"source_id"} & set(conversations.columns)
    concerned = conversations.select("key", "messages", *ids).join(spans, on="key", how="inner", maintain_order="left")
    if not concerned.is_empty():
        rows = [_replaced(row) for row in concerned.iter_rows(named=True)]
        schema = {name: conversations.schema[name] for name in ("key", "messages", *ids)}
        changed = pl.DataFrame(rows, schema=schema, orient="row")
        conversations = conversations.update(changed, on="key", how="left", maintain_order="left")
    return _with_ids(conversations) if ids else conversations


def _replaced(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of `row` but for `redact`, without what it says."""
    messages, source_id = list(row["messages"]), row.get("source_id") or ""
    found = sorted(row["redact"], key=lambda span: (span["turn"], span["begin"]))
    pieces: dict[str, str] = {}
    for turn, group in groupby(found, key=lambda span: span["turn"]):
        spans = [Span(span["begin"], span["end"], span["kind"]) for span in group]
        if source_id:
            text = parts.text(messages[turn])
            pieces |= {text[begin:end]: placeholder(kind) for begin, end, kind in spans}
        messages[turn] = parts.replaced(messages[turn], spans, placeholder)
    for piece in sorted(pieces, key=len, reverse=True):
        source_id = source_id.replace(piece, pieces[piece])
    changed = {"key": row["key"], "messages": messages}
    return {**changed, "source_id": source_id or row["source_id"]} if "source_id" in row else changed


def _with_ids(conversations: pl.DataFrame) -> pl.DataFrame:
    """With ids in which nothing is to be found."""
    ids = conversations.select("key", turn=pl.lit(0, pl.Int32), content="source_id").drop_nulls("content")
    found = personal.find(ids)
    if found.is_empty():
        return conversations
    listed = found.group_by("key").agg(spans=pl.struct("begin", "end", "kind"))
    rows = [
        (key, parts.replaced({"content": text}, [Span(**span) for span in spans], placeholder)["content"])
        for key, text, spans in ids.join(listed, on="key").select("key", "content", "spans").iter_rows()
    ]
    changed = pl.DataFrame(rows, schema={"key": pl.UInt64, "source_id": pl.String}, orient="row")
    return conversations.update(changed, on="key", how="left", maintain_order="left")
