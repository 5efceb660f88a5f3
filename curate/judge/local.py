"""The embedded judge: rules that find broken responses. It is not an LLM judge.

It needs no key and no network, says nothing about whether an answer is right, and may only lower a
weight: reward = product of (1 - severity) over the defects that fired, 1 when none did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curate import rules
from curate.judge import LOCAL_NOTE, calibration, features
from curate.judge.cost import Estimate
from curate.judge.result import ScoreResult
from curate.judge.sample import inputs, kept_conversations, sample
from curate.judge.table import count, scores
from curate.workspace import fingerprint

if TYPE_CHECKING:
    import pyarrow as pa

    from curate.console import Talk
    from curate.rules import RuleSet
    from curate.workspace import Workspace


def load_rules() -> RuleSet:
    """The defect rules, with their cases run."""
    return rules.load("defects.toml", "defects")


def rubric_name(defects: RuleSet) -> str:
    """`defects@` and eight digits that change when the rules or the features may decide otherwise."""
    return f"defects@{fingerprint(features.VERSION, defects.fingerprint)[:8]}"


def judge(conversations: pl.DataFrame, defects: RuleSet) -> pl.DataFrame:
    """One row per response: `key`, `turn`, `reward`, `aspects`, `rationale`.

    Args:
        conversations: Rows with `key` and `messages`.
        defects: Rules of kind `defects`.

    Returns:
        `aspects` holds the severity of every defect that fired; `rationale` their names, null = none.
    """
    measured = features.features(conversations)
    severities = {rule.name: float(rule.verdict) for rule in defects.rules}
    answers = (rule.expression.fill_null(False).alias(rule.name) for rule in defects.rules)
    fired = measured.select("key", "turn", *answers)
    aspects = [
        pl.when(pl.col(name)).then(pl.struct(name=pl.lit(name), score=pl.lit(severity, pl.Float32)))
        for name, severity in severities.items()
    ]
    names = pl.concat_list(pl.when(pl.col(name)).then(pl.lit(name)) for name in severities).list.drop_nulls()
    kept = [pl.when(pl.col(name)).then(1.0 - severity).otherwise(1.0) for name, severity in severities.items()]
    return fired.select(
        "key",
        "turn",
        reward=pl.fold(pl.lit(1.0), lambda product, factor: product * factor, kept).cast(pl.Float32),
        aspects=pl.concat_list(aspects).list.drop_nulls(),
        rationale=pl.when(names.list.len() > 0).then(names.list.join(", ")),
    )


def run(
    ws: Workspace,
    talk: Talk,
    *,
    limit: int | None,
    share: float | None,
    where: str | None,
    seed: int,
    dry_run: bool,
) -> ScoreResult:
    """Judge the workspace; see `curate.judge.score`."""
    defects = load_rules()
    rubric = rubric_name(defects)
    if dry_run:
        talk.say("the local judge costs nothing: no call, no token")
        return ScoreResult("local", rubric, estimate=Estimate(0, 0, 0, 0, 0, 0.0), note=LOCAL_NOTE)
    chosen = sample(ws, limit, seed, share=share, where=where)
    place = {"key": pl.UInt64(), "turn": pl.Int32()}
    wanted = None if chosen is None else pl.DataFrame(sorted(chosen), schema=place, orient="row")

    curve = calibration.load(ws, "local")

    def shard(index: int) -> pa.Table:
        conversations = ws.read("conversations", index, ["key", "messages"])
        kept = kept_conversations(ws, index)
        judged = kept if wanted is None else kept.join(wanted, on="key", how="semi", maintain_order="left")
        verdicts = judge(judged, defects).with_columns(
            score=pl.col("reward"), raw=pl.col("reward"), status=pl.lit("ok"), judgement=pl.lit(None, pl.String)
        )
        if curve is not None:
            fitted = pl.Series("calibrated", [curve.of(raw) for raw in verdicts["raw"]], pl.Float32)
            verdicts = verdicts.with_columns(fitted)
            if curve.use == "calibrated":
                verdicts = verdicts.with_columns(reward=pl.col("calibrated"))
        if wanted is not None:
            verdicts = verdicts.join(wanted, on=["key", "turn"], how="semi", maintain_order="left")
        return scores(conversations, kept, verdicts, "local", rubric)

    shards = ws.shards("conversations")
    options = ["local", rubric, None if chosen is None else sorted(chosen), curve.fingerprint if curve else None]
    with talk.progress("score", len(shards), "shards") as advance:
        ws.map("scores", shard, inputs=inputs(ws), options=options, advance=lambda _: advance(1), processes=True)
    statuses, aspects = count(ws)
    entry = {"judge": "local", "rubric": rubric, "note": LOCAL_NOTE, "limit": limit, "seed": seed}
    ws.record("score", {**entry, "statuses": statuses, "defects": aspects})
    talk.say(f"note: {LOCAL_NOTE}; for one, `curate score --judge MODEL`")
    return ScoreResult("local", rubric, statuses, aspects, note=LOCAL_NOTE)
