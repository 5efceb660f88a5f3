"""An index of the n-grams of benchmark items, compiled: rolling hashes, a bitmap before an open-addressing table.

Widths. An item is looked for by its 8-grams. One of 5 to 7 tokens has none and is found by its first 5 tokens and
then as a whole; one of fewer tokens only where a turn is nothing else. Where most tokens of an item are single
characters, as in Chinese, two of them count as one word and all these numbers are twice as large; such items are
looked for in messages that have such characters.

Templates. An n-gram that stands in more than 32 items of one benchmark ("Which one of the following …") tells none of
them: it is left out. The count of those is reported, and the items that have nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from curate.dedup.tokens import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.decontaminate.items import Items

    Bytes = NDArray[np.uint8]
    Integers = NDArray[np.int64]
    Places = NDArray[np.int32]
    Hashes = NDArray[np.uint64]

WIDTH, SHORT = 8, 5
# A stretch of so many tokens of an item is no accident.
LONG = 13
# Items of one benchmark in which an n-gram may stand.
TEMPLATE = 32
# What one token counts for in an item of single characters.
DENSE = 2
# Kinds of entry: by gram, by beginning, and whole turns only; each for words and for single characters.
WIDTHS = np.array([WIDTH, WIDTH * DENSE, SHORT, SHORT * DENSE, 0], np.int64)
WHOLE = 4

BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_BITS_PER_GRAM = 16


class Index(NamedTuple):
    """Everything the kernels want to know; places are indexes of `tokens`.

    Attributes:
        tokens: Token hashes of all parts.
        starts: Where each part begins, and the end of the last.
        kinds: Kind of each part, an index of `WIDTHS`.
        grams: Per place, the place where its gram stood first; -1 = no gram begins there.
        seeds: Per place, whether the scan finds the part by the gram there: its first in the part, no template.
        following: Per seed, another place with the same gram, in another part; -1 = none.
        slots: The tables of all kinds: place where a gram stood first, or -1.
        bits: Their bitmaps (blocked Bloom filters: two bits of one word for each gram).
        tables: Per kind, where its table begins, the binary logarithm of its size, and the same of its bitmap, in
            words; -1 = it has none.
    """

    tokens: Hashes
    starts: Integers
    kinds: Integers
    grams: Places
    seeds: Bytes
    following: Places
    slots: Places
    bits: Hashes
    tables: Integers


def build(items: Items) -> Index:
    """The index of some items."""
    scale = np.where(items.dense, DENSE, 1)
    lengths = items.lengths
    kinds = np.where(lengths >= WIDTH * scale, 0, 2) + (scale == DENSE)
    kinds = np.where(lengths < SHORT * scale, WHOLE, kinds).astype(np.int64)
    counts = np.where(kinds < 2, lengths - WIDTH * scale + 1, 1)
    tables = np.full((len(WIDTHS), 4), -1, np.int64)
    slots = bits = 0
    for kind in range(len(WIDTHS)):
        grams = int(counts[kinds == kind].sum())
        if grams:
            size, wide = _logarithm(grams * 4 // 3), max(1, _logarithm(grams * _BITS_PER_GRAM // 64))
            tables[kind] = slots, size, bits, wide
            slots, bits = slots + (1 << size), bits + (1 << wide)
    total = len(items.tokens)
    index = Index(
        tokens=items.tokens,
        starts=items.starts,
        kinds=kinds,
        grams=np.full(total, -1, np.int32),
        seeds=np.zeros(total, np.uint8),
        following=np.full(total, -1, np.int32),
        slots=np.full(max(slots, 1), -1, np.int32),
        bits=np.zeros(max(bits, 1), np.uint64),
        tables=tables,
    )
    _fill(index, items.lists_of, np.zeros(total, np.uint8))
    return index


def _logarithm(number: int) -> int:
    """The smallest power of two that is larger."""
    return int(number).bit_length()


@compiled
def first_hash(tokens: Hashes, at: int, width: int) -> np.uint64:
    """The hash of a gram."""
    h = np.uint64(0)
    for i in range(at, at + width):
        h = h * BASE + tokens[i]
    return h


@compiled
def power(width: int) -> np.uint64:
    """What the first token of a gram is multiplied by."""
    h = np.uint64(1)
    for _ in range(width):
        h *= BASE
    return h


@compiled
def spread(h: np.uint64) -> np.uint64:
    """The hash with what tells it apart in its high bits."""
    return (h ^ (h >> np.uint64(32))) * _MIX


@compiled
def mask(mixed: np.uint64) -> np.uint64:
    """The bits of a gram in its word of the bitmap."""
    return (np.uint64(1) << (mixed & np.uint64(63))) | (np.uint64(1) << ((mixed >> np.uint64(6)) & np.uint64(63)))


@compiled
def find(index: Index, kind: int, tokens: Hashes, at: int, width: int, mixed: np.uint64) -> int:
    """The slot of a gram, or the empty one where it belongs."""
    begin, size = index.tables[kind, 0], index.tables[kind, 1]
    last = np.int64((1 << size) - 1)
    slot = np.int64(mixed >> np.uint64(64 - size))
    while True:
        place = index.slots[begin + slot]
        if place < 0:
            return int(begin + slot)
        same = True
        for i in range(width):
            if index.tokens[place + i] != tokens[at + i]:
                same = False
                break
        # Of whole turns, the beginning of a longer one is another.
        if same and (kind != WHOLE or length_at(index, place) == width):
            return int(begin + slot)
        slot = (slot + 1) & last


@compiled
def part_at(index: Index, place: int) -> int:
    """The part in which a place is."""
    return int(np.searchsorted(index.starts, place, side="right")) - 1


@compiled
def length_at(index: Index, place: int) -> int:
    """Tokens of the part in which a place is."""
    part = part_at(index, place)
    return int(index.starts[part + 1] - index.starts[part])


@compiled
def _fill(index: Index, lists: Integers, templates: Bytes) -> None:
    """Enter every part; `templates` takes the grams that stand in too many."""
    counted = np.zeros(index.tokens.size, np.uint16)
    counted_in = np.full(index.tokens.size, -1, np.int32)
    for part in range(index.kinds.size):
        kind = index.kinds[part]
        begin, end = index.starts[part], index.starts[part + 1]
        width = WIDTHS[kind] if kind != WHOLE else end - begin
        last = end - width if kind < 2 else begin
        wide = np.uint64(64 - index.tables[kind, 3])
        drop = power(width)
        h = first_hash(index.tokens, begin, width)
        for place in range(begin, last + 1):
            mixed = spread(h)
            index.bits[index.tables[kind, 2] + np.int64(mixed >> wide)] |= mask(mixed)
            slot = find(index, kind, index.tokens, place, width, mixed)
            head = index.slots[slot]
            if head < 0:
                head = index.slots[slot] = place
                index.seeds[place] = 1
            else:
                newest = index.following[head]
                if newest < 0:
                    newest = head
                if newest < begin:  # in another part
                    index.following[place] = index.following[head]
                    index.following[head] = place
                    index.seeds[place] = 1
            index.grams[place] = head
            if index.seeds[place]:
                if counted_in[head] != lists[part]:
                    counted_in[head], counted[head] = lists[part], 0
                counted[head] += 1
                if counted[head] > TEMPLATE:
                    counted[head] = TEMPLATE
                    templates[head] = 1
            if place < last:
                h = h * BASE + index.tokens[place + width] - drop * index.tokens[place]
    for place in range(index.tokens.size):
        if index.grams[place] >= 0 and templates[index.grams[place]]:
            index.seeds[place] = 0
