"""What changed, counted pair by pair, with the first or the largest examples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Any

import polars as pl

UNKNOWN = "unknown"
# Bounds of how far a number moved; the outer ones are open.
STEPS = (-0.5, -0.2, -0.05, 0.0, 0.05, 0.2, 0.5)
NOISE = 1e-6  # below, a number did not move


@dataclass(frozen=True)
class Example:
    """A conversation, or one of its responses.

    Attributes:
        key: In the first workspace; None = it is not there.
        key_b: In the second.
        turn: Index of the response; None = about the conversation.
        file: Name of the file it came from.
        row: Its row there.
        before: What the first workspace says.
        after: What the second says.
        about: How the first prompt begins; text from data.
    """

    key: int | None
    key_b: int | None
    turn: int | None
    file: str
    row: int
    before: str | None
    after: str | None
    about: str | None


@dataclass(frozen=True)
class Change:
    """Rows that changed alike."""

    before: str
    after: str
    count: int
    examples: list[Example]


@dataclass(frozen=True)
class Moved:
    """How a number of the responses moved.

    Attributes:
        compared: Responses that have it in both.
        moved: Those of them where it differs.
        gained: Responses that have it only in the second.
        lost: Those that have it only in the first.
        mean: Mean of the change over the compared; None = there are none.
        steps: Moved responses by how far: `-0.5`, `-0.2 to -0.05`, …
        largest: Those that moved most.
    """

    compared: int
    moved: int
    gained: int
    lost: int
    mean: float | None
    steps: dict[str, int]
    largest: list[Example]


class Changes:
    """Counts of pairs of texts, and examples of each."""

    def __init__(self, examples: int) -> None:
        self._examples = examples
        self._counts: Counter[tuple[str, str]] = Counter()
        self._found: dict[tuple[str, str], list[tuple[Any, Example]]] = {}

    def add(self, rows: pl.DataFrame) -> None:
        """Count rows with `before` and `after` that differ, besides what `example` needs."""
        rows = rows.filter(pl.col("before") != pl.col("after"))
        if rows.is_empty():
            return
        for (before, after), group in rows.group_by("before", "after", maintain_order=True):
            name = (str(before), str(after))
            self._counts[name] += group.height
            some = [example(row) for row in group.head(self._examples).iter_rows(named=True)]
            known = self._found.get(name, []) + [(_place(one), one) for one in some]
            self._found[name] = sorted(known, key=lambda item: item[0])[: self._examples]

    def listed(self) -> list[Change]:
        """All of them, most first."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [Change(*name, count, [one for _, one in self._found[name]]) for name, count in ordered]


@dataclass
class Numbers:
    """How a number moved, over all pairs seen so far."""

    name: str
    examples: int
    compared: int = 0
    moved: int = 0
    gained: int = 0
    lost: int = 0
    total: float = 0.0
    steps: Counter[int] = field(default_factory=Counter)
    largest: list[tuple[float, Example]] = field(default_factory=list)

    def add(self, rows: pl.DataFrame) -> None:
        """Count responses with the number and that of the other, `NAME_b`."""
        a, b = pl.col(self.name), pl.col(f"{self.name}_b")
        self.gained += rows.filter(a.is_null() & b.is_not_null()).height
        self.lost += rows.filter(a.is_not_null() & b.is_null()).height
        change = (b - a).cast(pl.Float64)
        both = rows.filter(a.is_not_null() & b.is_not_null()).with_columns(change=change)
        self.compared += both.height
        self.total += float(both["change"].sum())
        moved = both.filter(pl.col("change").abs() > NOISE)
        self.moved += moved.height
        for change_by in moved["change"]:
            self.steps[sum(change_by >= bound for bound in STEPS)] += 1
        top = moved.sort(pl.col("change").abs(), descending=True, maintain_order=True).head(self.examples)
        shown = top.with_columns(before=_figure(a), after=_figure(b))
        self.largest += [(abs(row["change"]), example(row)) for row in shown.iter_rows(named=True)]
        self.largest = nlargest(self.examples, self.largest, key=lambda item: (item[0], -(item[1].key or 0)))

    def as_moved(self) -> Moved:
        """The figures."""
        return Moved(
            self.compared,
            self.moved,
            self.gained,
            self.lost,
            self.total / self.compared if self.compared else None,
            {_step(number): self.steps[number] for number in range(len(STEPS) + 1) if self.steps[number]},
            [one for _, one in self.largest],
        )


def example(row: dict[str, Any]) -> Example:
    """A row as an example."""
    return Example(
        row.get("key"),
        row.get("key_b"),
        row.get("turn"),
        row["file"],
        row["row"],
        row.get("before"),
        row.get("after"),
        row.get("about"),
    )


def _place(one: Example) -> tuple[int, int]:
    return one.key or one.key_b or 0, one.turn or 0


def _figure(number: pl.Expr) -> pl.Expr:
    return number.cast(pl.Float64).round(4).cast(pl.String)


def _step(number: int) -> str:
    if number == 0:
        return f"below {STEPS[0]:g}"
    if number == len(STEPS):
        return f"+{STEPS[-1]:g} and more"
    low, high = (f"{bound:+g}" if bound else "0" for bound in STEPS[number - 1 : number + 1])
    return f"{low} to {high}"
