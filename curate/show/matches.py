"""The responses for which a condition holds, the first few with the beginning of their texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError

if TYPE_CHECKING:
    from pathlib import Path

    from curate.workspace import Workspace

# Characters of each text that are kept.
BEGINNING = 300


@dataclass(frozen=True)
class Match:
    """One response; null where no stage has said anything.

    Attributes:
        key: The conversation.
        turn: Index of the response in `messages`.
        source: Name of the data set.
        class_: As the rules say.
        reward: As the judge says.
        status: What became of its judgement.
        flags: Cleaning rules that fired on the conversation.
        removed_by: The kept conversation that the conversation duplicates.
        prompt: How the user's message right before begins, redacted if the workspace is; empty = there is none.
        response: How it begins, likewise.
    """

    key: int
    turn: int
    source: str
    class_: str | None
    reward: float | None
    status: str | None
    flags: tuple[str, ...]
    removed_by: int | None
    prompt: str
    response: str


@dataclass(frozen=True)
class Matches:
    """What a condition holds for.

    Attributes:
        where: The condition.
        responses: How many there are.
        conversations: In how many conversations.
        matches: The first of them, in the order of their keys.
    """

    where: str
    responses: int
    conversations: int
    matches: tuple[Match, ...]


def search(workspace: str | Path, where: str, *, limit: int = 10) -> Matches:
    """The responses for which a condition holds; the workspace is read a shard at a time, and nothing is written.

    Args:
        workspace: Folder of the workspace.
        where: Polars SQL condition over the columns of `curate.scan`: `class = 'gpt-4' and reward < 0.3`.
        limit: Most that are listed, one or more.

    Raises:
        CurateError: It is no condition, or asks for a column that is not there.
        WorkspaceError: Not a workspace, or a table that was made from other conversations.
    """
    from curate.where import matching
    from curate.workspace import Workspace as Opened

    if limit < 1:
        raise CurateError(f"`limit` is {limit}; it must be 1 or more")
    ws = Opened(workspace)
    found: list[Match] = []
    responses = conversations = 0
    for shard in ws.shards("conversations"):
        rows = matching(ws, where, shard)
        responses += rows.height
        conversations += rows["key"].n_unique()
        if len(found) < limit and rows.height:
            found += _read(ws, shard, rows.sort("key", "turn").head(limit - len(found)).rows())
    return Matches(where, responses, conversations, tuple(found))


def _read(ws: Workspace, shard: int, wanted: list[tuple[int, int]]) -> list[Match]:
    import polars as pl

    from curate import redact
    from curate.responses import responses

    keys = sorted({key for key, _ in wanted})
    texts = responses(redact.read(ws, shard, ["key", "messages"], keys=keys))
    rows = texts.select("key", "turn", pl.col("prompt", "response").fill_null("").str.head(BEGINNING))
    sources = ws.scan("conversations", shard).filter(pl.col("key").is_in(keys)).select("key", "source").collect()
    rows = rows.join(sources, on="key", how="left", maintain_order="left")
    for table, on, columns in _TABLES:
        if ws.shard(table, shard).exists():
            other = ws.scan(table, shard).filter(pl.col("key").is_in(keys)).select(*on, *columns).collect()
            rows = rows.join(other, on=on, how="left", maintain_order="left")
    found = {(row["key"], row["turn"]): row for row in rows.iter_rows(named=True)}
    return [_match(found[one]) for one in wanted]


_TABLES = (
    ("labels", ["key", "turn"], ["class"]),
    ("scores", ["key", "turn"], ["reward", "status"]),
    ("flags", ["key"], ["rules"]),
    ("duplicates", ["key"], ["removed_by"]),
)


def _match(row: dict[str, Any]) -> Match:
    reward = row.get("reward")
    return Match(
        key=row["key"],
        turn=row["turn"],
        source=row["source"],
        class_=row.get("class"),
        status=row.get("status"),
        removed_by=row.get("removed_by"),
        prompt=row["prompt"],
        response=row["response"],
        reward=None if reward is None else round(reward, 6),
        flags=tuple(row.get("rules") or ()),
    )
