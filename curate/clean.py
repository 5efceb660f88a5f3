"""`curate clean`: which cleaning rules fire on each conversation. A flag never deletes a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from curate import rules
from curate.console import Talk
from curate.responses import messages
from curate.schema import TABLES
from curate.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

VERSION = 1
# Begins each response in `response_text`, so that a rule can ask how a response starts.
RECORD_SEPARATOR = "\x1e"


@dataclass(frozen=True)
class CleanResult:
    """How many conversations each rule flagged.

    Attributes:
        conversations: All of them.
        flagged: Those that at least one rule flagged.
        rules: Conversations per rule, most first.
    """

    conversations: int
    flagged: int
    rules: dict[str, int]


def clean(workspace: str | Path, *, rules_file: str = "clean.toml", quiet: bool = False) -> CleanResult:
    """Flag every conversation with the cleaning rules that fire on it; `curate export` decides later.

    Args:
        workspace: Folder of the workspace.
        rules_file: Rule file of kind `clean`, by path or name.
        quiet: Say nothing but warnings.

    Raises:
        RuleError: The rule file has mistakes.
        WorkspaceError: Not a workspace, or its ingest was interrupted.
    """
    rule_set = rules.load(rules_file, "clean")
    ws = Workspace(workspace)

    def shard(index: int) -> pa.Table:
        conversations = ws.read("conversations", index, ["key", "messages"])
        with rules.evaluating(rule_set):
            return _flags(conversations, rule_set)

    with ws.lock(), Talk(quiet=quiet).progress("clean", len(ws.shards("conversations")), "shards") as advance:
        options = {"version": VERSION, "rules": rule_set.fingerprint}
        ws.map("flags", shard, inputs=["conversations"], options=options, advance=lambda _: advance(1))
        result = _count(ws)
        ws.record(
            "clean",
            {**options, "conversations": result.conversations, "flagged": result.flagged, "by": result.rules},
        )
    return result


def features(conversations: pl.DataFrame) -> pl.DataFrame:
    """What cleaning rules may ask about, one row per conversation; `rules.COLUMNS["clean"]` says what each means.

    Args:
        conversations: Rows with `key` and `messages`.
    """
    role, content = pl.col("role"), pl.col("content")
    blank = ~content.str.contains(r"[^\s\u200b\u200c\u200d\u2060\ufeff]")
    spoken = role.filter(role != "system")

    def text(of: str, begin: str = "") -> pl.Expr:
        return (pl.lit(begin) + content.filter(role == of)).str.join("\n")

    rows = (
        messages(conversations)
        .group_by("key", maintain_order=True)
        .agg(
            messages=pl.len().cast(pl.Int64),
            prompts=(role == "user").sum().cast(pl.Int64),
            responses=(role == "assistant").sum().cast(pl.Int64),
            chars=content.str.len_chars().sum().cast(pl.Int64),
            first_role=spoken.first(),
            last_role=role.last(),
            empty_prompts=(blank & (role == "user")).sum().cast(pl.Int64),
            empty_responses=(blank & (role == "assistant")).sum().cast(pl.Int64),
            repeated_roles=(spoken == spoken.shift(1)).sum().cast(pl.Int64),
            system_text=text("system"),
            prompt_text=text("user"),
            response_text=text("assistant", RECORD_SEPARATOR),
        )
    )
    return conversations.select("key").join(rows, on="key", how="left", maintain_order="left")


def _flags(conversations: pl.DataFrame, rule_set: rules.RuleSet) -> pa.Table:
    answers = features(conversations).select("key", *(rule.expression.alias(rule.name) for rule in rule_set.rules))
    names = [rule.name for rule in rule_set.rules]

    def which(condition: pl.Expr, name: str) -> pl.Expr:
        return pl.when(condition).then(pl.lit(name))

    flags = answers.select(
        "key",
        rules=pl.concat_list(which(pl.col(name), name) for name in names).list.drop_nulls(),
        unknown=pl.concat_list(which(pl.col(name).is_null(), name) for name in names).list.drop_nulls(),
    )
    return flags.to_arrow().cast(TABLES["flags"].arrow)


def _count(ws: Workspace) -> CleanResult:
    flags = ws.scan("flags").select("rules")
    total, flagged = flags.select(pl.len(), flagged=(pl.col("rules").list.len() > 0).sum()).collect().row(0)
    by_rule = flags.explode("rules").drop_nulls().group_by("rules").len().sort("len", "rules", descending=True)
    return CleanResult(total, flagged, dict(by_rule.collect().iter_rows()))
