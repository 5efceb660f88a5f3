"""One static page of a run. It asks for nothing from any network, and no text from data is anything but text.

The policy in its head allows one style and one script, ours, by their hashes: no other script, handler, image, frame
or form can do anything, whatever a conversation says.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from curate.errors import CurateError
from curate.report import chart
from curate.report.map import lines as map_lines
from curate.report.markup import html, node, own
from curate.report.sample import Sample, sample
from curate.report.summary_text import compare, judging_line, number, percent
from curate.workspace import Workspace, atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from xml.etree.ElementTree import Element

    from curate.report.map import Map
    from curate.report.summary import Part, Summary

HERE = Path(__file__).parent
REASONS = 12
FIRST = 160  # characters of a text that stand in the table; the rest opens


def write(path: Path, runs: Sequence[Summary], size: int, chars: int, drawn: Map | None = None) -> None:
    """Write the page of one run, or of two side by side.

    Args:
        path: The file; it takes its place whole or not at all.
        runs: One or two.
        size: Responses of the sample.
        chars: Characters of each text.
        drawn: The map of the first run.

    Raises:
        CurateError: The file cannot be written.
    """
    samples = [sample(Workspace(run.workspace), size, chars) for run in runs]
    text = page(runs, samples, drawn)
    try:
        with atomic(path) as temporary:
            temporary.write_text(text, "utf-8")
    except OSError as error:
        hint = "name a file in a folder that can be written"
        raise CurateError(f"the page cannot be written: {error.strerror}", where=path, hint=hint) from error


def page(runs: Sequence[Summary], samples: Sequence[Sequence[Sample]], drawn: Map | None = None) -> str:
    """The page as text."""
    style, script = ((HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = " and ".join(run.workspace for run in runs)
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", http_equiv="Content-Security-Policy", content=policy),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", name="referrer", content="no-referrer"),
        node("title", f"curate report: {title}"),
        own("style", style),
    )
    body = node("body", node("main", _sections(runs, samples, drawn)), own("script", script))
    return f"<!doctype html>\n{html(node('html', head, body, lang='en'))}\n"


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _sections(runs: Sequence[Summary], samples: Sequence[Sequence[Sample]], drawn: Map | None) -> list[Element]:
    colours = chart.colours([part.name for part in runs[0].classes])
    return [
        node("header", _each(runs, lambda run: [node("h1", run.workspace), _tiles(run), _note(run)])),
        *([_section("Differences", _differences(runs[0], runs[1]))] if len(runs) > 1 else []),
        _section("From records to rows", _each(runs, _funnel)),
        _section("Rewards by class", _each(runs, lambda run: _rewards(run, colours))),
        _section("Classes", _each(runs, lambda run: [_classes(run, colours)])),
        _section("Sources", _each(runs, lambda run: [_parts(run.sources, "source")])),
        _section("Tasks", _each(runs, lambda run: [_parts(run.tasks, "task")])),
        _section("Duplicates, weights, judging", _each(runs, _facts)),
        *([_section("Map", _map(drawn))] if drawn else []),
        _section("Sample", _sample(runs, samples)),
    ]


def _section(title: str, *content: Element | Iterable[Element]) -> Element:
    return node("section", node("h2", title), *content)


def _each(runs: Sequence[Summary], content: Callable[[Summary], Iterable[Element | None]]) -> Element:
    """The same of every run, side by side where there is room."""
    columns = [node("div", node("h3", run.workspace) if len(runs) > 1 else None, content(run)) for run in runs]
    return node("div", columns, class_="runs")


def _tiles(run: Summary) -> Element:
    counts = {step.name: step.count for step in run.funnel.steps}
    known = [name for name in ("records", "conversations", "exported") if name in counts]
    tiles: list[tuple[str, str]] = [(name, f"{counts[name]:,}") for name in known]
    tiles += [("responses", f"{sum(part.responses for part in run.classes):,}")]
    if run.weights:
        tiles.append(("effective sample", f"{run.weights.effective_sample_size:,.0f}"))
    return node("dl", [node("div", node("dt", name), node("dd", figure)) for name, figure in tiles], class_="tiles")


def _note(run: Summary) -> Element | None:
    return node("p", run.funnel.note, class_="note") if run.funnel.note else None


def _funnel(run: Summary) -> list[Element]:
    most = {True: 1, False: 1}
    for step in run.funnel.steps:
        most[step.unit == "responses"] = max(most[step.unit == "responses"], step.count)
    rows = []
    for step in run.funnel.steps:
        reasons = sorted(step.reasons.items(), key=lambda item: (-item[1], item[0]))
        listed = [node("li", node("b", f"{count:,}"), f" {name}") for name, count in reasons[:REASONS]]
        if left := len(reasons) - REASONS:
            listed += [node("li", f"{left} more")] if left > 0 else []
        details = node("details", node("summary", _reasons(reasons)), node("ul", listed)) if reasons else None
        stale = node("p", f"out of date: run curate {step.stage}", class_="note") if step.stale else None
        share = step.count / most[step.unit == "responses"]
        cells = [
            node("th", step.name, scope="row"),
            node("td", f"{step.count:,}", class_="n"),
            node("td", chart.bar(share), class_="bars"),
            node("td", details, stale),
        ]
        rows.append(node("tr", cells))
    return [_table(("step", "n", "", "reasons"), rows)]


def _reasons(reasons: Sequence[tuple[str, int]]) -> str:
    first = ", ".join(f"{count:,} {name}" for name, count in reasons[:2])
    return f"{first}, …" if len(reasons) > 2 else first


def _rewards(run: Summary, colours: dict[str, str]) -> list[Element]:
    if not run.rewards or not any(sum(group.counts) for group in run.rewards.groups):
        return [node("p", "no response has a reward; curate score gives them", class_="note")]
    judges = ", ".join(run.rewards.judges)
    caption = node("p", f"share of the class in each tenth, one scale for all; judge: {judges}", class_="note")
    return [node("div", chart.histogram(run.rewards, colours), class_="small"), caption]


def _classes(run: Summary, colours: dict[str, str]) -> Element:
    total = sum(part.responses for part in run.classes)
    rows = []
    for part in run.classes:
        weight = run.weights.classes.get(part.name) if run.weights else None
        cells = [
            node("th", part.name, scope="row"),
            node("td", f"{part.responses:,}", class_="n"),
            node(
                "td", chart.bar(part.responses / total if total else 0, colours.get(part.name, "more")), class_="bars"
            ),
            node("td", number(part.reward), class_="n"),
            node("td", f"{weight.responses:,}" if weight else "", class_="n"),
            node("td", number(weight.mean if weight else None), class_="n"),
            node("td", chart.bar(weight.share if weight else 0, colours.get(part.name, "more")), class_="bars"),
            node("td", f"{100 * weight.share:.1f} %" if weight else "", class_="n"),
        ]
        rows.append(node("tr", cells))
    head = ("class", "responses", "share", "reward", "trained", "mean weight", "share of the weight", "")
    return _table(head, rows)


def _parts(parts: Sequence[Part], name: str) -> Element:
    total = sum(part.responses for part in parts)
    rows = [
        node(
            "tr",
            node("th", part.name, scope="row"),
            node("td", f"{part.conversations:,}", class_="n"),
            node("td", f"{part.responses:,}", class_="n"),
            node("td", chart.bar(part.responses / total if total else 0), class_="bars"),
            node("td", percent(part.responses, total), class_="n"),
            node("td", "-" if part.flagged is None else f"{part.flagged:,}", class_="n"),
            node("td", "-" if part.duplicates is None else f"{part.duplicates:,}", class_="n"),
            node("td", number(part.reward), class_="n"),
        )
        for part in parts
    ]
    return _table((name, "conversations", "responses", "share", "", "flagged", "duplicates", "reward"), rows)


def _facts(run: Summary) -> list[Element]:
    facts = []
    if found := run.duplicates:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds.items())
        largest = ", ".join(f"{count:,} beside {key}" for key, count in found.largest.items())
        text = f"{found.removed:,} conversations ({kinds or 'none'}) in {found.clusters:,} clusters"
        facts.append(("duplicates", f"{text}; largest: {largest}" if largest else text))
    if weights := run.weights:
        text = f"{weights.weighting}, written as {weights.format}"
        conditions = ", ".join(f"{count:,} {name}" for name, count in weights.conditions.items())
        facts += [("weights", text), ("conditions", conditions or "none")]
    if run.judging:
        facts.append(("judging", judging_line(run.judging)))
    if not facts:
        return [node("p", "no stage has said anything of these yet", class_="note")]
    return [node("dl", [node("div", node("dt", name), node("dd", text)) for name, text in facts], class_="facts")]


def _differences(left: Summary, right: Summary) -> Element:
    rows = [
        node(
            "tr",
            node("th", row.name, scope="row"),
            [node("td", figure, class_="n") for figure in (row.left, row.right, row.difference)],
            class_="same" if row.difference in ("", "0") else None,
        )
        for row in compare(left, right)
    ]
    return _table(("", left.workspace, right.workspace, "difference"), rows)


def _map(found: Map) -> list[Element]:
    ways = [
        node("label", node("input", type="radio", name="way", value=way, checked=way == "class"), f" {way}")
        for way in found.groups
    ]
    keys = []
    for way, groups in found.groups.items():
        colours = chart.colours([group.name for group in groups])
        key = [
            node(
                "li",
                node("svg", node("rect", width="100%", height="100%", class_=colours.get(group.name, "more"))),
                f" {group.name} {group.count:,}",
            )
            for group in groups
        ]
        keys.append(node("ul", key, class_=f"key of-{way}", hidden=way != "class"))
    said = [node("p", line.strip(), class_="note") for line in map_lines(found)]
    hover = node("p", "point at a response to read what was asked", class_="hover", dir="auto")
    return [node("p", "coloured by ", ways, class_="ways"), *keys, chart.scatter(found), hover, *said]


def _sample(runs: Sequence[Summary], samples: Sequence[Sequence[Sample]]) -> list[Element]:
    if not samples[0]:
        return [node("p", "no response to show", class_="note")]
    others = {row.content_hash: row for row in samples[1]} if len(runs) > 1 else {}
    rows = [_sample_row(row, others.get(row.content_hash), len(runs) > 1) for row in samples[0]]
    head = ["key", "class", "task", "reward", *(["other run"] if len(runs) > 1 else []), "prompt and response"]
    label = node("label", "search ", node("input", type="search", class_="search", placeholder="text, class, flag …"))
    shown = node("output", f"{len(rows):,} responses", class_="found")
    return [node("p", label, " ", shown), _table(head, rows, class_="sample")]


def _sample_row(row: Sample, other: Sample | None, compared: bool) -> Element:
    marks = [*row.flags, *(["duplicate"] if row.duplicate else [])]
    tell = [node("span", mark, class_="mark") for mark in marks]
    cells = [
        node("td", f"{row.key}:{row.turn}", node("small", row.source), class_="n"),
        node("td", row.class_ or "unknown"),
        node("td", row.task or "-"),
        node("td", number(row.reward), class_="n"),
    ]
    if compared:
        said = f"{other.class_ or 'unknown'} {number(other.reward)}" if other else "-"
        cells.append(node("td", said))
    texts = [_text("prompt", row.prompt), _text("response", row.response)]
    why = node("p", f"judge: {row.rationale}", class_="note") if row.rationale else None
    return node("tr", cells, node("td", tell, texts, why, class_="texts"))


def _text(kind: str, text: str) -> Element:
    """A text, its beginning shown and the rest one tap away; its own direction reorders nothing around it."""
    if len(text) <= FIRST:
        return node("div", text or "(none)", class_=f"text {kind}", dir="auto")
    first = " ".join(text[:FIRST].split())
    return node(
        "details", node("summary", node("bdi", f"{first}…")), node("div", text, class_="text", dir="auto"), class_=kind
    )


def _table(head: Sequence[str], rows: Iterable[Element], class_: str | None = None) -> Element:
    titles = node("thead", node("tr", [node("th", name, scope="col") for name in head]))
    return node("div", node("table", titles, node("tbody", rows), class_=class_), class_="scroll")
