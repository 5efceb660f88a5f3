"""A difference as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.console import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curate.diff import Difference
    from curate.diff.settings import Setting
    from curate.diff.tally import Change, Example, Moved

LINES = 12  # of a table
VALUE = 44  # characters


def render(found: Difference) -> Iterator[str]:
    """The lines of a difference; nothing in them can reach the terminal but as text."""
    yield f"{plain(found.a)} → {plain(found.b)}"
    yield f"{found.rows[0]:>11,} → {found.rows[1]:,} conversations"
    yield f"{found.same:>11,} with the same messages"
    for count, what, examples in (
        (found.changed, "from the same row with other messages", found.changed_examples),
        (found.out, "only in the first", found.out_examples),
        (found.into, "only in the second", found.into_examples),
    ):
        if count:
            yield f"{count:>11,} {what}"
            yield from _examples(examples)
    yield from _settings(found.settings)
    for title, changes in (
        ("labels, by class", found.classes),
        ("labels, by class and rule", found.labels),
        ("flags gained", found.gained),
        ("flags lost", found.lost),
        ("duplicates", found.duplicates),
        ("export", found.exported),
    ):
        yield from _changes(title, changes)
    yield from _moved("scores", found.scores)
    if found.weights is None:
        yield from ("", "weights: one of the two cannot be exported as it is")
    else:
        yield from _moved("weights", found.weights)


def _settings(settings: list[Setting]) -> Iterator[str]:
    yield from ("", "settings that differ" if settings else "no setting differs")
    for one in settings[: 2 * LINES]:
        yield f"    {plain(one.name)}: {_value(one.before)} → {_value(one.after)}"
    if len(settings) > 2 * LINES:
        yield f"    and {len(settings) - 2 * LINES:,} more; --json has all"


def _value(value: object) -> str:
    return "-" if value is None else plain(str(value), VALUE)


def _changes(title: str, changes: list[Change]) -> Iterator[str]:
    if not changes:
        return
    yield from ("", title)
    for change in changes[:LINES]:
        sides = " → ".join(plain(side) for side in (change.before, change.after) if side)
        yield f"{change.count:>11,}  {sides}"
        yield from _examples(change.examples, values=False)
    if len(changes) > LINES:
        rest = sum(change.count for change in changes[LINES:])
        yield f"{rest:>11,}  in {len(changes) - LINES:,} other ways; --json has all"


def _moved(title: str, moved: Moved) -> Iterator[str]:
    if not (moved.compared or moved.gained or moved.lost):
        return
    yield ""
    mean = "" if moved.mean is None else f", mean change {moved.mean:+.4f}"
    yield f"{title}: {moved.moved:,} of {moved.compared:,} moved{mean}"
    for name, count in moved.steps.items():
        yield f"{count:>11,}  {name}"
    for count, what in ((moved.gained, "only in the second"), (moved.lost, "only in the first")):
        if count:
            yield f"{count:>11,}  have one {what}"
    yield from _examples(moved.largest)


def _examples(examples: list[Example], *, values: bool = True) -> Iterator[str]:
    for one in examples:
        keys = [str(key) for key in (one.key, one.key_b) if key is not None]
        name = " → ".join(dict.fromkeys(keys)) + ("" if one.turn is None else f":{one.turn}")
        moved = f"  {one.before} → {one.after}" if values and one.before is not None else ""
        yield f"{'':<13}{name:<12}{moved}  {plain(one.file, 40)}:{one.row}  {plain(one.about or '', 60)}".rstrip()
