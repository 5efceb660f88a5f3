"""A histogram as lines of text, class beside class on a common scale."""

from __future__ import annotations

from dataclasses import dataclass
from math import log1p
from textwrap import wrap
from typing import TYPE_CHECKING

from curate.console import plain
from curate.errors import CurateError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from curate.report.histogram import Comparison, Group, Histogram

EIGHTHS = " ▏▎▍▌▋▊▉█"
COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
LONGEST = 16  # characters of a column's name
NARROWEST, WIDEST = 18, 32  # columns that a group takes
SCALES = {"share": "share within each group", "count": "counts", "log": "counts, bars of their logarithm"}


@dataclass(frozen=True)
class Scale:
    """How long a bar is, for a group's count and its total."""

    name: str
    peak: float
    figures: int

    @classmethod
    def of(cls, histogram: Histogram, name: str) -> Scale:
        """The scale on which the longest bar of all groups is 1."""
        if name not in SCALES:
            raise CurateError(f"no scale `{name}`", hint=did_you_mean(name, SCALES))
        pairs = [(count, group.scored) for group in histogram.groups for count in group.counts if group.scored]
        widest = 5 if name == "share" else max([5, *(len(f"{count:,}") for count, _ in pairs)])
        return cls(name, max(cls(name, 1.0, widest)._size(*pair) for pair in pairs) or 1.0, widest)

    def length(self, count: int, total: int) -> float:
        """0 to 1."""
        return self._size(count, total) / self.peak

    def figure(self, count: int, total: int, blocks: bool) -> str:
        """A percentage or a count; a dot for none, which is not the same as one that rounds to zero."""
        if not count:
            return f"{'·' if blocks else '.':>{self.figures}}"
        return f"{100 * count / total:{self.figures}.1f}" if self.name == "share" else f"{count:{self.figures},}"

    @property
    def unit(self) -> str:
        """The head of the figures."""
        return "%" if self.name == "share" else "n"

    def _size(self, count: int, total: int) -> float:
        if self.name == "share":
            return count / total if total else 0.0
        return log1p(count) if self.name == "log" else float(count)


