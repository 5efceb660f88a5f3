"""A histogram as a file: a table for a spreadsheet, or a figure for a paper."""

from __future__ import annotations

import csv
import io
import warnings
from typing import TYPE_CHECKING, Any

from curate.console import plain
from curate.errors import CurateError, MissingExtraError
from curate.files import atomic

if TYPE_CHECKING:
    from pathlib import Path

    from curate.report.histogram import Group, Histogram

# What a figure has room for; the largest ones are drawn and the others named as a number.
MOST_GROUPS = 8
# A spreadsheet takes a cell that begins like this for a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@")
# Okabe and Ito's palette, which the colour-blind can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")


def to_csv(histogram: Histogram) -> str:
    """One line per group and bin: `column`, `by`, `group`, `low`, `high`, `count`, `share` (0 to 1, of the scored).

    What has no value is a line with empty edges; a name that a spreadsheet would compute begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("column", "by", "group", "low", "high", "count", "share"))
    for group in histogram.groups:
        head = (_cell(histogram.column), histogram.by, _cell(group.name))
        for (low, high), count in zip(histogram.bins, group.counts, strict=True):
            writer.writerow((*head, low, high, count, f"{count / group.scored:.6g}" if group.scored else ""))
        writer.writerow((*head, "", "", group.unscored, ""))
    return out.getvalue()


def write(path: Path, data: bytes) -> None:
    """Write a file of the user's, whole or not at all.

    Raises:
        CurateError: It cannot be written.
    """
    try:
        with atomic(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        hint = "name a file in a folder that can be written"
        raise CurateError(f"the file cannot be written: {error.strerror}", where=path, hint=hint) from error


def write_figure(histogram: Histogram, path: Path, kind: str) -> None:
    """Draw the shares of each bin, group beside group.

    Args:
        histogram: What to draw.
        path: File to write.
        kind: `png` or `svg`.

    Raises:
        CurateError: No response has a value, or the file cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    groups = [group for group in histogram.groups if group.scored]
    if not groups:
        raise CurateError(f"no {histogram.unit.removesuffix('s')} has a value, so there is nothing to draw")
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plot") from None

    # Names are text, never mathematics; glyphs are paths, so the file needs no font and has none of their text.
    style: Any = {"text.parse_math": False, "svg.fonttype": "path", "svg.hashsalt": "curate", "font.size": 9}
    with rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(max(5.0, min(12.0, 0.5 * len(histogram.bins) + 3.5)), 3.2), layout="constrained")
        _draw(figure, histogram, groups)
        drawn = io.BytesIO()
        # Without the moment of drawing the same histogram is the same file.
        figure.savefig(drawn, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else {})
    write(path, drawn.getvalue())


def _draw(figure: Any, histogram: Histogram, groups: list[Group]) -> None:
    axes = figure.subplots()
    shown = groups[:MOST_GROUPS]
    width = 0.84 / len(shown)
    for place, group in enumerate(shown):
        xs = [bin + (place - (len(shown) - 1) / 2) * width for bin in range(len(histogram.bins))]
        mean = "" if group.mean is None else f", mean {group.mean:.3g}"
        label = f"{plain(group.name, 40)} (n = {group.scored:,}{mean})"
        axes.bar(xs, [100 * count / group.scored for count in group.counts], width, label=label, color=_COLOURS[place])
    labels = [f"{low:g}" if low == high else f"{low:g}–{high:g}" for low, high in histogram.bins]
    long = max(map(len, labels)) * len(labels) > 90
    every = max(1, len(labels) // 40)
    axes.set_xticks(range(0, len(labels), every), labels[::every], rotation=90 if long else 0)
    judges = f", judge {', '.join(plain(name, 30) for name in histogram.judges)}" if histogram.judges else ""
    axes.set_xlabel(f"{plain(histogram.column, 40)}{judges}")
    axes.set_ylabel(f"% of {histogram.unit}")
    more = f", and {len(groups) - len(shown)} more" if len(groups) > len(shown) else ""
    # Beside the bars, where no bar can be behind it.
    figure.legend(title=f"{histogram.by}{more}", frameon=False, loc="outside right upper")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _cell(text: str) -> str:
    shown = plain(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
