"""`curate clean`: which cleaning rules fire on each conversation. A flag never deletes a row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from curate import rules
from curate.clean import features, personal
from curate.console import Talk
from curate.responses import messages
from curate.schema import TABLES
from curate.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from curate.rules import RuleSet

VERSION = 3


@dataclass(frozen=True)
class CleanResult:
    """How many conversations each rule flagged.

    Attributes:
        conversations: All of them.
        flagged: Those that at least one rule flagged.
        rules: Conversations per rule, most first.
        redacted: Pieces of text that later stages replace, by kind; None when that was not asked for.
    """

    conversations: int
    flagged: int
    rules: dict[str, int]
    redacted: dict[str, int] | None = None


def clean(
    workspace: str | Path,
    *,
    rules_file: str = "clean.toml",
    redact: bool | None = None,
    engine: str = "local",
    quiet: bool = False,
) -> CleanResult:
    """Flag every conversation with the cleaning rules that fire on it; `curate export` decides later.

    Args:
        workspace: Folder of the workspace.
        rules_file: Rule file of kind `clean`, by path or name.
        redact: Find personal data and secrets, for later stages to replace by placeholders such as `[EMAIL]`;
            None = as the workspace was cleaned before, at first not.
        engine: Who makes the shards, see `curate.engine`.
        quiet: Say nothing but warnings.

    Raises:
        RuleError: The rule file has mistakes.
        WorkspaceError: Not a workspace, or its ingest was interrupted.
    """
    rule_set = rules.load(rules_file, "clean")
    ws, talk = Workspace(workspace, engine=engine), Talk(quiet=quiet)
    redacting = _redacted_before(ws) if redact is None else redact
    if redacting and redact is None:
        talk.say("personal data and secrets are redacted, as before; `curate clean --no-redact` takes that back")

    def shard(index: int) -> pa.Table:
        conversations = ws.read("conversations", index, ["key", "messages", "marks"])
        nothing = pl.DataFrame(schema=personal.SPANS)
        with ThreadPoolExecutor(1) as aside, rules.evaluating(rule_set):
            spans = aside.submit(personal.find, messages(conversations)) if redacting else None
            fired = flags(conversations, rule_set, nothing if redacting else None)
            found = nothing if spans is None else spans.result()
        return fired.with_columns(redact=_spans(fired, found)).to_arrow().cast(TABLES["flags"].arrow)

    with ws.lock(), talk.progress("clean", len(ws.shards("conversations")), "shards") as advance:
        versions = [VERSION, features.VERSION, personal.VERSION]
        options = {"version": versions, "rules": rule_set.fingerprint, "redact": redacting}
        stamp = {"redact": redacting}
        ws.map(
            "flags",
            shard,
            inputs=["conversations"],
            options=options,
            stamp=stamp,
            advance=lambda _: advance(1),
            processes=True,
        )
        result = _count(ws, redacting)
        counts = {"conversations": result.conversations, "flagged": result.flagged, "by": result.rules}
        ws.record("clean", {**options, **counts, "redacted": result.redacted})
    return result


def _redacted_before(ws: Workspace) -> bool:
    """Whether `--redact` was asked for, and not taken back since, by a run that finished or by one that did not."""
    finished = ws.manifest.get("stages", {}).get("clean", {}).get("redact")
    return bool(finished) or any(ws.stamp("flags", index).get("redact") for index in ws.shards("flags"))


def flags(conversations: pl.DataFrame, rule_set: RuleSet, found: pl.DataFrame | None = None) -> pl.DataFrame:
    """Which rules fire on conversations and, for rules about single messages, on which of them.

    Args:
        conversations: Rows with `key`, `messages` and `marks`.
        rule_set: Rules of kind `clean`.
        found: Personal data and secrets that rules shall know of; None = all that `personal.find` finds.

    Returns:
        The columns of the table `flags` but for `redact`. A rule about messages is `unknown` when it cannot tell of
        one of them; it may fire on another.
    """
    units = [unit for unit in rules.UNITS if any(rule.unit == unit for rule in rule_set.rules)]
    # Side by side: what Python looks at keeps one processor busy, what polars looks at the others.
    with ThreadPoolExecutor(len(units)) as threads:
        answers = threads.map(lambda unit: _told(conversations, rule_set, unit, found), units)
        told = dict(zip(units, answers, strict=True))
    rows = conversations.select("key").hstack(told.pop("conversation", conversations.select([])))
    hits = [
        fired.filter(rule.name).select("key", "turn", rule=pl.lit(rule.name))
        for unit, fired in told.items()
        for rule in rule_set.rules
        if rule.unit == unit
    ]
    hit = pl.concat(hits) if hits else pl.DataFrame(schema={"key": pl.UInt64, "turn": pl.Int32, "rule": pl.String})
    turns = hit.group_by("key").agg(turns=pl.struct("turn", "rule").sort_by("turn", maintain_order=True))
    rows = rows.join(turns, on="key", how="left", maintain_order="left")
    fired_on = pl.col("turns").list.eval(pl.element().struct.field("rule"))
    conditions = {
        rule.name: pl.col(rule.name) if rule.unit == "conversation" else fired_on.list.contains(rule.name)
        for rule in rule_set.rules
    }
    for unit, answered in told.items():
        names = [rule.name for rule in rule_set.rules if rule.unit == unit]
        untold = answered.group_by("key").agg(pl.col(names).is_null().any().name.prefix("null "))
        rows = rows.join(untold, on="key", how="left", maintain_order="left")
    unknown = {
        rule.name: pl.col(rule.name).is_null() if rule.unit == "conversation" else pl.col(f"null {rule.name}")
        for rule in rule_set.rules
    }
    return rows.select(
        "key",
        rules=_names(conditions),
        unknown=_names(unknown),
        turns=pl.col("turns").fill_null([]),
    )


def _told(conversations: pl.DataFrame, rule_set: RuleSet, unit: str, found: pl.DataFrame | None) -> pl.DataFrame:
    """The answers of the rules about a unit: a column each, and `key` and `turn` of each message."""
    mine = [rule for rule in rule_set.rules if rule.unit == unit]
    wanted = list(dict.fromkeys(name for rule in mine for name in rule.expression.meta.root_names()))
    answers = [rule.expression.alias(rule.name) for rule in mine]
    if unit == "conversation":
        return features.of_conversations(conversations, wanted, found).select(answers)
    return features.of_messages(conversations, unit, wanted).select("key", "turn", *answers)


def _names(conditions: dict[str, pl.Expr]) -> pl.Expr:
    """Those whose condition holds, as a list."""
    if not conditions:
        return pl.lit([], pl.List(pl.String))
    which = [pl.when(condition).then(pl.lit(name)) for name, condition in conditions.items()]
    return pl.concat_list(which).list.drop_nulls()


def _spans(fired: pl.DataFrame, found: pl.DataFrame) -> pl.Series:
    listed = found.group_by("key", maintain_order=True).agg(redact=pl.struct("turn", "begin", "end", "kind"))
    return fired.select("key").join(listed, on="key", how="left", maintain_order="left")["redact"].fill_null([])


def _count(ws: Workspace, redact: bool) -> CleanResult:
    table = ws.scan("flags").select("rules", "redact")
    counted = table.select(pl.len(), flagged=(pl.col("rules").list.len() > 0).sum())
    total, flagged = counted.collect(engine="streaming").row(0)
    by_rule = _counted(table.select(pl.col("rules").explode(empty_as_null=False, keep_nulls=False)), "rules")
    spans = table.select(pl.col("redact").explode(empty_as_null=False, keep_nulls=False).struct.field("kind"))
    return CleanResult(total, flagged, by_rule, _counted(spans, "kind") if redact else None)


def _counted(values: pl.LazyFrame, name: str) -> dict[str, int]:
    counted = values.group_by(name).len().sort("len", name, descending=True).collect(engine="streaming")
    return dict(counted.iter_rows())