def render(histogram: Histogram, width: int, *, blocks: bool = True, scale: str = "share") -> list[Text]:
    """The lines of a histogram for a terminal: best value on top, all groups on one scale.

    The `n` of a group is scored + unscored; shares are of the scored ones alone.

    Args:
        histogram: What to draw.
        width: Columns to fill; under 60, groups stand one below the other.
        blocks: Whether the output can encode block characters; else bars are made of `#`.
        scale: One of `SCALES`.

    Raises:
        CurateError: An unknown scale.
    """
    from rich.text import Text

    judged = f", judge: {', '.join(plain(name, 40) for name in histogram.judges)}" if histogram.judges else ""
    unit = f", {histogram.unit}" if histogram.unit != "responses" else ""
    shown = f", {SCALES[scale]}" if scale in SCALES and scale != "share" else ""
    title = f"{plain(histogram.column, 40)} by {histogram.by}{unit}{shown}{judged}"
    lines = [Text(title[:width], "bold")]
    if histogram.where is not None:
        lines.append(Text(plain(f"where {histogram.where}", width), "dim"))
    if histogram.note:
        lines += [Text(line, "dim") for line in wrap(histogram.note, width)]
    if not any(group.scored for group in histogram.groups):
        unit = histogram.unit.removesuffix("s")
        return [*lines, Text(f"no {unit} has a value")]
    labels = [_label(low, high, blocks) for low, high in histogram.bins]
    space = max(len(label) for label in (*labels, *FACTS, plain(histogram.column, LONGEST)))
    # As many abreast as have room for their names and a bar that says something.
    titles = max(len(group.name) + len(f" n={group.scored + group.unscored:,}") for group in histogram.groups)
    fit = 1 if width < 60 else max(1, (width - space) // min(WIDEST, max(NARROWEST, titles + 5)))
    found = Scale.of(histogram, scale)
    rows = -(-len(histogram.groups) // fit)
    abreast = -(-len(histogram.groups) // rows)
    for first in range(0, len(histogram.groups), abreast):
        groups = histogram.groups[first : first + abreast]
        cell = (width - space) // len(groups)
        lines.append(Text())
        lines += _block(histogram, groups, first, labels, space, cell, found, blocks)
    if histogram.compared:
        lines += [Text(), *(Text(line) for line in _compared(histogram.compared, width, blocks))]
    return lines


def _block(
    histogram: Histogram,
    shown: Sequence[Group],
    first: int,
    labels: list[str],
    space: int,
    cell: int,
    scale: Scale,
    blocks: bool,
) -> Iterator[Text]:
    from rich.cells import set_cell_size
    from rich.text import Text

    bar_width = max(4, cell - 4 - scale.figures)
    colours = [COLOURS[(first + i) % len(COLOURS)] for i in range(len(shown))]
    total = [group.scored + group.unscored for group in shown]
    # A long name of a column must not push the groups to the right of their bars.
    header = Text(f"{plain(histogram.column, space):>{space}}", "dim")
    for group, n, colour in zip(shown, total, colours, strict=True):
        room = bar_width + scale.figures - 1
        title = f"{plain(group.name, max(4, room - len(f' n={n:,}')))} n={n:,}"
        header.append(f"  {set_cell_size(title, room)} {scale.unit} ", colour)
    yield _trimmed(header)
    for row in reversed(range(len(labels))):
        line = Text(f"{labels[row]:>{space}}")
        for group, colour in zip(shown, colours, strict=True):
            bar = _bar(scale.length(group.counts[row], group.scored) * bar_width, blocks)
            figure = scale.figure(group.counts[row], group.scored, blocks)
            line.append(f"  {bar:<{bar_width}}", colour).append(f" {figure} ")
        yield _trimmed(line)
    for name, figures in _facts(histogram, shown, blocks):
        line = Text(f"{name:>{space}}", "dim")
        for figure in figures:
            line.append(f"  {set_cell_size(figure, bar_width + scale.figures + 1)} ")
        yield _trimmed(line)


FACTS = ("mean", "95 %", "median", "p25-p75", "p10-p90", "unscored")


def _facts(histogram: Histogram, shown: Sequence[Group], blocks: bool) -> Iterator[tuple[str, list[str]]]:
    """The lines below the bars: what there is of the mean, its interval, quantiles and missing values."""
    dash = "–" if blocks else "-"

    def span(ends: tuple[float, float] | None) -> str:
        return "-" if ends is None else dash.join(_number(value, 3) for value in ends)

    yield "mean", ["-" if group.mean is None else _number(group.mean, 4) for group in shown]
    if any(group.interval for group in histogram.groups):
        yield "95 %", [span(group.interval) for group in shown]
    yield "median", ["-" if group.median is None else _number(group.median, 3) for group in shown]
    if any(group.quantiles for group in histogram.groups):
        for name, low, high in (("p25-p75", 1, 3), ("p10-p90", 0, 4)):
            yield name, [span((q[low], q[high]) if (q := group.quantiles) else None) for group in shown]
    if histogram.judged or any(group.unscored for group in histogram.groups):
        yield "unscored" if histogram.judged else "none", [_unscored(group) for group in shown]
    if any(group.skipped for group in histogram.groups):
        yield "skipped", [f"{group.skipped:,}" for group in shown]


def _compared(found: Comparison, width: int, blocks: bool) -> list[str]:
    """The case for a fine reward, in words."""
    one, other = plain(found.group, 40), plain(found.other, 40)
    above = f"{100 * found.at_or_above:.1f} % of {other} at or above the median of {one} ({_number(found.median, 3)})"
    lines = [
        f"{above}, {100 * found.above:.1f} % above it",
        f"AUC {found.auc:.3f}: how often {one} is above {other}; 0.5 = they cannot be told apart",
    ]
    return [part for line in lines for part in wrap(line, width)]


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
