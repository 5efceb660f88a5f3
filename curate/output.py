"""How results look on stdout: figures, pictures, or JSON."""

from __future__ import annotations

import sys
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from curate.console import plain, print_json, stdout, unicode_stdout
from curate.errors import GateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def facts(result: object, as_json: bool, lines: dict[str, Any]) -> None:
    """A command's result: its figures, a line each, or all of it as JSON."""
    if as_json:
        json(result)
        return
    for name, value in lines.items():
        if isinstance(value, dict):
            parts = ", ".join(f"{_figure(count)} {key}" for key, count in value.items())
            sys.stdout.write(f"{name:<14} {plain(parts) or 'none'}\n")
        else:
            sys.stdout.write(f"{name:<14} {plain(_figure(value))}\n")


def _figure(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def json(value: Any) -> None:
    """Any result, or a list of them, as JSON."""
    def plainly(item: Any) -> Any:
        return asdict(item) if is_dataclass(item) and not isinstance(item, type) else item

    print_json([plainly(item) for item in value] if isinstance(value, list) else plainly(value))


def _lines(render: Callable[[int, bool], Any]) -> None:
    console = stdout()
    for line in render(console.width, unicode_stdout()):
        console.print(line, soft_wrap=True)


def lines(text: Iterable[str]) -> None:
    """Lines that are inert for a terminal already."""
    sys.stdout.writelines(f"{line}\n" for line in text)


def hist(histogram: Any, scale: str = "share") -> None:
    """A histogram as wide as the terminal."""
    from curate.report.histogram_text import render

    _lines(lambda width, blocks: render(histogram, width, blocks=blocks, scale=scale))


def funnel(funnel: Any) -> None:
    """A funnel as wide as the terminal.

    Raises:
        GateError: It lost something, and is no result to trust.
    """
    from curate.report.funnel import render

    _lines(lambda width, _: render(funnel, width))
    _require_balanced(funnel)


def report(report: Any) -> None:
    """A run as wide as the terminal, and what differs from another.

    Raises:
        GateError: Its funnel lost something.
    """
    from curate.report.summary_text import beside, render

    _lines(lambda width, blocks: render(report.summary, width, blocks=blocks))
    if report.against:
        sys.stdout.write("\n")
        _lines(lambda width, _: beside(report.summary, report.against, width))
    if report.map:
        from curate.report.map import lines as said

        lines(["", *said(report.map)])
    if report.html:
        sys.stdout.write(f"\n{plain(str(report.html))}: {report.html.stat().st_size / 1e6:.1f} MB\n")
    _require_balanced(report.summary.funnel)


def _require_balanced(funnel: Any) -> None:
    if not funnel.balanced:
        raise GateError(
            "the funnel is not balanced: conversations are neither exported nor dropped, or counted twice",
            hint="run `curate export` again; if it stays so, ingest the dumps into a new workspace",
        )


def labels(result: Any, as_json: bool) -> None:
    """How the responses were labelled, and why where somebody asked."""
    from curate.label.explain import render

    lines = {"responses": result.responses, "classes": result.classes, "by rule": result.rules}
    more = {"conflicts": result.conflicts, "only claimed": result.claims, "verified": result.verified}
    lines |= {"tasks": result.tasks} if result.tasks else {}
    unmatched = {} if result.unmatched is None else {"unmatched": result.unmatched}
    facts(result, as_json, {**lines, **{name: value for name, value in more.items() if value}, **unmatched})
    if result.explanation and not as_json:
        sys.stdout.writelines(f"{line}\n" for line in render(result.explanation))


def duplicate(explanation: Any, as_json: bool) -> None:
    """Why a text was removed or stays."""
    if as_json:
        json(explanation)
        return
    from curate.dedup.explain import render

    _lines(lambda width, blocks: render(explanation))


def stories(found: Iterable[Any], *, full: bool, pager: bool) -> None:
    """Whole histories, as wide as the terminal."""
    from curate.pager import page
    from curate.show.text import render

    width = stdout().width
    lines: list[Any] = []
    for story in found:
        lines += ["", ""] if lines else []
        lines += render(story, width, full=full)
    page(lines, use=pager)


def matches(found: Any, as_json: bool, pager: bool) -> None:
    """The responses that a condition holds for."""
    from curate.pager import page
    from curate.show.text import render_matches

    if as_json:
        json(found)
    else:
        page(render_matches(found, stdout().width), use=pager)


def contamination(result: Any, as_json: bool) -> None:
    """Which items of benchmarks were found, list by list."""
    from curate.decontaminate.report import render

    if as_json:
        json(result)
    else:
        lines(render(result))


def verification(report: Any, as_json: bool) -> None:
    """What was found in training shards.

    Raises:
        GateError: Something that the caller does not want.
    """
    from curate.verify.render import render

    if as_json:
        json(report)
    else:
        lines(render(report))
    if not report.passed:
        what = f"the shards did not pass: {report.errors} errors, {report.warnings} warnings"
        raise GateError(what, hint="docs/verify.md says what each finding means; --ignore CODE leaves one out")


def export(result: Any) -> None:
    """What an export wrote, and with which weights."""
    what = "unchanged" if result.unchanged else "written" if result.files else "dry run"
    sys.stdout.write(f"\n{plain(str(result.out))}: {result.format}, {what}\n")
    for file in result.files:
        sys.stdout.write(f"  {file}\n")
    if result.preview and not result.files:
        from curate.export.preview import render

        sys.stdout.write(f"  {result.exported:,} of {result.conversations:,} conversations, {result.rows:,} rows\n")
        lines(render(result.preview, result.dropped, result.masked))
        if result.note:
            sys.stdout.write(f"  note: {result.note}\n")
        return
    for name, weights in result.classes.items():
        figures = f"{weights.responses:>9,} responses, mean weight {weights.mean:.3f}, sum {weights.sum:,.1f}"
        sys.stdout.write(f"  {plain(name):<8} {figures}\n")
    sys.stdout.write(f"  effective sample size {result.effective_sample_size:,.0f}\n")
    for count, what in (
        (result.fallback, "trained responses have no reward: weighed by their class alone"),
        (result.masked.get("unscored"), "responses have no reward: masked"),
        (result.dropped.get("unscored"), "conversations have a response without reward: dropped"),
        (result.dropped.get("too_long"), "conversations have nothing that fits a row: dropped (`too_long`)"),
        (result.masked.get("too_long"), "responses do not fit their row: not trained (`too_long`)"),
        (result.dropped.get("target_template"), "conversations are not taken by the template: dropped"),
        (result.rows_cut, "rows end early, at `max_length`"),
    ):
        if count:
            sys.stdout.write(f"  {count:,} {what}\n")
    if result.packed:
        rows, fill = result.packed["rows"], result.packed["fill"]
        sys.stdout.write(f"  packed into {rows:,} rows, {fill:.1%} full\n")
    if result.corrected:
        said = ", ".join(f"{count:,} {what}" for what, count in result.corrected.items())
        sys.stdout.write(f"  corrected by hand: {said}\n")
    if result.note:
        sys.stdout.write(f"  note: {result.note}\n")
