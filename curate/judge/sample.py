"""Which responses are judged: those of kept conversations, or a seeded uniform sample of them."""

from __future__ import annotations

from hashlib import blake2b
from heapq import nsmallest
from typing import TYPE_CHECKING

import polars as pl

from curate import redact
from curate.errors import CurateError
from curate.responses import responses, scan

if TYPE_CHECKING:
    from curate.workspace import Workspace


def kept_conversations(ws: Workspace, shard: int) -> pl.DataFrame:
    """`key` and `messages`, redacted, of a shard's conversations that are no duplicate; all of them before `dedup`."""
    conversations = redact.read(ws, shard, ["key", "messages"])
    if not ws.has("duplicates"):
        return conversations
    removed = ws.read("duplicates", shard, ["key", "removed_by"]).filter(pl.col("removed_by").is_not_null())
    return conversations.join(removed, on="key", how="anti", maintain_order="left")


def inputs(ws: Workspace) -> list[str]:
    """The tables that `kept_conversations` reads."""
    tables = [name for name in ("duplicates", "tasks") if ws.has(name)]
    return [*redact.inputs(ws), *tables]


def sample(
    ws: Workspace, limit: int | None, seed: int, *, share: float | None = None, where: str | None = None
) -> set[tuple[int, int]] | None:
    """`key` and `turn` of the responses to judge; None means every one that is kept.

    A larger sample with the same seed contains the smaller one, so nothing judged is judged in vain.

    Args:
        ws: The workspace.
        limit: Most responses.
        seed: Of the sample.
        share: Part of those there are, above 0, up to 1.
        where: Polars SQL condition over the columns of `curate.scan`.

    Raises:
        CurateError: `where` is no condition, or asks for a column that is not there.
    """
    if limit is None and share is None and where is None:
        return None
    candidates = []
    for shard in ws.shards("conversations"):
        candidates += responses(kept_conversations(ws, shard)).select("key", "turn").rows()
    if where is not None:
        wanted = set(matching(ws, where).rows())
        candidates = [response for response in candidates if response in wanted]
    most = len(candidates) if share is None else round(share * len(candidates))
    most = most if limit is None else min(most, limit)
    return set(nsmallest(most, candidates, key=lambda response: _rank(response, seed)))


def matching(ws: Workspace, where: str, only: int | None = None) -> pl.DataFrame:
    """`key` and `turn` of the responses that a condition holds for, in their order.

    Args:
        ws: The workspace.
        where: Polars SQL condition over the columns of `curate.scan`.
        only: The one shard to look through.

    Raises:
        CurateError: It is no condition, or asks for a column that is not there.
    """
    try:
        return scan(ws.path, only).filter(pl.sql_expr(where)).select("key", "turn").collect()
    except (pl.exceptions.PolarsError, BaseException) as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        hint = "such as --where \"source = 'mine' AND task = 'maths'\"; columns: docs/schema.md"
        raise CurateError(f"`--where` cannot be answered: {str(error).splitlines()[0]}", hint=hint) from error


def _rank(response: tuple[int, int], seed: int) -> bytes:
    key, turn = response
    return blake2b(f"{seed}:{key}:{turn}".encode(), digest_size=8).digest()
