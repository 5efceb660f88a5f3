"""Locality-sensitive hashing: how many bands, and who shares one.

Two texts of Jaccard similarity s agree in a band of r signature values with probability s^r, and in
at least one of b bands with 1 - (1 - s^r)^b (Leskovec, Rajaraman, Ullman: Mining of Massive
Datasets, 3.4). Candidates are verified afterwards, so bands are chosen for recall at the threshold,
not for a balance of errors as datasketch does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log1p
from typing import TYPE_CHECKING

import numpy as np

from curate.errors import CurateError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# Chance that a pair exactly at the threshold shares a band; pairs above it do more often.
RECALL = 0.989
# Largest number of permutations: one signature stays within the first cache of any processor.
MOST_PERMUTATIONS = 4096


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
    numbers: NDArray[np.int64]
    count: int


# The lowest threshold that means anything.
LOWEST = 0.01


def bands(threshold: float, num_perm: int, rows: int) -> tuple[int, int]:
    """The number of bands, and of signature values in each.

    Values per band rise with the corpus (5 up to 10 million conversations, 6 up to a billion, then
    7), because chance candidates grow with its square; they fall where a low threshold needs more
    bands than `num_perm` has values for.

    Args:
        threshold: Jaccard similarity from which on two conversations are duplicates, up to 1.
        num_perm: Signature values that may be used; those not needed are not computed.
        rows: Conversations in the corpus.

    Raises:
        CurateError: The threshold or the number of permutations makes no sense, or there are too few.
    """
    if not LOWEST <= threshold <= 1:
        hint = f"give a number from {LOWEST} to 1; below, everything resembles everything"
        raise CurateError(f"the threshold is {threshold}", where="--threshold", hint=hint)
    if isinstance(num_perm, bool) or not isinstance(num_perm, int) or not 1 <= num_perm <= MOST_PERMUTATIONS:
        raise CurateError(
            f"the number of permutations is {num_perm}",
            where="--num-perm",
            hint=f"give a whole number from 1 to {MOST_PERMUTATIONS}; 128 is usual",
        )
    widest = 5 if rows <= 10**7 else 6 if rows <= 10**9 else 7
    for values in range(widest, 0, -1):
        count = bands_needed(threshold, values)
        if count * values <= num_perm:
            return count, values
    raise CurateError(
        f"{num_perm} permutations cannot find a similarity of {threshold} reliably",
        where="--num-perm",
        hint=f"give at least {bands_needed(threshold, 1)}, or a higher threshold",
    )


def bands_needed(threshold: float, values: int) -> int:
    """Bands of so many values that find a pair at the threshold as reliably as `RECALL` says."""
    agree = threshold**values
    return 1 if agree >= RECALL else ceil(log1p(-RECALL) / log1p(-agree))


def buckets(bands_of_keys: Iterable[NDArray[np.uint64]], rows: NDArray[np.int64]) -> Buckets:
    """Group rows that share a band key.

    Args:
        bands_of_keys: For each band, the key of every row of the corpus.
        rows: The rows to group, in ascending order.

    Returns:
        The rows that share a bucket with another, and their buckets.
    """
    members, numbers, made = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for keys in bands_of_keys:
        keys = keys[rows]
        order = np.argsort(keys)
        same = np.zeros(len(keys) + 1, np.bool_)
        same[1:-1] = keys[order[1:]] == keys[order[:-1]]
        shared = same[1:] | same[:-1]
        first = (shared & ~same[:-1])[shared]
        members.append(rows[order[shared]])
        numbers.append(made - 1 + np.cumsum(first))
        made += int(first.sum())
    owner, bucket = np.concatenate(members), np.concatenate(numbers)
    order = np.lexsort([bucket, owner])
    candidates, starts = np.unique(owner[order], return_index=True)
    return Buckets(candidates, np.r_[starts, len(owner)], bucket[order], made)
