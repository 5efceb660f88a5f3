"""What ingest took out of texts: the record, read again, beside what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.dedup import diff
from curate.ingest.conversation import Conversation, UnusableError
from curate.ingest.tidy import tidy
from curate.show.story import Change, Edited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.ingest.inputs import Input
    from curate.ingest.window import Record

_WHERE = {diff.SAME: "same", diff.KEPT_ONLY: "taken out", diff.REMOVED_ONLY: "put in"}


def edited(looked: Input, record: Record, messages: Sequence[dict[str, Any]]) -> tuple[Edited, ...] | None:
    """The messages whose texts were changed, word by word.

    Args:
        looked: The file.
        record: The record that the conversation was made from.
        messages: Those of the conversation, as they are in the table.

    Returns:
        None where the record does not lead to these messages: it holds others, or is a part of them.
    """
    try:
        found = looked.convert(record.value)
    except UnusableError:
        return None
    wanted = [(message["role"], message["content"]) for message in messages]
    for conversation in found:
        if isinstance(conversation, Conversation):
            before = list(conversation.messages)
            after = tidy(conversation).messages
            if [(message.role, message.content) for message in after] == wanted:
                return tuple(_changes(before, after))
    return None


def _changes(before: Sequence[Any], after: Sequence[Any]) -> list[Edited]:
    changes: list[Edited] = []
    turn = 0
    for message in before:
        # Only adverts, which are system messages, are taken out whole.
        is_left = turn < len(after) and after[turn].role == message.role
        text = after[turn].content if is_left else ""
        if text != message.content:
            (found,) = diff.messages([{"role": "", "content": message.content}], [{"role": "", "content": text}])
            pieces = tuple(Change(_WHERE[piece.where], piece.text) for piece in found.pieces)
            changes.append(Edited(turn if is_left else None, message.role, pieces))
        turn += is_left
    return changes
