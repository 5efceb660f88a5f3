"""A story for a terminal, at any width; nothing in it can reach the terminal but as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.console import plain
from curate.show import text_exports, text_responses
from curate.show.layout import BAD, QUIET, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from curate.dedup import diff
    from curate.dedup.explain import Explanation
    from curate.show.matches import Matches
    from curate.show.story import Edited, Story

# Lines of a message that are shown where not all are asked for.
MOST_LINES = 12
VERDICTS = {"drop": "drops the conversation", "mask": "masks the response", "keep": "kept all the same"}
HOW = {"exact": "an exact copy of", "prefix": "the beginning of", "near": "a near copy of"}
HOW |= {"semantic": "asks for the same as"}


def render(story: Story, width: int, *, full: bool = False) -> Iterator[Text]:
    """The lines of a story.

    Args:
        story: The story.
        width: Columns of the terminal.
        full: Show every message whole.
    """
    layout = Layout(width)
    most = None if full else MOST_LINES
    yield from _headline(story, layout)
    yield from _origin(story, layout)
    yield from _edits(story, layout)
    yield from _rules(story, layout)
    yield from _duplicates(story, layout)
    yield from _benchmarks(story, layout)
    yield from text_exports.render(story, layout)
    for message in story.messages:
        yield from text_responses.render(message, layout, most)
    if len(story.messages) < story.messages_in_all:
        yield from layout.head(_count(story.messages_in_all - len(story.messages), "other message"))
        yield from layout.line(f"`curate show {story.key}` shows them", QUIET)


def render_matches(found: Matches, width: int) -> Iterator[Text]:
    """The lines of a search."""
    layout = Layout(width)
    for match in found.matches:
        reward = "" if match.reward is None else f", reward {match.reward:.3g}"
        status = f", {match.status}" if match.status not in (None, "ok") else ""
        flags = f", {', '.join(match.flags)}" if match.flags else ""
        copy = "" if match.removed_by is None else f", a duplicate of {match.removed_by}"
        class_ = match.class_ or "class unknown"
        yield from layout.line(f"{match.key}:{match.turn}  {class_}{reward}{status}{flags}{copy}", "bold", 0, 2)
        for who, text in (("user", match.prompt), ("response", match.response)):
            first = " ".join(text.split())
            yield from layout.fact(who, plain(first, max(20, 2 * (width - 16))) or "(empty)")
    of = f"{_count(found.responses, 'response')} in {_count(found.conversations, 'conversation')}"
    more = "; `curate show KEY` tells all of one" if found.matches else ""
    shown = f", {len(found.matches):,} shown, -n shows more" if len(found.matches) < found.responses else ""
    yield from layout.line(f"{of}{shown}{more}", QUIET, 0, 2)


def _headline(story: Story, layout: Layout) -> Iterator[Text]:
    name = f"Conversation {story.key}" if story.turn is None else f"Response {story.key}:{story.turn}"
    went = {one.state for one in story.exports}
    state = "exported" if "there" in went else "left out of every export" if "left out" in went else ""
    duplicate = "a duplicate" if story.duplicate and story.duplicate.kind else ""
    what = ", ".join(filter(None, (duplicate, state)))
    yield from layout.line(name + (f": {what}" if what else ""), "bold", 0, 2)
    responses = sum(message.role == "assistant" for message in story.messages)
    size = _count(story.messages_in_all, "message")
    size += f", {_count(responses, 'response')}" if story.turn is None else ""
    yield from layout.fact("content", size)
    yield from layout.fact("hash", story.content_hash)
    if story.task is not None:
        by = f"by rule {story.task_rule}" if story.task_rule else "no rule decided"
        yield from layout.fact("task", f"{story.task}, {by}")
    for lacking in story.not_yet:
        yield from layout.fact("not yet", f"{lacking.what}: run `{lacking.command}`", BAD)


def _origin(story: Story, layout: Layout) -> Iterator[Text]:
    origin = story.origin
    yield from layout.head("Where from")
    yield from layout.fact("file", f"{plain(origin.file)}, row {origin.row:,}")
    if origin.byte is not None:
        yield from layout.fact("byte", f"{origin.byte:,}, {origin.bytes:,} bytes long")
    else:
        yield from layout.fact("byte", f"not known: {origin.why_no_byte}", QUIET)
    if origin.joined_rows:
        yield from layout.fact("joined", f"from rows {', '.join(f'{row:,}' for row in origin.joined_rows)} too")
    stated = {"data set": origin.source, "id": origin.id, "model": origin.model, "date": origin.created_at}
    stated |= {"language": origin.language, "said task": origin.task, "marks": ", ".join(origin.marks) or None}
    stated |= {"rank": None if origin.rank is None else f"{origin.rank} of the answers in one record"}
    for name, value in stated.items():
        if value is not None:
            yield from layout.fact(name, value)


def _edits(story: Story, layout: Layout) -> Iterator[Text]:
    from curate.dedup import diff

    yield from layout.head("What was edited")
    yield from layout.fact("by ingest", ", ".join(story.edits) or "nothing")
    if story.edited:
        yield from layout.line("[-taken out-] {+put in+}", QUIET, 4)
        for line in diff.render([_difference(one) for one in story.edited]):
            yield from layout.line(line, "", 4)
    if story.redacted:
        parts = [f"{one.count} {one.kind} in message {one.turn}" for one in story.redacted]
        yield from layout.fact("redacted", ", ".join(parts))


def _difference(one: Edited) -> diff.MessageDiff:
    from curate.dedup import diff

    where = {"same": diff.SAME, "taken out": diff.KEPT_ONLY, "put in": diff.REMOVED_ONLY}
    name = f"{one.role} message" if one.turn is None else f"message {one.turn}"
    return diff.MessageDiff(name, tuple(diff.Piece(where[change.where], change.text) for change in one.changes))


def _rules(story: Story, layout: Layout) -> Iterator[Text]:
    if story.rules is None:
        return
    yield from layout.head("Which rules fired")
    if not story.rules:
        yield from layout.line("none", QUIET)
    for rule in story.rules:
        turns = f", message {', '.join(map(str, rule.turns))}" if rule.turns else ""
        verdict = VERDICTS.get(rule.export or "", "of another rule file than the one that is there now")
        yield from layout.line(f"{rule.rule}: {verdict}{turns}")
        if rule.why:
            yield from layout.line(rule.why, QUIET, 4, 0)
        if rule.saw:
            yield from layout.line(f"saw {rule.saw}", "", 4, 2)
    if story.rules_unknown:
        yield from layout.line(f"cannot tell: {', '.join(story.rules_unknown)}", QUIET)


def _duplicates(story: Story, layout: Layout) -> Iterator[Text]:
    found = story.duplicate
    if found is None:
        return
    yield from layout.head("Duplicates")
    if found.restored:
        yield from layout.line("its removal was taken back by hand")
    if found.kind is not None:
        yield from compared(found, layout)
    elif not found.stands_for:
        yield from layout.line("none: it stays, and stands for no other", QUIET)
    if found.stands_for:
        keys = ", ".join(str(key) for key, _ in found.stands_for)
        yield from layout.line(f"it stays, and stands for {keys}")
        for copy in story.copies:
            yield from compared(copy, layout)
    if found.similar_to is not None:
        yield from layout.line(f"its prompts mean the same as those of {found.similar_to}, cosine {found.cosine:.4f}")


def compared(found: Explanation, layout: Layout) -> Iterator[Text]:
    """A text that goes for another: how alike they are, where the other is, and what differs."""
    from curate.dedup import diff

    own = found.text.key if found.text.turn is None else f"{found.text.key}:{found.text.turn}"
    other = "a text of another set"
    if found.kept is not None:
        other = str(found.kept.key) if found.kept.turn is None else f"{found.kept.key}:{found.kept.turn}"
    set_ = f" in {plain(found.against)}" if found.against else ""
    how = HOW.get(found.kind or "", "a duplicate of")
    similarity = "" if found.similarity is None else f", similarity {found.similarity:.4f}"
    yield from layout.line(f"{own} is {how} {other}{set_}{similarity}".replace("is asks", "asks"))
    for name, place in (("stays", found.kept), ("goes", found.text)):
        if place is not None:
            where = f"{plain(place.source_file)}, row {place.source_row:,}, {place.chars:,} characters"
            yield from layout.line(f"{name}: {where}", QUIET, 4)
    if found.messages and found.kind != "exact":
        yield from layout.line("[-only in what stays-] {+only in what goes+}", QUIET, 4)
        for line in diff.render(found.messages):
            yield from layout.line(line, "", 4)


def _benchmarks(story: Story, layout: Layout) -> Iterator[Text]:
    if story.benchmarks is None:
        return
    yield from layout.head("Benchmark items")
    if not story.benchmarks:
        yield from layout.line("none", QUIET)
    for hit in story.benchmarks:
        what = f"{hit.benchmark}, item {hit.item}, {hit.column}: {hit.kind}, overlap {hit.overlap:.2f}"
        yield from layout.line(f"message {hit.turn}: {what}")
        yield from layout.line(plain(" ".join(hit.passage.split()), 300), QUIET, 4, 0)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what if number == 1 else what + 's'}"
