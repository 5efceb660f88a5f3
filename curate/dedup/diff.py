"""What two texts have in common and what not, word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING

from curate.console import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
# Changed lines of more words than this are shown as wholly changed: comparing them takes the square of it.
MOST_WORDS = 2_000
MOST_LINES = 20_000
# Characters of unchanged text that are shown beside a change.
CONTEXT = 40

SAME, KEPT_ONLY, REMOVED_ONLY = "same", "kept only", "removed only"


@dataclass(frozen=True)
class Piece:
    """A stretch of text.

    Attributes:
        where: `same`, `kept only` or `removed only`.
        text: The stretch.
    """

    where: str
    text: str


@dataclass(frozen=True)
class MessageDiff:
    """One message of both.

    Attributes:
        role: Who speaks, in the one that stays if both differ.
        pieces: Its text.
    """

    role: str
    pieces: tuple[Piece, ...]


def messages(kept: Sequence[dict[str, str]], removed: Sequence[dict[str, str]]) -> tuple[MessageDiff, ...]:
    """Message against message; where one has fewer, the rest of the other is all its own.

    Args:
        kept: Messages with `role` and `content` of the text that stays.
        removed: Those of the one that goes.
    """
    pairs = zip_longest(kept, removed, fillvalue=None)
    return tuple(
        MessageDiff((left or right or {})["role"], tuple(_pieces(*(m["content"] if m else "" for m in (left, right)))))
        for left, right in pairs
    )


def _pieces(kept: str, removed: str) -> Iterator[Piece]:
    """Lines first, words only in lines that changed, so that long texts take little longer than reading them."""
    left, right = kept.splitlines(keepends=True), removed.splitlines(keepends=True)
    lines = [("replace", 0, len(left), 0, len(right))]
    if max(len(left), len(right)) <= MOST_LINES:
        lines = list(SequenceMatcher(None, left, right).get_opcodes())
    changes: list[tuple[str, str]] = []
    for what, i, j, k, m in lines:
        one, two = "".join(left[i:j]), "".join(right[k:m])
        changes += [(SAME, one)] if what == "equal" else _words(one, two)
    last, text = None, ""
    for where, part in changes:
        if where != last and text:
            yield Piece(str(last), text)
            text = ""
        last, text = where, text + part
    if text:
        yield Piece(str(last), text)


def _words(kept: str, removed: str) -> list[tuple[str, str]]:
    left, right = _WORD.findall(kept), _WORD.findall(removed)
    if max(len(left), len(right)) > MOST_WORDS:
        return [(KEPT_ONLY, kept), (REMOVED_ONLY, removed)]
    found = []
    for what, i, j, k, m in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        one, two = "".join(left[i:j]), "".join(right[k:m])
        found += [(SAME, one)] if what == "equal" else [(KEPT_ONLY, one), (REMOVED_ONLY, two)]
    return [(where, text) for where, text in found if text]


def render(diffs: Sequence[MessageDiff]) -> Iterator[Text]:
    """A line per message that differs: `[-kept only-]`, `{+removed only+}`, and what stands beside them."""
    from rich.text import Text

    same = 0
    for diff in [*diffs, None]:
        if diff and all(piece.where == SAME for piece in diff.pieces):
            same += 1
            continue
        if same:
            yield Text(f"… {same} {'message' if same == 1 else 'messages'} the same", "dim")
            same = 0
        if diff is None:
            return
        line = Text(f"{diff.role}: ", "bold")
        for number, piece in enumerate(diff.pieces):
            text = plain(piece.text.replace("\n", "⏎").replace("\t", " "))
            if piece.where == SAME:
                line.append(_middle_cut(text, first=number == 0, last=number == len(diff.pieces) - 1))
            elif piece.where == KEPT_ONLY:
                line.append(f"[-{_long_cut(text)}-]", "red")
            else:
                line.append(f"{{+{_long_cut(text)}+}}", "green")
        yield line


def _middle_cut(text: str, *, first: bool, last: bool) -> str:
    """Only what stands beside a change."""
    before, after = (0 if first else CONTEXT), (0 if last else CONTEXT)
    if len(text) <= before + after + 20:
        return text
    middle = f" … {len(text) - before - after:,} characters the same … "
    return text[:before] + middle + text[len(text) - after :]


def _long_cut(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:300]} … {len(text) - 300:,} characters more"
