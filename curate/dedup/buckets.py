"""Locality-sensitive hashing: who shares a band with whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.dedup.tokens import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from curate.dedup.tokens import Hashes, Integers

    # As narrow as will do.
    Numbers = NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True)
class Buckets:
    """Rows that share at least one bucket with another row.

    Attributes:
        rows: Those rows, ascending.
        starts: Where the buckets of each row begin in `numbers`, and the end of the last.
        numbers: Numbers of the buckets, row after row.
        count: How many buckets there are.
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    numbers: Numbers
    count: int


def buckets(bands_of_keys: Iterable[NDArray[np.uint64]], rows: NDArray[np.int64], bands: int) -> Buckets:
    """Group rows that share a band key.

    Args:
        bands_of_keys: For each band, the key of every row of the corpus.
        rows: The rows to group, in ascending order.
        bands: How many bands there are.

    Returns:
        The rows that share a bucket with another, and their buckets.
    """
    width: Any = np.int32 if len(rows) * bands <= np.iinfo(np.int32).max else np.int64
    # At most half full, and of a size that makes the remainder of a division a mask.
    slots: Numbers
    numbers: Numbers
    slots, numbers = np.empty(1 << max(1, 2 * len(rows) - 1).bit_length(), width), np.empty(len(rows), width)
    members, places, made = [np.empty(0, width)], [np.empty(0, width)], 0
    for keys in bands_of_keys:
        some, made = _share(keys, rows, slots, numbers, made)
        members.append(some)
        places.append(numbers[some])
    del slots, numbers
    starts, sorted_numbers = _by_row(np.concatenate(members), np.concatenate(places), len(rows))
    shared = np.flatnonzero(np.diff(starts))
    return Buckets(rows[shared], np.r_[starts[shared], starts[-1]], sorted_numbers, made)


@compiled
def _share(keys: Hashes, rows: Integers, slots: Numbers, numbers: Numbers, made: int) -> tuple[Numbers, int]:
    """The places in `rows` that share a key with another, their buckets in `numbers`; and how many buckets there are.

    An open-addressing table with linear probing. Keys are hashes, so their low bits will do.
    """
    slots[:] = -1
    numbers[:] = -1
    mask = np.uint64(slots.size - 1)
    found, members = 0, np.empty_like(numbers)
    for place in range(rows.size):
        key = keys[rows[place]]
        slot = key & mask
        while slots[slot] >= 0 and keys[rows[slots[slot]]] != key:
            slot = (slot + np.uint64(1)) & mask
        first = slots[slot]
        if first < 0:
            slots[slot] = place
            continue
        if numbers[first] < 0:
            numbers[first] = made
            made += 1
            members[found] = first
            found += 1
        numbers[place] = numbers[first]
        members[found] = place
        found += 1
    return members[:found].copy(), made


@compiled
def _by_row(members: Numbers, numbers: Numbers, count: int) -> tuple[Integers, Numbers]:
    """Sort by member, ascending numbers within each (a counting sort): where each member's begin, and the numbers."""
    starts = np.zeros(count + 1, np.int64)
    for i in range(members.size):
        starts[members[i] + 1] += 1
    for place in range(count):
        starts[place + 1] += starts[place]
    ends, found = starts[:-1].copy(), np.empty_like(numbers)
    for i in range(members.size):
        found[ends[members[i]]] = numbers[i]
        ends[members[i]] += 1
    return starts, found
