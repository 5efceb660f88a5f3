"""Locality-sensitive hashing: how many bands it takes.

Two texts of Jaccard similarity s agree in a band of r signature values with probability s^r, and in
at least one of b bands with 1 - (1 - s^r)^b (Leskovec, Rajaraman, Ullman: Mining of Massive
Datasets, 3.4). Candidates are verified afterwards, so bands are chosen for recall at the threshold,
not for a balance of errors as datasketch does.
"""

from __future__ import annotations

from math import ceil, log1p

from curate.errors import CurateError

# Chance that a pair exactly at the threshold shares a band; pairs above it do more often.
RECALL = 0.987
# Largest number of permutations: one signature stays within the first cache of any processor.
MOST_PERMUTATIONS = 4096


# The lowest threshold that means anything.
LOWEST = 0.01


def bands(threshold: float, num_perm: int, rows: int) -> tuple[int, int]:
    """The number of bands, and of signature values in each.

    Values per band rise with the corpus (4 up to a million conversations, 5 up to 10 million, 6 up to
    a billion, then 7), because chance candidates grow with its square; they fall where a low threshold
    needs more bands than `num_perm` has values for.

    Args:
        threshold: Jaccard similarity from which on two conversations are duplicates, up to 1.
        num_perm: Signature values that may be used.
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
            hint=f"give a whole number from 1 to {MOST_PERMUTATIONS}; 64 is usual, 128 above a million conversations",
        )
    widest = 4 + sum(rows > limit for limit in (10**6, 10**7, 10**9))
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
