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
        return self._pass(hashes, True)

    def has(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which ones pass."""
        return self._pass(hashes, False)

    def _pass(self, hashes: NDArray[np.uint64], let: bool) -> NDArray[np.bool_]:
        passed: NDArray[np.bool_] = _pass(self._bits, hashes, let)
        return passed


@compiled
def _pass(bits: Bytes, hashes: Hashes, let: bool) -> NDArray[np.bool_]:
    """Which hashes find their bit set; with `let` it is set from then on."""
    mask = np.uint64(8 * bits.size - 1)
    passed = np.empty(hashes.size, np.bool_)
    for i in range(hashes.size):
        place = hashes[i] & mask
        bit = np.uint8(1) << np.uint8(place & np.uint64(7))
        passed[i] = bits[place >> np.uint64(3)] & bit
        if let:
            bits[place >> np.uint64(3)] |= bit
    return passed
