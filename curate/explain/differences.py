"""What a rule file would change in the table that a workspace has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from curate.tasks import OTHER, SEMANTIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.rules import RuleSet
    from curate.workspace import Workspace

# The table that rules of a kind decide.
TABLES = {"labels": "labels", "clean": "flags", "defects": "scores", "tasks": "tasks"}
# Rules of the table `labels` that stand in no rule file: the ones that go before it, and those that come after.
_BEFORE = r"^(side_file$|impossible:)"
_AFTER = ("source_default", "assumed")


@dataclass(frozen=True)
class Change:
    """Rows that would change alike.

    Attributes:
        before: What the table says now.
        after: What it would say.
        count: How many rows.
    """

    before: str
    after: str
    count: int


def comparable(kind: str, ws: Workspace | None) -> bool:
    """Whether the workspace has the whole table that rules of a kind decide; conditions have none."""
    return ws is not None and kind in TABLES and bool(ws.shards(TABLES[kind])) and ws.has(TABLES[kind])


class Changes:
    """The changes of all shards seen so far."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, ws: Workspace, index: int, rule_set: RuleSet, fired: Sequence[pl.DataFrame]) -> None:
        """Compare one shard.

        Args:
            ws: The workspace.
            index: The shard.
            rule_set: The rules.
            fired: Frames with `key`, `turn` and the answer of each rule, under its name.
        """
        compare = {"labels": _labels, "clean": _flags, "defects": _defects, "tasks": _tasks}[rule_set.kind]
        pairs = compare(ws, index, rule_set, fired).filter(pl.col("before") != pl.col("after"))
        for before, after, count in pairs.group_by("before", "after").len().iter_rows():
            self._counts[before, after] += count

    def listed(self) -> list[Change]:
        """All of them, most first."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [Change(before, after, count) for (before, after), count in ordered]


def _first(rule_set: RuleSet) -> pl.Expr:
    """The verdict of the first rule that fires; null where none does."""
    return pl.coalesce([pl.when(pl.col(rule.name)).then(pl.lit(rule.verdict)) for rule in rule_set.rules])


def _labels(ws: Workspace, index: int, rule_set: RuleSet, fired: Sequence[pl.DataFrame]) -> pl.DataFrame:
    table = ws.read("labels", index, ["key", "turn", "class", "rule"])
    verdicts = fired[0].select("key", "turn", verdict=_first(rule_set))
    joined = table.join(verdicts, on=["key", "turn"], how="left", maintain_order="left")
    stays = pl.col("rule").str.contains(_BEFORE) | (pl.col("verdict").is_null() & pl.col("rule").is_in(_AFTER))
    after = pl.when(stays.fill_null(False)).then("class").otherwise("verdict")
    return joined.select(before=pl.col("class").fill_null("unknown"), after=after.fill_null("unknown"))


def _tasks(ws: Workspace, index: int, rule_set: RuleSet, fired: Sequence[pl.DataFrame]) -> pl.DataFrame:
    table = ws.read("tasks", index)
    verdicts = fired[0].select("key", verdict=_first(rule_set))
    joined = table.join(verdicts, on="key", how="left", maintain_order="left")
    told = pl.when(pl.col("rule") == SEMANTIC).then("task")
    return joined.select(before="task", after=pl.coalesce("verdict", told, pl.lit(OTHER)))


def _flags(ws: Workspace, index: int, rule_set: RuleSet, fired: Sequence[pl.DataFrame]) -> pl.DataFrame:
    table = ws.read("flags", index, ["key", "rules"])
    before = table.select("key", name=pl.col("rules")).explode("name", empty_as_null=False, keep_nulls=False)
    return _gained_and_lost(before, _hits(fired, ["key"]), ["key"])


def _defects(ws: Workspace, index: int, rule_set: RuleSet, fired: Sequence[pl.DataFrame]) -> pl.DataFrame:
    table = ws.read("scores", index, ["key", "turn", "judge", "status", "rationale"])
    judged = table.filter((pl.col("judge") == "local") & (pl.col("status") == "ok"))
    place = ["key", "turn"]
    before = judged.select(*place, name=pl.col("rationale").str.split(", ")).drop_nulls().explode("name")
    return _gained_and_lost(before, _hits(fired, place).join(judged, on=place, how="semi"), place)


def _hits(fired: Sequence[pl.DataFrame], place: list[str]) -> pl.DataFrame:
    """`name` of each rule that fires, by place, each once."""
    named = [
        frame.filter(pl.col(rule)).select(*place, name=pl.lit(rule))
        for frame in fired
        for rule in frame.columns
        if rule not in ("key", "turn")
    ]
    return pl.concat(named).unique()


def _gained_and_lost(before: pl.DataFrame, after: pl.DataFrame, place: list[str]) -> pl.DataFrame:
    """A row per flag that would come or go: `not NAME` on the other side."""
    on = [*place, "name"]
    missing = pl.format("not {}", "name")
    lost = before.join(after, on=on, how="anti").select(before="name", after=missing)
    gained = after.join(before, on=on, how="anti").select(before=missing, after="name")
    return pl.concat([lost, gained])
