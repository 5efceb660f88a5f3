"""Which characters of a message its tokens are: only for the few messages where that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.dedup.tokens import LONGEST, NONE, ROOM, STEP, compiled, read_tokens, scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Integers = NDArray[np.int64]


def passages(
    data: Bytes, offsets: Integers, messages: Integers, firsts: Integers, counts: Integers
) -> tuple[Integers, Integers]:
    """First character of each stretch of tokens in its message, and the one behind its last.

    Args:
        data: UTF-8 bytes of all messages.
        offsets: Where each message begins in `data`, and the end of the last.
        messages: The message of each stretch.
        firsts: Its first token.
        counts: Its number of tokens, at least one.
    """
    ends = np.stack([np.r_[messages, messages], np.r_[firsts, firsts + counts - 1]], axis=1)
    asked, at = np.unique(ends, axis=0, return_inverse=True)
    begin, end = _characters(data, offsets, np.ascontiguousarray(asked))
    at = at.reshape(2, -1)
    return begin[at[0]], end[at[1]]


@compiled
def _characters(data: Bytes, offsets: Integers, asked: Integers) -> tuple[Integers, Integers]:
    """Where tokens begin and end; `asked` holds message and number of token, ascending."""
    begins, ends = np.zeros(asked.shape[0], np.int64), np.zeros(asked.shape[0], np.int64)
    space, tokens = scratch(), np.empty(ROOM, np.uint64)
    k = 0
    while k < asked.shape[0]:
        message = asked[k, 0]
        at, stop = offsets[message], offsets[message + 1]
        token = character = 0
        while k < asked.shape[0] and asked[k, 0] == message:
            base = at
            at, have, _ = read_tokens(data, at, stop, tokens, NONE, STEP, space)
            low, _, edges, _ = space
            byte = run = 0
            for _ in range(have):
                begin, end = max(edges[0, run], byte), edges[1, run]
                piece = min(end, begin + LONGEST)
                while piece < end and low[piece] & 0xC0 == 0x80:
                    piece -= 1
                character += _points(low, byte, begin)
                points = _points(low, begin, piece)
                if k < asked.shape[0] and asked[k, 0] == message and asked[k, 1] == token:
                    begins[k], ends[k] = character, character + points
                    k += 1
                token += 1
                character += points
                byte = piece
                run += piece == end
            character += _points(low, byte, at - base)
    return begins, ends


@compiled
def _points(low: Bytes, begin: int, end: int) -> int:
    """Code points among so many bytes."""
    count = 0
    for i in range(begin, end):
        count += (low[i] & 0xC0) != 0x80
    return count
