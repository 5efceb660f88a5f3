"""Fragments: V3's split left one conversation as `X_0`, `X_5`, … where the number is the place of the first turn.

The split (FastChat's `split_long_conversation`) cut at the model's context; often the last turn of a fragment
is the first of the next again. Fragments are joined when their numbers say that they meet and the turns they
share are the same. Ids that only look alike (`identity_0`, `identity_1`) contradict each other and stay apart.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curate.ingest.conversation import Conversation, Message

MAX_DIGITS = 6


class Piece(NamedTuple):
    """A record that may be a fragment: place of its first turn, row in its file, and what it holds."""

    number: int
    row: int
    conversation: Conversation


def base_of(source_id: Any) -> str | None:
    """What stands before the number of a fragment's id; None when the id has no number."""
    if type(source_id) is not str:
        return None
    base, _, number = source_id.rpartition("_")
    return base if base and len(number) <= MAX_DIGITS and number.isascii() and number.isdecimal() else None


def number_of(source_id: str) -> int:
    """The place of a fragment's first turn, by an id that has a base."""
    return int(source_id.rpartition("_")[2])


def join(rows: Iterable[Piece]) -> tuple[list[tuple[int, Conversation]], Counter[str]]:
    """Make whole conversations of the fragments of one base id.

    Args:
        rows: The records whose id has this base.

    Returns:
        Row and conversation of each that is left, in order of their rows; and how many records were `joined`,
        how many of those began with turns that were there already (`overlapping`), and how many begin with an
        answer whose question is nowhere (`orphaned`).
    """
    chains = _chains(sorted(rows, key=lambda piece: piece[:2]))
    counts: Counter[str] = Counter()
    for head, *others in chains:
        counts["orphaned"] += head.number > 0 and begins_with_answer(head.conversation)
        counts["joined"] += len(others)
        counts["overlapping"] += _append(head, others)
    found = [(chain[0].row, chain[0].conversation) for chain in chains]
    return sorted(found, key=lambda item: item[0]), counts


def _chains(pieces: list[Piece]) -> list[list[Piece]]:
    """Pieces that follow each other; every piece by itself when the numbers cannot be places of turns."""
    chains: list[list[Piece]] = []
    turns: list[Message] = []
    for piece in pieces:
        messages = piece.conversation.messages
        shared = chains[-1][0].number + len(turns) - piece.number if chains else -1
        if shared < 0:
            chains.append([piece])
            turns = list(messages)
            continue
        begin = len(turns) - shared
        if turns[begin : begin + len(messages)] != messages[:shared] or _cannot_meet(turns, messages, shared):
            return [[piece] for piece in pieces]
        chains[-1].append(piece)
        turns += messages[shared:]
    return chains


def _cannot_meet(turns: list[Message], messages: list[Message], shared: int) -> bool:
    """Whether two pieces without a common turn are no neighbours: one side speaks twice, and nothing else says so."""
    return not shared and turns[-1].role == messages[0].role and (messages[0].role == "assistant" or len(turns) == 1)


def _append(head: Piece, others: list[Piece]) -> int:
    """Add the turns of the other pieces to the first; returns how many began with turns that it had already."""
    whole = head.conversation
    overlapping = 0
    for piece in others:
        conversation = piece.conversation
        shared = head.number + len(whole.messages) - piece.number
        overlapping += shared > 0
        messages = conversation.messages[shared:]
        if conversation.model != whole.model:
            messages = [turn._replace(model=turn.model or conversation.model) for turn in messages]
        whole.messages += messages
        whole.joined_rows.append(piece.row)
        whole.edits = sorted({*whole.edits, *conversation.edits, "joined"})
        whole.marks = sorted({*whole.marks, *conversation.marks})
    return overlapping


def begins_with_answer(conversation: Conversation) -> bool:
    """Whether an answer comes first, system messages aside."""
    return next((turn.role for turn in conversation.messages if turn.role != "system"), "") == "assistant"
