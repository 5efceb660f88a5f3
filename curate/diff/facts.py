"""What a workspace says of its conversations, a row each, without their texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curate import redact
from curate.corrections.override import override
from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.export.policy import Policy
    from curate.workspace import Workspace

KEPT = "kept"
EXPORTED = "exported"
ABOUT = 60  # characters
RESPONSE = pl.Struct(
    {"turn": pl.Int32(), "class": pl.String(), "rule": pl.String(), "reward": pl.Float32(), "weight": pl.Float32()}
)


def weighing(ws: Workspace) -> Policy | None:
    """What an export with default options would decide by; None = it would refuse."""
    from curate.export.policy import default_policy

    try:
        return default_policy(ws)
    except CurateError:
        return None


def facts(ws: Workspace, index: int, policy: Policy | None) -> pl.DataFrame:
    """The conversations of a shard.

    Args:
        ws: The workspace.
        index: The shard.
        policy: From `weighing`; without one there are no weights and no verdicts of the export.

    Returns:
        `hash`, `file` (its name without folders), `row`, `key`, `about` (how the first prompt begins), `flags`,
        `duplicate` (`kept`, or the kind), `export` (`exported`, or why not) and `responses` (list of `RESPONSE`).
        Null where a stage did not run.
    """
    from curate.responses import messages

    frame = redact.read(ws, index, ["key", "content_hash", "source_file", "source_row", "messages"])
    turns = messages(frame)
    first = turns.filter(pl.col("role") == "user").unique("key", keep="first", maintain_order=True)
    about = first.select("key", about=pl.col("content").str.slice(0, ABOUT))
    responses = turns.filter(pl.col("role") == "assistant").select("key", "turn")
    responses = _beside(ws, index, responses, "labels", {"class": pl.String(), "rule": pl.String()})
    responses = _beside(ws, index, responses, "scores", {"reward": pl.Float32()})
    # As the export reads them: what was said by hand wins.
    responses = override(ws, responses, frame).drop("corrected_class", "corrected_reward")
    responses, verdicts = _weighed(ws, index, responses, policy)
    of_each = responses.group_by("key", maintain_order=True).agg(responses=pl.struct(*RESPONSE.to_schema()))
    frame = frame.select(
        "key", hash="content_hash", file=pl.col("source_file").str.replace(r"^.*[/\\]", ""), row="source_row"
    )
    for other in (about, _flags(ws, index), _duplicates(ws, index), verdicts, of_each):
        frame = frame.join(other, on="key", how="left", maintain_order="left")
    names = ("hash", "file", "row", "key", "about", "flags", "duplicate", "export", "responses")
    return frame.select(names).with_columns(pl.col("responses").cast(pl.List(RESPONSE)))


def _beside(ws: Workspace, index: int, rows: pl.DataFrame, table: str, columns: dict[str, pl.DataType]) -> pl.DataFrame:
    if not ws.shard(table, index).exists():
        return rows.with_columns(pl.lit(None, type_).alias(name) for name, type_ in columns.items())
    other = ws.read(table, index, ["key", "turn", *columns])
    return rows.join(other, on=["key", "turn"], how="left", maintain_order="left")


def _weighed(
    ws: Workspace, index: int, responses: pl.DataFrame, policy: Policy | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Responses with their `weight`, and `key` and `export` of the conversations."""
    from curate.export.mix import mix

    nothing = pl.DataFrame(schema={"key": pl.UInt64, "export": pl.String})
    if policy is None:
        return responses.with_columns(weight=pl.lit(None, pl.Float32)), nothing
    mixed = mix(ws, index, policy)
    verdicts = mixed.conversations.select("key", export=pl.col("dropped").fill_null(EXPORTED))
    gone = verdicts.filter(pl.col("export") != EXPORTED).select("key", gone=pl.lit(True))
    weights = mixed.responses.select("key", "turn", "weight").join(gone, on="key", how="left")
    weights = weights.select("key", "turn", pl.when("gone").then(0.0).otherwise("weight").alias("weight"))
    return responses.join(weights, on=["key", "turn"], how="left", maintain_order="left"), verdicts


def _flags(ws: Workspace, index: int) -> pl.DataFrame:
    if not ws.shard("flags", index).exists():
        return pl.DataFrame(schema={"key": pl.UInt64, "flags": pl.List(pl.String)})
    return ws.read("flags", index, ["key", "rules"]).rename({"rules": "flags"})


def _duplicates(ws: Workspace, index: int) -> pl.DataFrame:
    if not ws.shard("duplicates", index).exists():
        return pl.DataFrame(schema={"key": pl.UInt64, "duplicate": pl.String})
    kind = pl.when(pl.col("removed_by").is_null()).then(pl.lit(KEPT)).otherwise(pl.col("kind").fill_null("removed"))
    return ws.read("duplicates", index, ["key", "removed_by", "kind"]).select("key", duplicate=kind)
