"""Conversations as later stages may see them: personal data and secrets replaced by what they were.

`curate clean --redact` finds them and stores where they stand; the conversations of the workspace stay as they are.
Export and judges read through `read`, so that nothing found leaves the workspace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.workspace import Workspace


def placeholder(kind: str) -> str:
    """`[EMAIL]` and its like."""
    return f"[{kind.upper()}]"


def inputs(workspace: Workspace) -> list[str]:
    """The tables that `read` reads."""
    redacting = workspace.manifest.get("stages", {}).get("clean", {}).get("redact")
    return ["conversations", "flags"] if redacting else ["conversations"]


def read(workspace: Workspace, index: int, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """A shard of the conversations, redacted if `curate clean --redact` was the last to clean.

    Raises:
        WorkspaceError: The shard was not cleaned since.
    """
    conversations = workspace.read("conversations", index, columns)
    if "flags" not in inputs(workspace):
        return conversations
    return redacted(conversations, workspace.read("flags", index, ["key", "redact"]))


def redacted(conversations: pl.DataFrame, flags: pl.DataFrame) -> pl.DataFrame:
    """The same conversations with every span of `flags.redact` replaced by its placeholder.

    A tool call, which is JSON, loses the same pieces where they stand in it to the letter.

    Args:
        conversations: Rows with at least `key` and `messages`.
        flags: Rows with `key` and `redact`.
    """
    spans = flags.select("key", "redact").filter(pl.col("redact").list.len() > 0)
    concerned = conversations.select("key", "messages").join(spans, on="key", how="inner", maintain_order="left")
    if concerned.is_empty():
        return conversations
    replaced = [_replaced(messages, redact) for _, messages, redact in concerned.iter_rows()]
    column = pl.Series("redacted", replaced, dtype=conversations.schema["messages"])
    joined = conversations.join(
        concerned.select("key").with_columns(column), on="key", how="left", maintain_order="left"
    )
    return joined.with_columns(messages=pl.coalesce("redacted", "messages")).drop("redacted")


def _replaced(messages: list[dict[str, Any]], spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    changed = [dict(message) for message in messages]
    pieces: dict[str, str] = {}
    # From the end, so that the places before a replaced piece stay where they are.
    for span in sorted(spans, key=lambda span: (span["turn"], span["begin"]), reverse=True):
        message, original = changed[span["turn"]], messages[span["turn"]]["content"]
        text = message["content"]
        message["content"] = text[: span["begin"]] + placeholder(span["kind"]) + text[span["end"] :]
        pieces[original[span["begin"] : span["end"]]] = placeholder(span["kind"])
    for message in changed:
        for piece, name in pieces.items():
            if message.get("tool_calls"):
                message["tool_calls"] = message["tool_calls"].replace(piece, name)
    return changed
