"""From verdicts to the table `scores`: every response gets a row, and a reason when it has no score."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from curate.responses import responses
from curate.schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.workspace import Workspace

STATUSES = ("ok", "unparsed", "refused", "failed", "skipped")

# What a judge says about a response; `key` and `turn` name it.
VERDICT: dict[str, pl.DataType] = {
    "key": pl.UInt64(),
    "turn": pl.Int32(),
    "reward": pl.Float32(),
    "score": pl.Float32(),
    "raw": pl.Float32(),
    "percentile": pl.Float32(),
    "calibrated": pl.Float32(),
    "aspects": pl.List(pl.Struct({"name": pl.String(), "score": pl.Float32()})),
    "raised": pl.List(pl.String()),
    "status": pl.String(),
    "rubric": pl.String(),
    "rationale": pl.String(),
    "spread": pl.Float32(),
    "samples": pl.Int32(),
    "judged_task": pl.String(),
    "judgement": pl.String(),
}


def scores(
    conversations: pl.DataFrame, kept: pl.DataFrame, verdicts: pl.DataFrame, judge: str, rubric: str
) -> pa.Table:
    """The shard of `scores` for a shard of conversations.

    Args:
        conversations: All conversations of the shard.
        kept: Those that are no duplicates.
        verdicts: Rows with the columns of `VERDICT`, of which those that may be null may be missing; a response
            without one was skipped.
        judge: Name of the judge.
        rubric: name@version of responses whose verdict names none.
    """
    rows = responses(conversations).select("key", "turn")
    kept_keys = kept.select("key", kept=pl.lit(True))
    why = pl.when(pl.col("kept").is_null()).then(pl.lit("duplicate")).otherwise(pl.lit("not in the sample"))
    judged = pl.col("status").is_not_null()
    verdicts = verdicts.with_columns(pl.lit(None).alias(name) for name in VERDICT if name not in verdicts.columns)
    table = (
        rows.join(kept_keys, on="key", how="left", maintain_order="left")
        .join(verdicts.select(VERDICT.keys()).cast(VERDICT), on=["key", "turn"], how="left", maintain_order="left")  # type: ignore[arg-type]
        .with_columns(
            pl.col("status").fill_null("skipped"),
            pl.col("aspects").fill_null([]),
            pl.col("raised").fill_null([]),
            pl.col("samples").fill_null(pl.col("reward").is_not_null().cast(pl.Int32)),
            pl.coalesce("raw", "reward").alias("raw"),
            judge=pl.lit(judge),
            rubric=pl.col("rubric").fill_null(rubric),
            rationale=pl.when(judged).then(pl.col("rationale")).otherwise(why),
        )
    )
    schema = TABLES["scores"].arrow
    return table.select(schema.names).to_arrow().cast(schema)



def count(ws: Workspace) -> tuple[dict[str, int], dict[str, int]]:
    """Responses per status (every status, in the order of `STATUSES`) and per aspect, by name."""
    statuses, aspects = Counter[str](), Counter[str]()
    names = pl.col("aspects").list.eval(pl.element().struct.field("name"))
    for index in ws.shards("scores"):
        table = ws.read("scores", index, ["status", "aspects"])
        statuses.update(table["status"].to_list())
        named = table.select(names).explode("aspects", empty_as_null=False, keep_nulls=False)
        aspects.update(named["aspects"].to_list())
    return {status: statuses[status] for status in STATUSES}, dict(sorted(aspects.items()))
