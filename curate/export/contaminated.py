"""What of a shard holds items of benchmarks: conversations, to be dropped, or responses, to be masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from curate.export.policy import Policy
    from curate.workspace import Workspace


def conversations(workspace: Workspace, index: int, policy: Policy) -> pl.DataFrame:
    """`key` and `contaminated_by`, the benchmark of its first hit, of the conversations to be dropped."""
    hits = _hits(workspace, index, policy, "drop")
    return hits.unique("key", keep="first", maintain_order=True).select("key", contaminated_by="benchmark")


def responses(workspace: Workspace, index: int, policy: Policy, turns: pl.DataFrame) -> pl.DataFrame:
    """`key`, `turn` and `contaminated_by` of the responses to be masked.

    Those that hold an item, and those that answer a message that does: the next response after it.
    """
    hits = _hits(workspace, index, policy, "mask").sort("key", "turn", maintain_order=True)
    answers = turns.filter(pl.col("role") == "assistant").select("key", "turn", response="turn").sort("key", "turn")
    found = hits.join_asof(answers, on="turn", by="key", strategy="forward", check_sortedness=False)
    found = found.drop_nulls("response").unique(["key", "response"], keep="first", maintain_order=True)
    return found.select("key", turn="response", contaminated_by="benchmark")


def _hits(workspace: Workspace, index: int, policy: Policy, verdict: str) -> pl.DataFrame:
    """The hits of a shard, where that is what becomes of them."""
    if "contamination" not in policy.tables or policy.contaminated != verdict:
        return pl.DataFrame(schema={"key": pl.UInt64, "turn": pl.Int32, "benchmark": pl.String})
    return workspace.read("contamination", index, ["key", "turn", "benchmark"])
