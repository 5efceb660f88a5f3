"""A run in one terminal screen: the summary as lines of text."""

from __future__ import annotations

from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

from curate.console import plain
from curate.report.histogram_text import EIGHTHS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.text import Text

    from curate.report.funnel import Step
    from curate.report.histogram import Histogram
    from curate.report.summary import Judging, Part, Summary

PARTS = 6  # sources or tasks that are shown
SPARKS = "▁▂▃▄▅▆▇█"
BAR = 12


def render(summary: Summary, width: int, *, blocks: bool = True) -> list[Text]:
    """The lines of a summary for a terminal.

    Args:
        summary: What to draw.
        width: Columns to fill; tables lose the last columns where they do not fit.
        blocks: Whether the output can encode block characters; else bars are made of `#`.
    """
    from rich.text import Text

    lines = [Text(plain(summary.workspace, width), "bold"), *_funnel(summary.funnel.steps, width, blocks)]
    lines += [Text(), *_classes(summary, width, blocks)]
    abreast = width >= 100
    column = width // 2 if abreast else width
    sources, tasks = (_parts(n, p, column - 2) for n, p in (("source", summary.sources), ("task", summary.tasks)))
    if abreast:
        pairs = zip_longest(sources, tasks, fillvalue=Text())
        lines += [Text(), *(Text.assemble(_padded(left, column), right) for left, right in pairs)]
    else:
        lines += [Text(), *sources, Text(), *tasks]
    lines += [Text(), *(Text(part) for line in _facts(summary) for part in wrap(line, width, subsequent_indent="  "))]
    lines += [Text(line, "dim") for line in wrap(f"note: {summary.funnel.note}", width)] if summary.funnel.note else []
    for line in lines:
        line.rstrip()
        line.truncate(width)
    return lines


def beside(left: Summary, right: Summary, width: int) -> list[Text]:
    """Two runs side by side: every figure that both or one of them has, and the difference.

    Args:
        left: The run that is looked at.
        right: The one that it is compared with.
        width: Columns to fill.
    """
    from rich.text import Text

    rows = [("", plain(left.workspace, 16), plain(right.workspace, 16), "difference")]
    rows += [(plain(row.name, 40), row.left, row.right, row.difference) for row in compare(left, right)]
    columns = [max(len(row[place]) for row in rows) for place in range(4)]
    columns[0] = max(8, min(columns[0], width - sum(columns[1:]) - 6))
    lines = []
    for number, (name, *figures) in enumerate(rows):
        cells = "  ".join(f"{figure:>{space}}" for figure, space in zip(figures, columns[1:], strict=True))
        changed = figures[2] not in ("", "0", "difference")
        lines.append(
            Text(f"{plain(name, columns[0]):<{columns[0]}}  {cells}", "dim" if not number else "bold" * changed)
        )
        lines[-1].truncate(width)
    return lines


class Row:
    """One figure of two runs, as text; empty = the run does not have it."""

    def __init__(self, name: str, pair: Sequence[float | None], digits: int, *, percent: bool = False) -> None:
        left, right = pair
        self.name = name
        factor, unit = (100.0, " %") if percent else (1.0, "")
        self.left, self.right = (
            "" if value is None else f"{value * factor:,.{digits}f}{unit}" for value in (left, right)
        )
        self.difference = ""
        if left is not None and right is not None:
            change = round((left - right) * factor, digits)
            self.difference = f"{change:+,.{digits}f}{unit}" if change else "0"


def compare(left: Summary, right: Summary) -> list[Row]:
    """The figures of two runs: the steps of the funnel, then classes with their mean reward and share of the weight."""
    both = (left, right)
    steps = [{step.name: step.count for step in one.funnel.steps} for one in both]
    rows = [Row(name, [one.get(name) for one in steps], 0) for name in dict.fromkeys(n for one in steps for n in one)]
    parts = [{part.name: part for part in one.classes} for one in both]
    weights = [one.weights.classes if one.weights else {} for one in both]
    for name in dict.fromkeys(name for one in parts for name in one):
        found = [one.get(name) for one in parts]
        rows.append(Row(f"{name}: responses", [part.responses if part else None for part in found], 0))
        rows.append(Row(f"{name}: mean reward", [part.reward if part else None for part in found], 3))
        shares = [one[name].share if name in one else None for one in weights]
        rows.append(Row(f"{name}: share of the weight", shares, 1, percent=True))
    sizes = [one.weights.effective_sample_size if one.weights else None for one in both]
    rows.append(Row("effective sample size", sizes, 0))
    return [row for row in rows if row.left or row.right]


def _funnel(steps: Sequence[Step], width: int, blocks: bool) -> list[Text]:
    from rich.text import Text

    names = max(len(plain(step.name, 24)) for step in steps)
    figures = max(len(f"{step.count:,}") for step in steps)
    most = {unit: max(step.count for step in steps if step.unit == unit) for unit in {step.unit for step in steps}}
    most["records"] = most["rows"] = most["conversations"] = max(
        most.get(unit, 0) for unit in ("records", "rows", "conversations")
    )
    lines = []
    for step in steps:
        line = Text.assemble((f"{plain(step.name, 24):<{names}}", "bold"), f"  {step.count:>{figures},}")
        if width >= 60:
            share = step.count / most[step.unit] if most[step.unit] else 0
            line.append(f"  {_bar(share, blocks):<{BAR}}", "cyan")
        said = f"out of date: run `curate {step.stage}`" if step.stale else _reasons(step, width - line.cell_len - 2)
        line.append(f"  {said}", "yellow" if step.stale else "dim")
        lines.append(line)
    return lines


