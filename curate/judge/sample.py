"""Which responses are judged: those of kept conversations, or a seeded uniform sample of them."""

from __future__ import annotations

from hashlib import blake2b
from heapq import nsmallest
from typing import TYPE_CHECKING

import polars as pl

from curate import redact
from curate.responses import responses

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    return [*redact.inputs(ws), *(["duplicates"] if ws.has("duplicates") else [])]


def sample(ws: Workspace, limit: int | None, seed: int) -> set[tuple[int, int]] | None:
    """`key` and `turn` of the responses to judge; None means every one that is kept.

    A larger sample with the same seed contains the smaller one, so nothing judged is judged in vain.
    """
    if limit is None:
        return None

    def candidates() -> Iterator[tuple[int, int]]:
        for shard in ws.shards("conversations"):
            yield from responses(kept_conversations(ws, shard)).select("key", "turn").iter_rows()

    return set(nsmallest(limit, candidates(), key=lambda response: _rank(response, seed)))


def _rank(response: tuple[int, int], seed: int) -> bytes:
    key, turn = response
    return blake2b(f"{seed}:{key}:{turn}".encode(), digest_size=8).digest()
