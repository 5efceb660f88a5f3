"""Where turns share stretches of tokens with benchmark items, compiled, straight from Arrow buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.decontaminate.index import BASE, DENSE, SHORT, WHOLE, WIDTHS, find, first_hash, mask, part_at, power, spread
from curate.dedup.tokens import NONE, ROOM, STEP, compiled, read_tokens, scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.decontaminate.index import Index

    Bytes = NDArray[np.uint8]
    Integers = NDArray[np.int64]
    Hashes = NDArray[np.uint64]

# Rises when the same texts and items give other stretches.
VERSION = 1

# Diagonals and places of which it is remembered how far they led.
REMEMBERED = 4096
# Comparisons per token of a message after which places that repeat themselves are passed over ("ha ha ha ha …").
_PATIENCE = 64
# Grams that are looked at before those that the bitmap knows are looked up.
_SIEVE = 1024


@compiled
def stretches(data: Bytes, offsets: Integers, index: Index) -> Integers:
    """The longest stretches of tokens that messages share with parts of items.

    Of stretches of one message that begin at the same place of a part, only those longer than the ones before count.

    Args:
        data: UTF-8 bytes of all messages.
        offsets: Where each message begins in `data`, and the end of the last.
        index: From `index.build`.

    Returns:
        Rows of five numbers: message, part, first token in the part, number of tokens, first token in the message.
    """
    space = scratch()
    sieve = np.empty(_SIEVE, np.int64), np.empty(_SIEVE, np.uint64)
    tokens = np.empty(4 * ROOM, np.uint64)
    memory = np.full((2 * REMEMBERED + 1, 4), -1, np.int64)
    found = np.empty((64, 5), np.int64)
    rows = NONE
    for message in range(offsets.size - 1):
        at, end, have = offsets[message], offsets[message + 1], NONE
        while at < end:
            if have + ROOM >= tokens.size:  # and one more, which the sieve reads ahead
                tokens = np.concatenate((tokens, np.empty_like(tokens)))
            at, have, _ = read_tokens(data, at, end, tokens, have, STEP, space)
        memory[-1, 1] = 0
        single = _has_single(data, offsets[message], end)
        for kind in range(WIDTHS.size):
            if index.tables[kind, 0] >= 0 and have > 0 and (single or kind not in (1, 3)):
                found, rows = _seek(index, kind, tokens, have, message, memory, sieve, found, rows)
    return found[:rows].copy()


@compiled
def _has_single(data: Bytes, begin: int, end: int) -> bool:
    """Whether a message may have tokens of a single character; the lead byte 0xE2 is that of quotes and dashes."""
    found = 0
    for i in range(np.uint64(begin), np.uint64(end)):
        found |= (data[i] >= 0xE0) & (data[i] != 0xE2)
    return found > 0


@compiled
def _seek(
    index: Index,
    kind: int,
    tokens: Hashes,
    have: int,
    message: int,
    memory: Integers,
    sieve: tuple[Integers, Hashes],
    found: Integers,
    rows: int,
) -> tuple[Integers, int]:
    """The stretches of one message with the parts of one kind."""
    width = WIDTHS[kind]
    last = have - width
    if kind == WHOLE:
        width, last = have, 0 if have < SHORT * DENSE else -1
    if last < 0:
        return found, rows
    places, hashes = sieve
    bits, wide = index.bits[index.tables[kind, 2] :], index.tables[kind, 3]
    h = first_hash(tokens, 0, width)
    for begin in range(0, last + 1, places.size):
        count, h = _sift(tokens, begin, min(begin + places.size, last + 1), width, h, bits, wide, places, hashes)
        for k in range(count):
            i = places[k]
            place = index.slots[find(index, kind, tokens, i, width, hashes[k])]
            if place >= 0 and index.seeds[place]:
                while place >= 0:
                    found, rows = _extend(index, kind, tokens, have, i, width, place, message, memory, found, rows)
                    place = index.following[place]
    return found, rows


@compiled
def _sift(
    tokens: Hashes, begin: int, stop: int, width: int, h: np.uint64, bits: Hashes, wide: int, places: Integers,
    hashes: Hashes,
) -> tuple[int, np.uint64]:
    """The grams that the bitmap knows.

    Args:
        tokens: Those of the message.
        begin: Where the first gram begins.
        stop: Where one begins that is not asked any more.
        width: Tokens of a gram.
        h: The hash of the first gram.
        bits: The bitmap.
        wide: Binary logarithm of its words.
        places: Takes where they begin.
        hashes: Takes their hashes, spread.

    Returns:
        How many there are, and the hash of the gram at `stop`.
    """
    drop, shift, count = power(width), np.uint64(64 - wide), np.uint64(0)
    ahead = np.uint64(width)
    for i in range(np.uint64(begin), np.uint64(stop)):
        mixed = spread(h)
        wanted = mask(mixed)
        places[count] = np.int64(i)
        hashes[count] = mixed
        count += np.uint64((bits[mixed >> shift] & wanted) == wanted)
        h = h * BASE + tokens[i + ahead] - drop * tokens[i]
    return int(count), h


@compiled
def _extend(
    index: Index,
    kind: int,
    tokens: Hashes,
    have: int,
    i: int,
    width: int,
    place: int,
    message: int,
    memory: Integers,
    found: Integers,
    rows: int,
) -> tuple[Integers, int]:
    """Add the stretch around a seed, unless one before it led to the same stretch."""
    # Of each diagonal: the last message, and how far its stretch went; of each place: the message, how far and how
    # long; in the last row, the comparisons in this message.
    along, known, spent = memory[(i - place) % REMEMBERED], memory[REMEMBERED + place % REMEMBERED], memory[-1]
    if along[0] == i - place and along[1] == message and i + width <= along[2]:
        return found, rows
    again = known[0] == place and known[1] == message
    if again and i + width <= known[2] and spent[1] > _PATIENCE * have:
        return found, rows
    part = part_at(index, place)
    begin, end = index.starts[part], index.starts[part + 1]
    left, right = 0, width
    while left < min(i, place - begin) and tokens[i - left - 1] == index.tokens[place - left - 1]:
        left += 1
    while i + right < have and place + right < end and tokens[i + right] == index.tokens[place + right]:
        right += 1
    along[0], along[1], along[2] = i - place, message, i + right
    spent[1] += left + right
    first = place - left
    known = memory[REMEMBERED + first % REMEMBERED]
    longest = known[3] if known[0] == first and known[1] == message else 0
    known[0], known[1], known[2], known[3] = first, message, i + right, max(longest, left + right)
    # Short items count as a whole.
    if left + right <= longest or (kind >= 2 and right < end - begin):
        return found, rows
    if rows == found.shape[0]:
        found = np.concatenate((found, np.empty_like(found)))
    found[rows, 0], found[rows, 1], found[rows, 2] = message, part, first - begin
    found[rows, 3], found[rows, 4] = left + right, i - left
    return found, rows + 1
