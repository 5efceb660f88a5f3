"""What rules of each kind see of a workspace, one shard at a time: the same rows as the stage that uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curate import redact, rules, tasks
from curate.clean import features, personal
from curate.errors import RuleError
from curate.responses import responses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curate.rules import Rule, RuleSet
    from curate.workspace import Workspace

# What a row is, by kind.
UNITS = {
    "labels": "responses",
    "clean": "conversations",
    "defects": "responses",
    "tasks": "conversations",
    "conditions": "responses",
    "weights": "responses",
}
# Kinds of which only the first rule that fires counts.
FIRST_WINS = ("labels", "tasks", "conditions", "weights")


def require(rule_set: RuleSet) -> None:
    """Refuse rules that say nothing without the stage around them.

    Raises:
        RuleError: Of a kind that only makes sense after others.
    """
    if rule_set.kind not in UNITS:
        raise RuleError(
            f"rules of kind `{rule_set.kind}` cannot be tried alone",
            where=rule_set.path,
            hint="`curate label --explain` shows what they do",
        )


def batches(ws: Workspace, index: int, rule_set: RuleSet) -> Iterator[tuple[pl.DataFrame, Sequence[Rule]]]:
    """Rows of a shard with the rules that ask about them.

    Returns:
        Frames with `key`, `source`, `turn` (int32, null where a row is a conversation) and the columns of the kind.
    """
    # Only cleaning looks at texts as they came in.
    conversations = ws.read("conversations", index) if rule_set.kind == "clean" else redact.read(ws, index)
    sources = conversations.select("key", source_name="source")
    for rows, asking in _BATCHES[rule_set.kind](ws, index, conversations, rule_set.rules):
        if "turn" not in rows.columns:
            rows = rows.with_columns(turn=pl.lit(None, pl.Int32))
        yield rows.join(sources, on="key", how="left", maintain_order="left"), asking


def _labels(
    ws: Workspace, index: int, conversations: pl.DataFrame, asking: Sequence[Rule]
) -> Iterator[tuple[pl.DataFrame, Sequence[Rule]]]:
    from curate.label.decide import response_rows

    yield response_rows(conversations), asking


def _clean(
    ws: Workspace, index: int, conversations: pl.DataFrame, asking: Sequence[Rule]
) -> Iterator[tuple[pl.DataFrame, Sequence[Rule]]]:
    # What is redacted is no reason to flag any more.
    found = pl.DataFrame(schema=personal.SPANS) if "flags" in redact.inputs(ws) else None
    for unit in rules.UNITS:
        mine = [rule for rule in asking if rule.unit == unit]
        wanted = list(dict.fromkeys(name for rule in mine for name in rule.expression.meta.root_names()))
        if mine and unit == "conversation":
            yield features.of_conversations(conversations, wanted, found), mine
        elif mine:
            yield features.of_messages(conversations, unit, wanted), mine


def _defects(
    ws: Workspace, index: int, conversations: pl.DataFrame, asking: Sequence[Rule]
) -> Iterator[tuple[pl.DataFrame, Sequence[Rule]]]:
    from curate.judge.features import features as measured

    yield measured(conversations), asking


def _tasks(
    ws: Workspace, index: int, conversations: pl.DataFrame, asking: Sequence[Rule]
) -> Iterator[tuple[pl.DataFrame, Sequence[Rule]]]:
    yield tasks.features(conversations), asking


def _conditions(
    ws: Workspace, index: int, conversations: pl.DataFrame, asking: Sequence[Rule]
) -> Iterator[tuple[pl.DataFrame, Sequence[Rule]]]:
    """Rows as the mixer makes them, with null for what no stage has said yet."""
    verified = pl.col("marks").list.contains("verified")
    origin = conversations.select("key", "source", verified=verified, conversation_model="model", stated="task")
    frame = (
        responses(conversations)
        .join(origin, on="key", how="left", maintain_order="left")
        .with_columns(model=pl.coalesce("model", "conversation_model"))
    )
    for table, column, on, type_ in (
        ("labels", "class", ["key", "turn"], pl.String()),
        ("scores", "reward", ["key", "turn"], pl.Float32()),
        ("tasks", "task", ["key"], pl.String()),
    ):
        if ws.shard(table, index).exists():
            other = ws.read(table, index, [*on, column])
            frame = frame.join(other, on=on, how="left", maintain_order="left")
        else:
            nothing = pl.col("stated") if column == "task" else pl.lit(None, type_)
            frame = frame.with_columns(nothing.alias(column))
    yield frame, asking


_BATCHES = {
    "labels": _labels,
    "clean": _clean,
    "defects": _defects,
    "tasks": _tasks,
    "conditions": _conditions,
    "weights": _conditions,
}
