"""A message, and what was said of it if it is a response, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.show.layout import BAD, QUIET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from curate.show.layout import Layout
    from curate.show.story import Label, Message, Opinion, Said, Score


def render(message: Message, layout: Layout, most: int | None) -> Iterator[Text]:
    """The lines of a message; of its text the first `most`, None = all."""
    from curate.show.text import compared

    who = {"user": "user", "assistant": "response"}.get(message.role, message.role)
    by = "".join(f", {value}" for value in (message.model, message.name) if value)
    yield from layout.head(f"Message {message.turn}: {who}{by}, {len(message.text):,} characters")
    if message.label:
        yield from _label(message.label, layout)
    for said in message.corrections:
        yield from _said(said, layout)
    if message.score:
        yield from _score(message.score, layout)
    if message.weight is not None:
        yield from layout.fact("in record", f"weight {message.weight:.4g}, as the record states it")
    if message.repeats:
        if message.repeats.kind is not None:
            yield from compared(message.repeats, layout)
        if message.repeats.stands_for:
            names = ", ".join(f"{key}:{turn}" for key, turn in message.repeats.stands_for)
            yield from layout.fact("repeated", f"by {names}")
        if message.repeats.restored:
            yield from layout.fact("restored", "its removal was taken back by hand")
    if message.label or message.score:
        yield from layout.line("")
    yield from layout.body(message.text, most)
    if message.tool_calls:
        yield from layout.line("tool calls", QUIET, 4)
        yield from layout.body(message.tool_calls, most, 6)


def _label(label: Label, layout: Layout) -> Iterator[Text]:
    by = f"by rule {label.rule}" if label.rule else "no rule knows"
    yield from layout.fact("class", f"{label.class_ or 'unknown'}, {by}")
    if label.evidence:
        yield from layout.fact("evidence", label.evidence)
    for conflict in label.conflicts:
        yield from layout.fact("against it", conflict, BAD)


def _said(said: Said, layout: Layout) -> Iterator[Text]:
    what = [f"class {said.class_}"] if said.class_ else []
    what += [] if said.reward is None else [f"reward {said.reward:g}"]
    told = "taken back" if said.undo else ", ".join(what)
    past = "" if said.holds or said.undo else ", which does not hold any more"
    why = f": {said.why}" if said.why else ""
    style = "" if said.holds else QUIET
    yield from layout.fact("by hand", f"{told} by {said.by}, {said.at}{past}{why}", style)


def _score(score: Score, layout: Layout) -> Iterator[Text]:
    by = f"by {score.judge}" + (f", {score.rubric}" if score.rubric else "")
    if score.reward is None:
        yield from layout.fact("score", f"none, {score.status} {by}", BAD)
    else:
        yield from layout.fact("score", f"reward {score.reward:.4g} {by}{_more(score)}")
    yield from _reasons(score.aspects, score.flags, score.rationale, layout)
    for opinion in score.opinions:
        yield from _opinion(opinion, layout)


def _more(score: Score) -> str:
    facts = [("raw", score.raw if score.raw != score.reward else None), ("percentile", score.percentile)]
    facts += [("calibrated", score.calibrated if score.calibrated != score.reward else None)]
    facts += [("on its scale", score.score if score.score != score.raw else None), ("spread", score.spread)]
    told = [f"{name} {value:.4g}" for name, value in facts if value is not None]
    told += [f"{score.samples} answers"] if (score.samples or 0) > 1 else []
    told += [f"judged as {score.judged_task}"] if score.judged_task else []
    return "".join(f", {one}" for one in told)


def _opinion(one: Opinion, layout: Layout) -> Iterator[Text]:
    reward = one.status if one.reward is None else f"reward {one.reward:.4g}"
    served = f" (answered by {one.answered_by})" if one.answered_by not in (None, one.judge) else ""
    backend = "" if one.backend == "chat" else f", {one.backend}"
    answers = f", answers {', '.join(f'{answer:.4g}' for answer in one.answers)}" if len(one.answers) > 1 else ""
    bare = "" if one.without_steering is None else f", without what it says to its grader {one.without_steering:.4g}"
    cut = ", saw head and tail only" if one.partial else ""
    reference = ", with a reference answer" if one.reference else ""
    told = f"{one.judge}{served}: {reward}, {one.rubric}{backend}{reference}{answers}{bare}{cut}"
    yield from layout.fact("judge", told, "" if one.reward is not None else BAD)
    yield from _reasons(one.levels, one.flags, one.rationale, layout)


def _reasons(
    levels: dict[str, float] | dict[str, float | None], flags: tuple[str, ...], text: str | None, layout: Layout
) -> Iterator[Text]:
    if levels:
        parts = [f"{name} {'?' if level is None else f'{level:.3g}'}" for name, level in levels.items()]
        yield from layout.fact("", ", ".join(parts))
    if flags:
        yield from layout.fact("", f"flags: {', '.join(flags)}", BAD)
    # The local judge's reasons are the names of what it found.
    if text and text != ", ".join(levels):
        yield from layout.fact("", text, QUIET)
