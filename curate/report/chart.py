"""The pictures of the page: bars, histograms and the map, as inline SVG that takes its colours from the style sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.report.markup import node

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from curate.report.histogram import Histogram
    from curate.report.map import Map

COLOURS = 8  # `c0` to `c7`; what is beyond them is `more`
SIDE = 1000.0  # of the map
HEIGHT = 110.0  # of a histogram


def bar(share: float, colour: str = "c0") -> Element:
    """A bar as wide as its share of the room it gets, 0 to 1."""
    full = max(0.0, min(1.0, share))
    rect = node("rect", width=f"{100 * full:.2f}%", height="100%", class_=colour, rx=2.0)
    return node("svg", rect, class_="bar", role="img", aria_label=f"{100 * full:.1f} %")


def histogram(found: Histogram, colours: dict[str, str]) -> list[Element]:
    """One figure per group: the share of its values in each bin, on one scale for all groups."""
    totals = [sum(group.counts) for group in found.groups]
    shares = [[n / total for n in group.counts] for group, total in zip(found.groups, totals, strict=True) if total]
    peak = max((share for one in shares for share in one), default=1.0)
    figures = []
    for group, total in zip(found.groups, totals, strict=True):
        if total:
            mean = f", mean {group.mean:.3f}" if group.mean is not None else ""
            caption = node("figcaption", node("b", group.name), f" n = {total:,}{mean}")
            shown = [count / total for count in group.counts]
            colour = colours.get(group.name, "more")
            figures.append(node("figure", caption, _columns(found.bins, shown, peak, colour, group.name)))
    return figures


def _columns(bins: Sequence[tuple[float, float]], shares: list[float], peak: float, colour: str, name: str) -> Element:
    step = 300.0 / len(shares)
    columns = []
    for place, ((low, high), share) in enumerate(zip(bins, shares, strict=True)):
        tall = share / peak * HEIGHT
        edge = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        title = node("title", f"{edge}: {100 * share:.1f} %")
        # A share that would be no pixel high still shows.
        height = max(tall, 1.0) if share else 0.0
        place_x = place * step + step * 0.08
        hover = node("rect", x=place * step, y=0.0, width=step, height=HEIGHT, class_="ghost")
        seen = node("rect", x=place_x, y=HEIGHT - height, width=step * 0.84, height=height, class_=colour, rx=1.0)
        columns.append(node("g", title, hover, seen))
    axis = [
        node("line", x1=0.0, x2=300.0, y1=HEIGHT, y2=HEIGHT, class_="axis"),
        node("text", f"{bins[0][0]:g}", x=0.0, y=HEIGHT + 16),
        node("text", f"{bins[-1][1]:g}", x=300.0, y=HEIGHT + 16, text_anchor="end"),
    ]
    label = f"histogram of {name}: highest bar {100 * max(shares):.1f} %"
    return node("svg", columns, axis, viewBox=f"0 0 300 {HEIGHT + 20:g}", class_="hist", role="img", aria_label=label)


def scatter(found: Map) -> Element:
    """The map: a dot per response, its title what was asked, its classes its colour by each way of colouring."""
    xs, ys = [point.x for point in found.points], [point.y for point in found.points]
    low_x, low_y = min(xs), min(ys)
    span = max(max(xs) - low_x, max(ys) - low_y) or 1.0
    marks = {way: colours([group.name for group in found.groups[way]]) for way in found.groups}
    dots = []
    for point in found.points:
        places = [f"{way}-{marks[way].get(point.groups[way], 'more')}" for way in marks]
        title = node("title", f"{point.groups['class']} · {point.groups['reward']} · {point.prompt or '(no prompt)'}")
        x, y = 10 + (point.x - low_x) / span * (SIDE - 20), 10 + (point.y - low_y) / span * (SIDE - 20)
        dots.append(node("circle", title, cx=round(x, 1), cy=round(y, 1), r=4.0, class_=" ".join(places)))
    wide, high = (20 + (max(values) - min(values)) / span * (SIDE - 20) for values in (xs, ys))
    label = f"map of {len(found.points):,} responses, close where their texts mean the same"
    return node("svg", dots, viewBox=f"0 0 {wide:.0f} {high:.0f}", class_="map by-class", role="img", aria_label=label)


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each of the first names; `unknown` and what is beyond are grey."""
    known = [name for name in names if name not in ("unknown", "unscored")]
    return {name: f"c{place}" for place, name in enumerate(known[:COLOURS])}