def _reasons(step: Step, room: int) -> str:
    """As many reasons as fit, then how many more there are."""
    shown = ""
    # A manifest may list them in any order.
    reasons = sorted(step.reasons.items(), key=lambda item: (-item[1], item[0]))
    for number, (name, count) in enumerate(reasons, start=1):
        longer = f"{shown}, {count:,} {plain(name, 40)}".removeprefix(", ")
        left = len(reasons) - number
        if len(longer) + (len(f", {left} more") if left else 0) > room:
            return f"{shown}, {left + 1} more" if shown else f"{left + 1} reasons" if room > 10 else ""
        shown = longer
    return shown


def _classes(summary: Summary, width: int, blocks: bool) -> list[Text]:
    total = sum(part.responses for part in summary.classes)
    sparks = _sparks(summary.rewards) if summary.rewards and blocks and width >= 60 else {}
    rows = [("class", "responses", "share", "reward", "0 to 1" if sparks else "", "trained", "weight", "of all")]
    for part in summary.classes:
        weight = summary.weights.classes.get(part.name) if summary.weights else None
        rows.append(
            (
                plain(part.name, 16),
                f"{part.responses:,}",
                percent(part.responses, total),
                number(part.reward),
                sparks.get(part.name, ""),
                f"{weight.responses:,}" if weight else "",
                number(weight.mean if weight else None) if summary.weights else "",
                f"{100 * weight.share:.1f} %" if weight else "",
            )
        )
    return _table(rows, width)


def _parts(name: str, parts: Sequence[Part], width: int) -> list[Text]:
    shown = list(parts) if len(parts) <= PARTS else list(parts[: PARTS - 1])
    total = sum(part.responses for part in parts)
    rows = [(name, "responses", "share", "duplicates", "reward")]
    for part in shown:
        copies = "" if part.duplicates is None else f"{part.duplicates:,}"
        share = percent(part.responses, total)
        rows.append((plain(part.name, 16), f"{part.responses:,}", share, copies, number(part.reward)))
    if len(parts) > len(shown):
        left = sum(part.responses for part in parts[len(shown) :])
        rows.append((f"{len(parts) - len(shown)} more", f"{left:,}", percent(left, total), "", ""))
    return _table(rows, width)


def _table(rows: Sequence[tuple[str, ...]], width: int) -> list[Text]:
    """Names on the left, figures on the right, without columns that have no text or do not fit."""
    from rich.text import Text

    columns = [column for column in zip(*rows, strict=True) if any(column)]
    spaces = [max(map(len, column)) for column in columns]
    while sum(spaces) + 2 * len(spaces) - 2 > width and len(spaces) > 1:
        spaces.pop()
        columns.pop()
    lines = []
    for place in range(len(rows)):
        cells = [column[place] for column in columns]
        text = "  ".join(
            [
                f"{cells[0]:<{spaces[0]}}",
                *(f"{cell:>{space}}" for cell, space in zip(cells[1:], spaces[1:], strict=True)),
            ]
        )
        lines.append(Text(text, "" if place else "dim"))
    return lines


def _sparks(rewards: Histogram) -> dict[str, str]:
    """Per class, its share in each bin, the lowest reward first, on one scale for all of them."""
    shares = {
        group.name: [count / sum(group.counts) for count in group.counts]
        for group in rewards.groups
        if sum(group.counts)
    }
    most = max((share for found in shares.values() for share in found), default=1.0)
    return {
        name: "".join(SPARKS[min(7, int(share / most * 8))] if share else " " for share in found)
        for name, found in shares.items()
    }


def _facts(summary: Summary) -> Iterable[str]:
    if found := summary.duplicates:
        kinds = ", ".join(f"{count:,} {plain(kind)}" for kind, count in found.kinds.items())
        by_kind = f" ({kinds})" if kinds else ""
        yield f"duplicates: {found.removed:,} conversations{by_kind} in {found.clusters:,} clusters"
    if weights := summary.weights:
        size = f"effective sample size {weights.effective_sample_size:,.0f} of {weights.responses:,} responses"
        conditions = ", ".join(f"{count:,} {plain(name, 30)}" for name, count in weights.conditions.items())
        yield f"weights: {weights.weighting}, {size}; conditions: {conditions or 'none'}"
    if summary.judging:
        yield f"judging: {judging_line(summary.judging)}"


def judging_line(judging: Judging) -> str:
    """Who judged, how much of it, and what that cost."""
    who = f"{plain(judging.judge, 60)} by {plain(judging.rubric, 40) or 'no rubric'}"
    statuses = ", ".join(f"{count:,} {plain(name, 20)}" for name, count in judging.statuses.items())
    spent = ""
    if judging.answers:
        tokens = f"{judging.answers:,} answers, {judging.tokens_in:,} + {judging.tokens_out:,} tokens"
        known = f"about ${judging.cost or 0:,.2f} at list price ({judging.source})"
        spent = f"; {tokens}, {'price not known' if judging.cost is None else known}"
    return f"{who}; {statuses or 'nothing to judge'}{spent or '; free'}"


def percent(part: float, whole: float) -> str:
    """A share as text; nothing of nothing is empty."""
    return f"{100 * part / whole:.1f} %" if whole else ""


def number(value: float | None) -> str:
    """Three digits behind the point, or a dash."""
    return "-" if value is None else f"{value:.3f}"


def _bar(share: float, blocks: bool) -> str:
    if not blocks:
        return "#" * round(share * BAR)
    whole, eighth = divmod(round(share * BAR * 8), 8)
    return "█" * whole + (EIGHTHS[eighth] if eighth else "")


def _padded(line: Text, width: int) -> Text:
    line = line.copy()
    line.truncate(width - 2)
    line.pad_right(width - line.cell_len)
    return line
