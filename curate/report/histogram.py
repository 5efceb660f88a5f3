"""`curate hist`: score histograms, class beside class on a common scale."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10
from textwrap import wrap
from typing import TYPE_CHECKING

from curate.console import plain
from curate.errors import CurateError, WorkspaceError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl
    from rich.text import Text

COLUMNS = ("reward", "score", "chars")
GROUPS = ("class", "source", "model", "language", "task", "status", "rule")
# Up to this many different whole numbers get a row each; more are binned.
MAX_VALUES = 20
# More than any screen has lines.
MOST_BINS = 200
EIGHTHS = " ▏▎▍▌▋▊▉█"
# The two classes that C-RLFT compares stand side by side.
CLASS_ORDER = ("gpt-4", "gpt-3.5", "human")
COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


@dataclass(frozen=True)
class Group:
    """One histogram.

    Attributes:
        name: Value of the grouping column; `unknown` for null.
        counts: Responses per bin, in the order of `Histogram.bins`.
        unscored: Responses without a value, though somebody judged them or tried to.
        mean: Mean of the values, null when there is none.
        median: Median of the values.
        skipped: Responses that nobody was to judge: outside of the sample, or of a duplicate. No part of `n`.
    """

    name: str
    counts: tuple[int, ...]
    unscored: int
    mean: float | None
    median: float | None
    skipped: int = 0

    @property
    def scored(self) -> int:
        """Responses with a value."""
        return sum(self.counts)


@dataclass(frozen=True)
class Histogram:
    """Histograms of one column, side by side.

    Attributes:
        column: What is counted.
        by: What separates the groups.
        judges: Who judged, where the column comes from a judge.
        bins: Lower and upper edge of each bin, lowest first; equal edges are one whole value. The
            upper edge belongs to the next bin, that of the last bin to the bin itself.
        groups: gpt-4, gpt-3.5 and human first, then the largest; `unknown` last.
        note: What a reader of the values must know of the judge.
    """

    column: str
    by: str
    judges: tuple[str, ...]
    bins: tuple[tuple[float, float], ...]
    groups: tuple[Group, ...]
    note: str | None = None


def hist(workspace: str | Path, *, column: str = "reward", by: str = "class", bins: int = 10) -> Histogram:
    """Count the values of a column, group by group.

    Args:
        workspace: Folder of the workspace.
        column: `reward` (0 to 1), `score` (the rubric's own scale) or `chars` (length of the response).
        by: Column that separates the groups, such as `class` or `source`.
        bins: Bins for values that are not whole numbers.

    Raises:
        CurateError: An unknown column or grouping, or not 1 to 200 bins.
        WorkspaceError: Not a workspace, or the stage that makes the column did not run or not on all shards.
    """
    import polars as pl

    from curate.judge import LOCAL_NOTE
    from curate.responses import scan
    from curate.reward import LOCAL_JUDGE
    from curate.workspace import Workspace

    for name, known in ((column, COLUMNS), (by, GROUPS)):
        if name not in known:
            raise CurateError(f"no column `{name}` to look at", hint=did_you_mean(name, known))
    if not 1 <= bins <= MOST_BINS:
        raise CurateError(f"`bins` is {bins}, it must be 1 to {MOST_BINS}")
    _require(workspace, column, by)
    judged = column in ("reward", "score")
    wanted = [
        pl.col(by).fill_null("unknown").alias("group"),
        pl.col(column).cast(pl.Float64).alias("value"),
        *([pl.col("judge")] if judged else []),
        (pl.col("status") == "skipped" if judged else pl.lit(False)).alias("skipped"),
    ]
    chars = pl.col("response").str.len_chars().cast(pl.Float64)
    shards = Workspace(workspace).shards("conversations")
    # Joined a shard at a time: of all texts together only these few columns are ever in memory.
    data = pl.concat([scan(workspace, index).with_columns(chars=chars).select(wanted).collect() for index in shards])
    edges = _edges(data["value"].drop_nulls(), bins, column)
    groups = [_group(str(name), frame, edges) for (name,), frame in data.group_by("group")]
    groups.sort(key=_place)
    judges = tuple(sorted(data["judge"].unique())) if judged else ()
    return Histogram(column, by, judges, edges, tuple(groups), LOCAL_NOTE if LOCAL_JUDGE in judges else None)


def _place(group: Group) -> tuple[bool, int, int, str]:
    rank = CLASS_ORDER.index(group.name) if group.name in CLASS_ORDER else len(CLASS_ORDER)
    return group.name == "unknown", rank, -group.scored - group.unscored, group.name


def _require(workspace: str | Path, column: str, by: str) -> None:
    from curate.schema import TABLES
    from curate.workspace import Workspace

    ws = Workspace(workspace)
    needed = {
        "conversations": True,
        "scores": column != "chars" or by == "status",
        "labels": by in ("class", "rule"),
        "tasks": by == "task",
    }
    for table in (table for table, wanted in needed.items() if wanted):
        ws.scan(table)
        if not ws.has(table):
            what = f"the table `{table}` has {len(ws.shards(table))} of {len(ws.shards('conversations'))} shards"
            raise WorkspaceError(what, where=ws.path, hint=f"run `curate {TABLES[table].stage}`")


def _edges(values: pl.Series, bins: int, column: str) -> tuple[tuple[float, float], ...]:
    if values.is_empty():
        return ()
    numbers = values.to_numpy()
    low, high = float(numbers.min()), float(numbers.max())
    if column != "reward" and (values == values.floor()).all() and high - low < MAX_VALUES:
        return tuple((float(value), float(value)) for value in range(int(low), int(high) + 1))
    # The score of the local judge is its reward.
    if column == "reward" or (column == "score" and low >= 0 and high <= 1):
        low, high = 0.0, 1.0
    elif high > low:
        step = 10 ** floor(log10((high - low) / bins))
        low, high = floor(low / step) * step, (floor(high / step) + 1) * step
    else:
        return ((low, high),)
    width = (high - low) / bins
    # Not 0.30000000000000004.
    ends = [float(f"{low + width * i:.12g}") for i in range(bins + 1)]
    return tuple(pairwise(ends))


def _group(name: str, rows: pl.DataFrame, edges: tuple[tuple[float, float], ...]) -> Group:
    skipped = int(rows["skipped"].sum())
    known = rows["value"].drop_nulls()
    counts = [0] * len(edges)
    if edges:
        low, high = edges[0][0], edges[-1][1]
        discrete = edges[0][0] == edges[0][1]
        width = 1.0 if discrete else (high - low) / len(edges)
        # A sum such as 0.1 * 3 must fall above its own edge, hence the small push.
        places = ((known - low) / width + 1e-6).floor().clip(0, len(edges) - 1).cast(int)
        for place, count in places.value_counts().iter_rows():
            counts[place] = count
    mean, median = known.mean(), known.median()
    return Group(
        name,
        tuple(counts),
        rows.height - skipped - len(known),
        float(mean) if isinstance(mean, float) else None,
        float(median) if isinstance(median, float) else None,
        skipped,
    )


def render(histogram: Histogram, width: int, *, blocks: bool = True) -> list[Text]:
    """The lines of a histogram for a terminal: best value on top, share within each group on one scale.

    The `n` of a group is scored + unscored; shares are of the scored ones alone.

    Args:
        histogram: What to draw.
        width: Columns to fill; under 60, groups stand one below the other.
        blocks: Whether the output can encode block characters; else bars are made of `#`.
    """
    from rich.text import Text

    judged = f", judge: {', '.join(plain(name, 40) for name in histogram.judges)}" if histogram.judges else ""
    lines = [Text(f"{histogram.column} by {histogram.by}{judged}"[:width], "bold")]
    if histogram.note:
        lines += [Text(line, "dim") for line in wrap(histogram.note, width)]
    if not any(group.scored for group in histogram.groups):
        return [*lines, Text("no response has a value")]
    labels = [_label(low, high, blocks) for low, high in histogram.bins]
    space = max(len(label) for label in (*labels, "unscored"))
    fit = 1 if width < 60 else max(1, (width - space) // 24)
    peak = max(count / group.scored for group in histogram.groups if group.scored for count in group.counts)
    rows = -(-len(histogram.groups) // fit)
    abreast = -(-len(histogram.groups) // rows)
    for first in range(0, len(histogram.groups), abreast):
        shown = histogram.groups[first : first + abreast]
        cell = (width - space) // len(shown)
        lines.append(Text())
        lines += _block(histogram, shown, first, labels, space, cell, peak, blocks)
    return lines


def _block(
    histogram: Histogram,
    shown: Sequence[Group],
    first: int,
    labels: list[str],
    space: int,
    cell: int,
    peak: float,
    blocks: bool,
) -> Iterator[Text]:
    from rich.cells import set_cell_size
    from rich.text import Text

    bar_width = max(4, cell - 9)
    colours = [COLOURS[(first + i) % len(COLOURS)] for i in range(len(shown))]
    total = [group.scored + group.unscored for group in shown]
    header = Text(f"{histogram.column[:space]:>{space}}", "dim")
    for group, n, colour in zip(shown, total, colours, strict=True):
        title = f"{plain(group.name, max(4, bar_width + 4 - len(f' n={n:,}')))} n={n:,}"
        header.append(f"  {set_cell_size(title, bar_width + 4)} % ", colour)
    yield _trimmed(header)
    for row in reversed(range(len(labels))):
        line = Text(f"{labels[row]:>{space}}")
        for group, colour in zip(shown, colours, strict=True):
            share = group.counts[row] / group.scored if group.scored else 0.0
            bar = _bar(share / peak * bar_width, blocks)
            figure = f"{100 * share:5.1f}" if group.counts[row] else f"{'·' if blocks else '.':>5}"
            line.append(f"  {bar:<{bar_width}}", colour).append(f" {figure} ")
        yield _trimmed(line)
    facts = [
        ("mean", ["-" if group.mean is None else _number(group.mean, 3) for group in shown]),
        ("median", ["-" if group.median is None else _number(group.median, 3) for group in shown]),
        ("unscored", [_unscored(group) for group in shown]),
    ]
    if any(group.skipped for group in histogram.groups):
        facts.append(("skipped", [f"{group.skipped:,}" for group in shown]))
    for name, figures in facts:
        line = Text(f"{name:>{space}}", "dim")
        for figure in figures:
            line.append(f"  {figure:<{bar_width + 6}} ")
        yield _trimmed(line)


def _unscored(group: Group) -> str:
    if not group.unscored:
        return "0"
    return f"{group.unscored:,} ({100 * group.unscored / (group.scored + group.unscored):.1f} %)"


def _trimmed(line: Text) -> Text:
    line.rstrip()
    return line


def _bar(cells: float, blocks: bool) -> str:
    if not blocks:
        return "#" * round(cells)
    whole, eighth = divmod(round(cells * 8), 8)
    return "█" * whole + (EIGHTHS[eighth] if eighth else "")


def _label(low: float, high: float, blocks: bool) -> str:
    return _number(low, 4) if low == high else f"{_number(low, 4)}{'–' if blocks else '-'}{_number(high, 4)}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"
