"""`curate label`: the class of every response, by what its record says about the source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from curate import redact, reward, rules, tasks
from curate.console import Talk
from curate.errors import CurateError
from curate.label import classes, side_file, stated
from curate.label.claims import ALONE
from curate.label.decide import Policy, decide
from curate.label.explain import Explanation
from curate.label.explain import explain as explain_labels
from curate.schema import TABLES
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from curate.label.side_file import SideFile

__all__ = ["LabelResult", "label"]

VERSION = 3
COLUMNS = ("key", "messages", "model", "created_at", "marks", *stated.PLACES, "source_id", "source_row", "content_hash")


@dataclass(frozen=True)
class LabelResult:
    """How the responses were labelled.

    Attributes:
        responses: All of them.
        classes: Responses per class; `unknown` where nothing decided, or what decided cannot be.
        rules: Responses per deciding rule.
        conflicts: Responses with evidence against their class, by kind.
        claims: Responses of unknown class that say who they are, by the name of the claim.
        verified: Responses of conversations that people checked.
        tasks: Conversations per task.
        unmatched: Rows of the side file that speak of no response; None without a side file.
        undecided: Rows of the side file that decide nothing, as no rule knows their model; None without one.
        explanation: Examples of all that; None when nobody asked.
    """

    responses: int
    classes: dict[str, int]
    rules: dict[str, int]
    conflicts: dict[str, int]
    claims: dict[str, int]
    verified: int
    tasks: dict[str, int] = field(default_factory=dict)
    unmatched: int | None = None
    undecided: int | None = None
    explanation: Explanation | None = None


def label(
    workspace: str | Path,
    *,
    rules_file: str = "labels.toml",
    impossible: str = "impossible.toml",
    claims: str = "claims.toml",
    labels: str | None = None,
    sources: Mapping[str, str] | None = None,
    assume: str | None = None,
    weights: str = "weights.toml",
    tasks_file: str = "tasks.toml",
    semantic: bool = False,
    embedder: str | None = None,
    explain: bool = False,
    engine: str = "local",
    quiet: bool = False,
) -> LabelResult:
    """Give every response its class.

    The first of these that knows decides: the side file, the rules, the class of the source, the assumed class.
    A class that cannot be is taken away again. Evidence against a class is listed and decides nothing.

    Args:
        workspace: Folder of the workspace.
        rules_file: Rule file of kind `labels`, by path or name; its first rule that fires counts.
        impossible: Rule file of kind `impossible`: classes that the date or the source rules out.
        claims: Rule file of kind `claims`: what responses say of themselves.
        labels: Side file of known classes: CSV, JSON Lines or Parquet; see `curate.label.side_file`.
        sources: Class by `source` or `source_file`, for responses that no rule knows.
        assume: Class of the responses that nothing else knows, on the user's own word; recorded as rule `assumed`.
        weights: File of the class weights: a class that the user gives must be there, or be one that a rule gives.
        tasks_file: Rule file of kind `tasks`.
        semantic: For the tasks that no rule knows, ask a classifier; needs the extra `semantic`.
        embedder: Model of that classifier; without one, the one that the extra brings.
        explain: Fill in `explanation`.
        engine: Who makes the shards, see `curate.engine`.
        quiet: Say nothing but warnings.

    Raises:
        RuleError: A rule file has mistakes.
        InputError: The side file cannot be used.
        CurateError: A class is empty or known to nobody, or `sources` names no source of the workspace.
        WorkspaceError: Not a workspace, or its ingest was interrupted.
    """
    rule_set = rules.load(rules_file, "labels")
    if assume is not None and not assume.strip():
        raise CurateError("`assume` is empty", hint="a class such as gpt-3.5")
    policy = Policy(
        rules=rule_set,
        impossible=rules.load(impossible, "impossible"),
        claims=rules.load(claims, "claims"),
        side=None if labels is None else side_file.read(labels, rule_set),
        sources=dict(sources or {}),
        assume=assume,
    )
    ws = Workspace(workspace, engine=engine)
    stated.check(ws, policy.sources)
    classes.check(classes.given(policy.side, policy.sources, assume), rule_set, reward.read_weights(weights))
    talk = Talk(quiet=quiet)

    def shard(index: int) -> pa.Table:
        # A side file names conversations by the ids that their records have.
        return decide(redact.read(ws, index, COLUMNS, source_ids=False), policy).to_arrow().cast(TABLES["labels"].arrow)

    by_task = tasks.assign(ws, rules_file=tasks_file, semantic=semantic, embedder=embedder, talk=talk)
    with ws.lock(), talk.progress("label", len(ws.shards("conversations")), "shards") as advance:
        options = {"version": VERSION, **policy.options}
        ws.map("labels", shard, inputs=redact.inputs(ws), options=options, advance=lambda _: advance(1), processes=True)
        result = replace(_count(ws), tasks=by_task)
        if policy.side:
            unmatched = _unmatched(ws, policy.side, talk)
            result = replace(result, unmatched=unmatched, undecided=policy.side.undecided.height)
        ws.record("label", {**options, **_entry(result)})
    return replace(result, explanation=explain_labels(ws)) if explain else result


def _entry(result: LabelResult) -> dict[str, Any]:
    """What the manifest keeps of a result."""
    return {
        "responses": result.responses,
        "classes": result.classes,
        "by": result.rules,
        "conflicts": result.conflicts,
        "claims": result.claims,
        "verified": result.verified,
        "tasks": result.tasks,
        "unmatched": result.unmatched,
        "undecided": result.undecided,
    }


def _unmatched(ws: Workspace, side: SideFile, talk: Talk) -> int:
    """How many rows of the side file speak of no response; said when there are any, as is what decides nothing."""
    if side.ignored:
        names = ", ".join(f"`{name:.40}`" for name in side.ignored)
        talk.warn(f"columns of {side.path} that mean nothing: {names}")
    if (idle := side.undecided).height:
        row = idle.row(0, named=True)
        what = f"rows of {side.path} that decide nothing, as no rule knows their model: {idle.height:,}"
        talk.warn(f"{what}; the first is {side.place(row)} ({row['side_evidence']})")
    missing = side.unmatched(ws)
    if missing.height:
        first = side.place(missing.row(0, named=True))
        talk.warn(f"rows of {side.path} that speak of no response: {missing.height:,}; the first is {first}")
    return missing.height


def _count(ws: Workspace) -> LabelResult:
    table = ws.scan("labels")
    rows = table.group_by("class", "rule").len().collect(engine="streaming")
    rows = rows.sort("len", "class", "rule", descending=True)
    classes: Counter[str] = Counter()
    by_rule: Counter[str] = Counter()
    for class_, rule, count in rows.iter_rows():
        classes[class_ or "unknown"] += count
        if rule is not None:
            by_rule[rule] += count
    texts = table.select("conflicts").explode("conflicts", empty_as_null=False, keep_nulls=False)
    kind, about = (pl.col("conflicts").str.split(": ").list.get(place, null_on_oob=True) for place in (0, 1))
    found = texts.select(kind=kind, claim=pl.when(kind == ALONE).then(about)).group_by("kind", "claim").len()
    ordered = found.collect(engine="streaming").sort(-pl.col("len").cast(pl.Int64), "kind", "claim")
    checked = ws.scan("conversations").filter(pl.col("marks").list.contains("verified")).select("key")
    return LabelResult(
        responses=classes.total(),
        classes=dict(classes),
        rules=dict(by_rule),
        conflicts={kind: count for kind, claim, count in ordered.iter_rows() if claim is None},
        claims={claim: count for _, claim, count in ordered.iter_rows() if claim is not None},
        verified=table.join(checked, on="key", how="semi").select(pl.len()).collect(engine="streaming").item(),
    )
