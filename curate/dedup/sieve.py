"""A sieve of hashes: it lets everything pass that was put in, and little else, at two bytes a hash or fewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.dedup.tokens import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.dedup.tokens import Bytes, Hashes

# Bits for each hash; of others one in so many, or fewer, passes.
BITS = 8


class Sieve:
    """One bit for the low bits of each hash: a Bloom filter with one function, for hashes need no other.

    Args:
        size: The number of hashes that will be put in.
    """

    def __init__(self, size: int) -> None:
        self._bits = np.zeros(max(1, (1 << (BITS * size).bit_length()) // 8), np.uint8)

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Let these pass from now on; which ones passed before, those further ahead among them."""
        passed: NDArray[np.bool_] = _set(self._bits, hashes)
        return passed

    def has(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which ones pass."""
        found: NDArray[np.bool_] = _test(self._bits, hashes)
        return found


@compiled
def _set(bits: Bytes, hashes: Hashes) -> NDArray[np.bool_]:
    mask = np.uint64(8 * bits.size - 1)
    passed = np.empty(hashes.size, np.bool_)
    for i in range(hashes.size):
        place = hashes[i] & mask
        bit = np.uint8(1) << np.uint8(place & np.uint64(7))
        passed[i] = bits[place >> np.uint64(3)] & bit
        bits[place >> np.uint64(3)] |= bit
    return passed


@compiled
def _test(bits: Bytes, hashes: Hashes) -> NDArray[np.bool_]:
    mask = np.uint64(8 * bits.size - 1)
    found = np.empty(hashes.size, np.bool_)
    for i in range(hashes.size):
        place = hashes[i] & mask
        found[i] = (bits[place >> np.uint64(3)] >> np.uint8(place & np.uint64(7))) & np.uint8(1)
    return found
