"""`curate label`: the class of every response, by what its record says about the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from curate import rules
from curate.console import Talk
from curate.errors import CurateError
from curate.responses import responses
from curate.schema import TABLES
from curate.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

VERSION = 1


@dataclass(frozen=True)
class LabelResult:
    """How the responses were labelled.

    Attributes:
        responses: All of them.
        classes: Responses per class; `unknown` where no rule fired.
        rules: Responses per deciding rule.
    """

    responses: int
    classes: dict[str, int]
    rules: dict[str, int]


def label(
    workspace: str | Path, *, rules_file: str = "labels.toml", assume: str | None = None, quiet: bool = False
) -> LabelResult:
    """Give every response its class; the first rule that fires decides, no rule means unknown.

    Args:
        workspace: Folder of the workspace.
        rules_file: Rule file of kind `labels`, by path or name.
        assume: Class of the responses that no rule knows, on the user's own word; recorded as rule `assumed`.
        quiet: Say nothing but warnings.

    Raises:
        RuleError: The rule file has mistakes.
        WorkspaceError: Not a workspace, or its ingest was interrupted.
    """
    rule_set = rules.load(rules_file, "labels")
    if assume is not None and not assume.strip():
        raise CurateError("`assume` is empty", hint="a class such as gpt-3.5")
    ws = Workspace(workspace)

    def shard(index: int) -> pa.Table:
        columns = ["key", "messages", "model", "source", "source_file", "source_id"]
        conversations = ws.read("conversations", index, columns)
        with rules.evaluating(rule_set):
            return _labels(conversations, rule_set, assume)

    with ws.lock(), Talk(quiet=quiet).progress("label", len(ws.shards("conversations")), "shards") as advance:
        options = {"version": VERSION, "rules": rule_set.fingerprint, "assume": assume}
        ws.map("labels", shard, inputs=["conversations"], options=options, advance=lambda _: advance(1))
        result = _count(ws)
        ws.record("label", {**options, "responses": result.responses, "classes": result.classes, "by": result.rules})
    return result


def _labels(conversations: pl.DataFrame, rule_set: rules.RuleSet, assume: str | None) -> pa.Table:
    origin = conversations.select("key", "source", "source_file", "source_id", conversation_model="model")
    rows = (
        responses(conversations.select("key", "messages"))
        .drop("response", "prompt", "last")
        .join(origin, on="key", how="left", maintain_order="left")
        .with_columns(model=pl.coalesce("model", "conversation_model"))
    )
    verdict, name = pl.lit(assume, pl.String), pl.lit(None if assume is None else "assumed", pl.String)
    for rule in reversed(rule_set.rules):
        verdict = pl.when(rule.expression).then(pl.lit(rule.verdict)).otherwise(verdict)
        name = pl.when(rule.expression).then(pl.lit(rule.name)).otherwise(name)
    seen = pl.concat_str(
        [pl.format("{} = {}", pl.lit(column), pl.col(column)) for column in ("model", "name")],
        separator="; ",
        ignore_nulls=True,
    )
    labels = rows.select(
        "key",
        "turn",
        verdict.alias("class"),
        name.alias("rule"),
        pl.when(name == "assumed")
        .then(pl.lit(f"--assume {assume}"))
        .when(name.is_not_null())
        .then(seen.str.slice(0, 200))
        .alias("evidence"),
    )
    return labels.to_arrow().cast(TABLES["labels"].arrow)


def _count(ws: Workspace) -> LabelResult:
    rows = ws.scan("labels").group_by("class", "rule").len().collect().sort("len", "class", "rule", descending=True)
    classes: dict[str, int] = {}
    by_rule: dict[str, int] = {}
    for class_, rule, count in rows.iter_rows():
        classes[class_ or "unknown"] = classes.get(class_ or "unknown", 0) + count
        if rule is not None:
            by_rule[rule] = by_rule.get(rule, 0) + count
    return LabelResult(sum(classes.values()), classes, by_rule)
