"""What a histogram can count: scores, aspects, weights, lengths and similarities, read a shard at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from curate.errors import CurateError, WorkspaceError, did_you_mean
from curate.responses import responses
from curate.where import matching

if TYPE_CHECKING:
    from curate.export.policy import Policy
    from curate.workspace import Workspace

ASPECT = "aspect:"
# What each value is measured on: scores are the judge's, the others are known without one.
SCORES = ("reward", "score", "raw", "percentile", "calibrated", "spread")
LENGTHS = ("chars", "prompt_chars", "turns")
SIMILARITIES = ("similarity", "cosine")
COLUMNS = ("reward", "score", "chars", "weight", *SCORES[2:], *LENGTHS[1:], *SIMILARITIES)
# These describe a conversation, so each is counted once per group.
OF_CONVERSATIONS = ("turns", *SIMILARITIES)
# These end at 0 and 1 whatever the values are.
SHARES = ("reward", "raw", "percentile", "calibrated")
GROUPS = ("class", "source", "model", "language", "task", "judge", "rubric", "status", "rule")
_OF_SCORES = ("judge", "rubric", "status")


@dataclass(frozen=True)
class Column:
    """A column to look at, and what separates its groups.

    Attributes:
        name: One of `COLUMNS`, or `aspect:NAME`.
        by: One of `GROUPS`.
        where: Polars SQL condition over the columns of `curate.scan`; None = every response.
    """

    name: str
    by: str
    where: str | None = None

    @property
    def aspect(self) -> str | None:
        """The criterion or defect; None where it is another column."""
        return self.name.removeprefix(ASPECT) if self.name.startswith(ASPECT) else None

    @property
    def judged(self) -> bool:
        """Whether a judge gave the values."""
        return self.name in SCORES or self.aspect is not None

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that must be complete."""
        needed = {
            "scores": self.judged or self.by in _OF_SCORES,
            "labels": self.by in ("class", "rule"),
            "tasks": self.by == "task",
            "duplicates": self.name in SIMILARITIES,
        }
        return ("conversations", *(table for table, wanted in needed.items() if wanted))

    def check(self) -> None:
        """Refuse an unknown column or grouping.

        Raises:
            CurateError: With the nearest known name.
        """
        if self.aspect is None and self.name not in COLUMNS:
            known = (*COLUMNS, f"{ASPECT}NAME")
            raise CurateError(f"no column `{self.name}` to look at", hint=did_you_mean(self.name, known))
        if self.by not in GROUPS:
            raise CurateError(f"no column `{self.by}` to group by", hint=did_you_mean(self.by, GROUPS))


def require(ws: Workspace, column: Column) -> None:
    """Refuse a workspace without the tables.

    Raises:
        WorkspaceError: Not a workspace, or the stage that makes the column did not run or not on all shards.
    """
    from curate.schema import TABLES

    for table in column.tables:
        ws.scan(table)
        if not ws.has(table):
            what = f"the table `{table}` has {len(ws.shards(table))} of {len(ws.shards('conversations'))} shards"
            raise WorkspaceError(what, where=ws.path, hint=f"run `curate {TABLES[table].stage}`")


def read(ws: Workspace, index: int, column: Column, policy: Policy | None) -> pl.DataFrame:
    """The values of one shard; texts are read only where their length is asked for, or by `where`.

    Args:
        ws: The workspace.
        index: Number of the shard.
        column: What is asked for.
        policy: Of `export.policy.default_policy`, for weights.

    Returns:
        A row per response, or per conversation and group: `key`, `group` (null = unknown), `value` (float64; null =
        none), `judge` (null = nobody), `skipped` (nobody was to judge it).

    Raises:
        CurateError: `where` is no condition.
    """
    rows = _responses(ws, index, column, policy)
    if column.where is not None:
        those = matching(ws, column.where, index)
        rows = rows.join(those, on=["key", "turn"], how="semi", maintain_order="left")
    group = pl.col(column.by) if column.by in rows.columns else pl.lit(None, pl.String)
    group, value = group.cast(pl.String).alias("group"), pl.col("value").cast(pl.Float64)
    found = rows.select("key", group, value, "judge", "skipped")
    return found.unique(["key", "group"], maintain_order=True) if column.name in OF_CONVERSATIONS else found


def aspects(ws: Workspace) -> list[str]:
    """Every criterion and defect that some response has a score of."""
    names = ws.scan("scores").select(pl.col("aspects").list.eval(pl.element().struct.field("name")))
    return sorted(names.explode("aspects").drop_nulls().unique().collect(engine="streaming")["aspects"].to_list())


def _responses(ws: Workspace, index: int, column: Column, policy: Policy | None) -> pl.DataFrame:
    """One row per response with `value` and the columns of the grouping."""
    rows = _values(ws, index, column, policy)
    light = [name for name in ("source", "model", "language") if name == column.by]
    if light:
        rows = rows.join(ws.read("conversations", index, ["key", *light]), on="key", how="left", maintain_order="left")
    if column.by == "task":
        rows = rows.drop("task", strict=False)
        rows = rows.join(ws.read("tasks", index, ["key", "task"]), on="key", how="left", maintain_order="left")
    one = ["key", "turn"]
    for table, names in (("labels", ("class", "rule")), ("scores", _OF_SCORES)):
        lacking = [name for name in names if name == column.by and name not in rows.columns]
        if lacking:
            rows = rows.join(ws.read(table, index, [*one, *lacking]), on=one, how="left", maintain_order="left")
    nobody = {"judge": pl.lit(None, pl.String), "skipped": pl.lit(False)}
    return rows.with_columns(**{name: value for name, value in nobody.items() if name not in rows.columns})


def _values(ws: Workspace, index: int, column: Column, policy: Policy | None) -> pl.DataFrame:
    """`key`, `turn` and `value`; of judged columns, `judge`, `rubric`, `status` and `skipped`, too."""
    one = ["key", "turn"]
    if column.judged:
        name = "aspects" if column.aspect is not None else column.name
        rows = ws.read("scores", index, [*one, name, *_OF_SCORES])
        value = pl.col(name)
        if column.aspect is not None:
            own = pl.element().filter(pl.element().struct.field("name") == column.aspect).struct.field("score")
            value = value.list.eval(own).list.first()
        return rows.with_columns(value=value, skipped=pl.col("status") == "skipped")
    if policy is not None:
        from curate.export.mix import survey

        return survey(ws, index, policy).select(*one, value="weight")
    if column.name in SIMILARITIES:
        # A kept conversation is similar to none; it has no part in this.
        rows = ws.read("duplicates", index, ["key", column.name]).drop_nulls(column.name).rename({column.name: "value"})
        labels = _turns(ws, index)
        return rows.join(labels, on="key", how="left", maintain_order="left")
    texts = ws.read("conversations", index, ["key", "messages"])
    if column.name == "turns":
        lengths = texts.select("key", value=pl.col("messages").list.len())
        return lengths.join(_turns(ws, index), on="key", how="inner", maintain_order="left")
    text = {"chars": "response", "prompt_chars": "prompt"}[column.name]
    return responses(texts).select(*one, value=pl.col(text).str.len_chars())


def _turns(ws: Workspace, index: int) -> pl.DataFrame:
    """`key` and `turn` of every response of a shard."""
    if ws.stamp("labels", index):
        return ws.read("labels", index, ["key", "turn"])
    return responses(ws.read("conversations", index, ["key", "messages"])).select("key", "turn")
