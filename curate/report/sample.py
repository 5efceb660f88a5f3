"""A few responses to look at, the same ones whenever the conversations are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.report.summary import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.workspace import Workspace


@dataclass(frozen=True)
class Sample:
    """One response of the sample; null where no stage has said anything.

    Attributes:
        content_hash: Of its conversation.
        key: The conversation.
        turn: Index of the response in `messages`.
        flags: Cleaning rules that fired on the conversation.
        duplicate: Whether the conversation goes for another.
        prompt: What the user said right before, redacted if the workspace is; empty = nothing.
        response: Its text, likewise.
        rationale: The judge's evidence.
    """

    content_hash: str
    key: int
    turn: int
    source: str
    class_: str | None
    task: str | None
    reward: float | None
    score: float | None
    status: str | None
    flags: tuple[str, ...]
    duplicate: bool
    prompt: str
    response: str
    rationale: str | None


def sample(ws: Workspace, size: int, chars: int, advance: Callable[[int], None] = lambda _: None) -> list[Sample]:
    """One response each of up to `size` different conversations, those with the smallest content hash.

    A content hash is as good as a random number that every workspace with the conversation draws alike, so samples of
    two runs over the same data meet.

    Args:
        ws: The workspace; it is read a shard at a time.
        size: How many.
        chars: Characters of each text that are kept.
        advance: Told the number of each shard that is done.

    Raises:
        WorkspaceError: A shard is damaged, or was cleaned by a run that did not finish.
    """
    import polars as pl

    from curate import redact
    from curate.responses import responses

    # Which of the responses: one that the hash of the conversation chooses.
    draw = pl.col("content_hash").str.tail(6).str.to_integer(base=16)
    chosen: list[tuple[str, int, int]] = []
    for index in ws.shards("conversations"):
        rows = read(ws, index).drop_nulls("turn").unique("content_hash", keep="first", maintain_order=True)
        chosen += [(content, index, key) for content, key in rows.select("content_hash", "key").iter_rows()]
        chosen = sorted({row[0]: row for row in reversed(chosen)}.values())[:size]
        advance(index)
    found: list[Sample] = []
    for index in sorted({shard for _, shard, _ in chosen}):
        keys = pl.Series([key for _, shard, key in chosen if shard == index], dtype=pl.UInt64)
        texts = responses(redact.read(ws, index, ["key", "messages"]).filter(pl.col("key").is_in(keys.implode())))
        rows = (
            read(ws, index)
            .drop_nulls("turn")
            .join(
                texts.select("key", "turn", pl.col("prompt", "response").fill_null("").str.head(chars)),
                on=["key", "turn"],
                how="inner",
                maintain_order="left",
            )
            .filter(pl.int_range(pl.len()).over("key") == draw % pl.len().over("key"))
            .with_columns(pl.col("flags").fill_null([]), pl.col("duplicate").fill_null(False))
            .rename({"class": "class_"})
        )
        found += [Sample(**{**row, "flags": tuple(row["flags"])}) for row in rows.to_dicts()]
    return sorted(found, key=lambda row: row.content_hash)
