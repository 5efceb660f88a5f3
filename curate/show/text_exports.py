"""Where a conversation went, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.show.layout import BAD, GOOD, QUIET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from curate.show.layout import Layout
    from curate.show.story import Exported, Story

# Rows of one export that are listed.
MOST_ROWS = 8


def render(story: Story, layout: Layout) -> Iterator[Text]:
    """The lines about all exports."""
    if not story.exports:
        return
    yield from layout.head("Where it went")
    for one in story.exports:
        yield from _export(one, story.turn, layout)


def _export(one: Exported, turn: int | None, layout: Layout) -> Iterator[Text]:
    name = one.folder + (f" ({one.format})" if one.format else "")
    state, style = _state(one)
    yield from layout.line(f"{name}: {state}", style)
    if one.stale:
        yield from layout.line("made before what it reads changed", BAD, 4)
    for row in one.rows[:MOST_ROWS]:
        facts = [f"condition {row.condition}" if row.condition else "", _number("weight", row.weight)]
        facts += [_number("reward", row.reward)]
        known = ", ".join(filter(None, facts))
        yield from layout.line(f"{row.file}, row {row.row:,}{': ' if known else ''}{known}", "", 4)
        if row.id:
            yield from layout.line(f"id {row.id}", QUIET, 6)
        weights = [weight for weight in row.weights if turn in (None, weight.turn)]
        if weights:
            listed = ", ".join(f"{weight.turn}: {weight.weight:.4g}" for weight in weights)
            yield from layout.line(f"weights by message {listed}", QUIET, 6)
    if len(one.rows) > MOST_ROWS:
        yield from layout.line(f"and {len(one.rows) - MOST_ROWS:,} rows more; --json has them", QUIET, 4)
    for response in one.responses:
        if turn in (None, response.turn) and (response.masked or not any(row.weights for row in one.rows)):
            said = f"weighs 0: {response.masked}" if response.masked else f"weight {response.weight:.4g}"
            condition = f", condition {response.condition}" if response.condition and not response.masked else ""
            yield from layout.line(f"message {response.turn}: {said}{condition}", "", 4)
    if one.note:
        yield from layout.line(one.note, QUIET, 4)


def _state(one: Exported) -> tuple[str, str]:
    if one.state == "there":
        return f"{len(one.rows):,} {'row' if len(one.rows) == 1 else 'rows'}", GOOD
    if one.state == "gone":
        return "gone", BAD
    if one.state == "left out":
        return f"left out{f', {one.reason}' if one.reason else ''}", BAD
    return f"cannot tell which rows are its{f'; by the tables left out, {one.reason}' if one.reason else ''}", BAD


def _number(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.4g}"
