"""Corrections by hand win over what rules and judges said: the one place where the export asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curate.corrections import store

if TYPE_CHECKING:
    from curate.workspace import Workspace

RULE = "corrected"


def override(ws: Workspace, responses: pl.DataFrame, conversations: pl.DataFrame) -> pl.DataFrame:
    """The same rows with every corrected `class` and `reward`, the former under the rule `corrected`.

    Args:
        ws: The workspace.
        responses: Rows with `key`, `turn`, `class`, `rule` and `reward`.
        conversations: Those that they are of, with `key` and `content_hash`.

    Returns:
        The rows, with `corrected_class` and `corrected_reward` (whether it was).
    """
    said = store.current(ws).select(*store.RESPONSE, said_class="class", said_reward="reward")
    joined = responses.join(conversations.select("key", "content_hash"), on="key", how="left", maintain_order="left")
    joined = joined.join(said, on=store.RESPONSE, how="left", maintain_order="left")
    class_, reward = pl.col("said_class"), pl.col("said_reward")
    return joined.with_columns(
        pl.when(class_.is_null()).then("class").when(class_ != store.UNKNOWN).then(class_).alias("class"),
        pl.when(class_.is_null()).then("rule").otherwise(pl.lit(RULE)).alias("rule"),
        pl.coalesce(reward, "reward").alias("reward"),
        corrected_class=class_.is_not_null(),
        corrected_reward=reward.is_not_null(),
    ).drop("content_hash", "said_class", "said_reward")
