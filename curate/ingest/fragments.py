"""Fragments: V3's split left one conversation as `X_0`, `X_5`, … where the number is the place of the first turn.

The split (FastChat's `split_long_conversation`) cut at the model's context; often the last turn of a fragment
is the first of the next again. Fragments are joined when the turns they share are the same; where they share
none, the numbers alone must do, and count only behind an id of ShareGPT's own making. Rows of a numbered set
(`identity_0`, `identity_1`) contradict each other and stay apart.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curate.ingest.conversation import Conversation

MAX_DIGITS = 6
# Chains that a piece is compared with.
LOOK_BACK = 16
# Seven random characters; words such as `example` are no such id.
SHAREGPT_ID = re.compile(r"(?![a-z]+\Z|[0-9]+\Z)[A-Za-z0-9_-]{7}")


class Piece(NamedTuple):
    """A record that may be a fragment: place of its first turn, row in its file, id, and what it holds."""

    number: int
    row: int
    id: str
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
        Row and conversation of each that is left, in order of their rows; and how many records were `joined`; how
        many of those began with turns that were there already (`overlapping`) or had no others (`contained`); and
        how many begin with an answer whose question is nowhere (`orphaned`).
    """
    chains: list[_Chain] = []
    for piece in sorted(rows, key=lambda piece: piece[:2]):
        for chain in chains[: -LOOK_BACK - 1 : -1]:
            if chain.takes(piece):
                chain.add(piece)
                break
        else:
            chains.append(_Chain(piece))
    counts: Counter[str] = Counter()
    for chain in chains:
        counts["joined"] += len(chain.head.conversation.joined_rows)
        counts["overlapping"] += chain.overlapping
        counts["contained"] += chain.contained
        counts["orphaned"] += chain.head.number > 0 and begins_with_answer(chain.head.conversation)
    found = [(chain.head.row, chain.head.conversation) for chain in chains]
    return sorted(found, key=lambda item: item[0]), counts


class _Chain:
    """A conversation that grows, piece by piece."""

    def __init__(self, head: Piece) -> None:
        self.head = head
        self.overlapping = self.contained = 0

    @property
    def end(self) -> int:
        """The place of the turn that comes next."""
        return self.head.number + len(self.head.conversation.messages)

    def takes(self, piece: Piece) -> bool:
        """Whether a piece goes on where this one ends, or repeats its end."""
        turns, messages = self.head.conversation.messages, piece.conversation.messages
        shared = self.end - piece.number
        if shared > 0:
            begin = len(turns) - shared
            return begin >= 0 and turns[begin : begin + len(messages)] == messages[:shared]
        # Numbers alone are weak evidence: any two rows of a numbered set may seem to meet.
        is_whole = self.head.number == 0 or self.overlapping > 0
        both_answer = turns[-1].role == "assistant" == messages[0].role
        return shared == 0 and is_whole and not both_answer and bool(SHAREGPT_ID.fullmatch(base_of(piece.id) or ""))

    def add(self, piece: Piece) -> None:
        """Take in a piece."""
        whole, more = self.head.conversation, piece.conversation
        shared = self.end - piece.number
        messages = more.messages[shared:]
        self.overlapping += shared > 0 < len(messages)
        self.contained += not messages
        if more.model != whole.model:
            messages = [turn._replace(model=turn.model or more.model) for turn in messages]
        whole.messages += messages
        whole.joined_rows.append(piece.row)
        if more.edits or "joined" not in whole.edits:
            whole.edits = sorted({*whole.edits, *more.edits, "joined"})
        if more.marks:
            whole.marks = sorted({*whole.marks, *more.marks})


def begins_with_answer(conversation: Conversation) -> bool:
    """Whether an answer comes first, system messages aside."""
    return next((turn.role for turn in conversation.messages if turn.role != "system"), "") == "assistant"
