"""`curate diff A B`: what changed between two workspaces, two runs or two versions of the rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

from curate.console import Talk
from curate.diff import settings
from curate.diff.facts import facts, weighing
from curate.diff.spill import Spill
from curate.diff.tally import UNKNOWN, Change, Changes, Moved, Numbers, example
from curate.workspace import Workspace

if TYPE_CHECKING:
    from curate.diff.settings import Setting
    from curate.diff.tally import Example

__all__ = ["Difference", "diff"]

HASH, PLACE = ("hash",), ("file", "row")
RESPONSE = ("turn", "class", "rule", "reward", "weight")


@dataclass(frozen=True)
class Difference:
    """What changed from the workspace `a` to `b`.

    Attributes:
        a: The first.
        b: The second.
        rows: Conversations in each.
        same: Conversations with the same messages in both.
        changed: Those from the same row of the same file with other messages.
        out: Only in the first.
        into: Only in the second.
        changed_examples: Some of them; likewise the next two.
        settings: Versions, options, hashes of rules and inputs that differ.
        labels: Responses whose class or rule changed, as `class (rule)`.
        classes: The same by class alone.
        scores: How the rewards moved.
        weights: How the weights moved, as `curate export` with its defaults gives them; 0 where nothing is trained.
            None = one of the two cannot be exported.
        gained: Conversations by cleaning rule that flags them only in the second.
        lost: By rule that flagged them only in the first.
        duplicates: Conversations whose verdict changed: kept, exact, prefix, near, semantic.
        exported: Conversations that an export treats otherwise: exported, or why not.
    """

    a: str
    b: str
    rows: tuple[int, int]
    same: int
    changed: int
    out: int
    into: int
    changed_examples: list[Example]
    out_examples: list[Example]
    into_examples: list[Example]
    settings: list[Setting]
    labels: list[Change]
    classes: list[Change]
    scores: Moved
    weights: Moved | None
    gained: list[Change]
    lost: list[Change]
    duplicates: list[Change]
    exported: list[Change]


def diff(a: str | Path, b: str | Path, *, examples: int = 3, quiet: bool = False) -> Difference:
    """Compare two workspaces; conversations are matched by their messages, then by file and row.

    Nothing is written but temporary files; memory is bounded whatever the workspaces hold.

    Args:
        a: Folder of the first workspace.
        b: Folder of the second.
        examples: Examples of every change.
        quiet: No progress.

    Raises:
        WorkspaceError: One of them is no workspace, is damaged, or has a table that is out of date.
    """
    sides = {"a": Workspace(a), "b": Workspace(b)}
    found = _Found(examples)
    counts = {side: ws.rows("conversations") for side, ws in sides.items()}
    with TemporaryDirectory(prefix="curate-diff-") as name:
        folder = Path(name)
        policies = {side: weighing(ws) for side, ws in sides.items()}
        by_hash = Spill(folder / "hash", HASH, max(counts.values()))
        shards = [(side, index) for side, ws in sides.items() for index in ws.shards("conversations")]
        with Talk(quiet=quiet).progress("diff", len(shards), "shards") as advance:
            for side, index in shards:
                by_hash.add(side, facts(sides[side], index, policies[side]))
                advance(1)
        by_place = Spill(folder / "place", PLACE, max(counts.values()))
        for pairs, only_a, only_b in by_hash.pairs():
            found.same += pairs.height
            found.compare(pairs)
            by_place.add("a", only_a)
            by_place.add("b", only_b)
        for pairs, only_a, only_b in by_place.pairs():
            found.changed.add(pairs)
            found.out.add(only_a)
            found.into.add(only_b.rename({"key": "key_b"}) if only_b.height else only_b)
            found.compare(pairs)
    weighed = all(policies.values())
    return Difference(
        a=str(a),
        b=str(b),
        rows=(counts["a"], counts["b"]),
        same=found.same,
        changed=found.changed.count,
        out=found.out.count,
        into=found.into.count,
        changed_examples=found.changed.examples,
        out_examples=found.out.examples,
        into_examples=found.into.examples,
        settings=settings.compare(sides["a"].manifest, sides["b"].manifest),
        labels=found.labels.listed(),
        classes=found.classes.listed(),
        scores=found.scores.as_moved(),
        weights=found.weights.as_moved() if weighed else None,
        gained=found.gained.listed(),
        lost=found.lost.listed(),
        duplicates=found.duplicates.listed(),
        exported=found.exported.listed() if weighed else [],
    )


class _Some:
    """Rows that are counted, and the first of them by key."""

    def __init__(self, most: int) -> None:
        self.count, self._most = 0, most
        self.examples: list[Example] = []

    def add(self, rows: pl.DataFrame) -> None:
        self.count += rows.height
        some = [example(row) for row in rows.head(self._most).iter_rows(named=True)]
        self.examples = sorted(self.examples + some, key=lambda one: one.key or one.key_b or 0)[: self._most]


class _Found:
    """Everything that was found so far."""

    def __init__(self, examples: int) -> None:
        self.same = 0
        self.changed, self.out, self.into = (_Some(examples) for _ in range(3))
        self.labels, self.classes, self.gained, self.lost, self.duplicates, self.exported = (
            Changes(examples) for _ in range(6)
        )
        self.scores, self.weights = Numbers("reward", examples), Numbers("weight", examples)

    def compare(self, pairs: pl.DataFrame) -> None:
        """Compare matched conversations and their responses, turn by turn."""
        if pairs.is_empty():
            return
        if "file_b" not in pairs.columns:  # matched by it
            pairs = pairs.with_columns(file_b="file", row_b="row")
        responses = _responses(pairs)
        if responses.height:
            self.labels.add(responses.with_columns(before=_said("class", "rule"), after=_said("class_b", "rule_b")))
            before, after = (pl.col(name).fill_null(UNKNOWN) for name in ("class", "class_b"))
            self.classes.add(responses.with_columns(before=before, after=after))
            self.scores.add(responses)
            self.weights.add(responses)
        for name, changes in (("duplicate", self.duplicates), ("export", self.exported)):
            known = pairs.filter(pl.col(name).is_not_null() & pl.col(f"{name}_b").is_not_null())
            changes.add(known.with_columns(before=name, after=f"{name}_b"))
        cleaned = pairs.filter(pl.col("flags").is_not_null() & pl.col("flags_b").is_not_null())
        for mine, other, changes in (("flags_b", "flags", self.gained), ("flags", "flags_b", self.lost)):
            only = cleaned.with_columns(flag=pl.col(mine).list.set_difference(other))
            only = only.explode("flag", empty_as_null=False, keep_nulls=False)
            sides = (pl.lit(""), pl.col("flag")) if mine == "flags_b" else (pl.col("flag"), pl.lit(""))
            changes.add(only.with_columns(before=sides[0], after=sides[1]))


def _responses(pairs: pl.DataFrame) -> pl.DataFrame:
    """The responses that both have, with the values of each."""
    about = ("key", "key_b", "file", "row", "about")
    a, b = (
        pairs.select(*names, pl.col(column).alias("response"))
        .explode("response", empty_as_null=False, keep_nulls=False)
        .unnest("response")
        for names, column in ((about, "responses"), (("key", "key_b"), "responses_b"))
    )
    return a.join(b, on=["key", "key_b", "turn"], how="inner", suffix="_b", maintain_order="left")


def _said(class_: str, rule: str) -> pl.Expr:
    return pl.format("{} ({})", pl.col(class_).fill_null(UNKNOWN), pl.col(rule).fill_null("no rule"))
