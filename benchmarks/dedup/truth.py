"""The truth: every pair of documents whose sets of word 5-grams have a Jaccard similarity of at least a threshold.

Exact, by prefix filtering (Chaudhuri, Ganti, Kaushik: A Primitive Operator for Similarity Joins, ICDE 2006): two sets
that similar share one of the rarest few elements of each, so only pairs that do are compared. No MinHash, and
nothing of the code under test. Takes about 40 bytes of memory a word.

Two words on `curate`'s own truth, which follow its documentation: conversations under 40 words are shingled by 3,
and those of fewer than 16 shingles are duplicates only of equals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from math import ceil
from typing import Any

import numba
import numpy as np
from tokens import KINDS, WIDTH

Set = np.ndarray
SHORT, SHORT_WIDTH, FEWEST = 40, 3, 16
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Pairs:
    """Pairs of positions in the list of documents, the smaller first, and their similarity."""

    left: np.ndarray
    right: np.ndarray
    similarity: np.ndarray

    def at_least(self, threshold: float, documents: int) -> Pairs:
        """Only pairs so similar among the first so many documents."""
        wanted = (self.similarity >= threshold) & (self.right < documents)
        return Pairs(self.left[wanted], self.right[wanted], self.similarity[wanted])


def find(documents: Iterable[tuple[list[str], list[str]]], kind: str, threshold: float) -> Pairs:
    """All pairs of at least that similarity.

    Args:
        documents: Roles and contents of the messages of each.
        kind: Whose words: a name in `tokens.KINDS`.
        threshold: Lowest Jaccard similarity, above 0.
    """
    sets = shingle_sets(documents, kind)
    sizes = np.array([len(own) for own in sets])
    starts = np.r_[0, np.cumsum(sizes)]
    hashes = np.concatenate(sets)
    _, number, frequency = np.unique(hashes, return_inverse=True, return_counts=True)
    elements, owners = [], []
    for row, (start, stop) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
        mine = number[start:stop]
        often = frequency[mine]
        prefix = stop - start - ceil(threshold * (stop - start) - 1e-9) + 1
        if (often == 1).sum() < prefix:
            rarest = np.lexsort([mine, often])[:prefix]
            shared = mine[rarest[often[rarest] > 1]]
            elements.append(shared)
            owners.append(np.full(len(shared), row))
    if not elements:
        elements, owners = [np.empty(0, int)], [np.empty(0, int)]
    element, owner = np.concatenate(elements), np.concatenate(owners)
    order = np.lexsort([owner, element])
    groups = np.flatnonzero(np.r_[True, np.diff(element[order]) > 0, True]) if len(order) else np.zeros(1, int)
    packed = np.unique(within(groups, owner[order], sizes, threshold))
    left, right = packed >> 32, packed & 0xFFFFFFFF
    similarity = similarities(hashes, starts, left, right)
    found = similarity >= threshold
    return Pairs(left[found], right[found], similarity[found])


def shingle_sets(documents: Iterable[tuple[list[str], list[str]]], kind: str) -> list[Set]:
    """The sorted distinct hashes of each document's shingles."""
    words_of = KINDS[kind]
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    sets = []
    for roles, contents in documents:
        words = words_of(roles, contents)
        width = SHORT_WIDTH if kind == "curate" and len(words) < SHORT else WIDTH
        own = shingles(np.array([numbers[word] for word in words], np.uint64), width)
        if kind == "curate" and len(own) < FEWEST:
            own = np.array([hash((*roles, *contents))], np.int64).view(np.uint64)
        sets.append(own)
    return sets


def shingles(words: np.ndarray, width: int) -> Set:
    """Distinct hashes of runs of words; of all words where there are fewer."""
    mixed = words + np.uint64(1)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):  # splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    runs = max(len(words) - width + 1, 1)
    hashes = np.zeros(runs, np.uint64)
    for place in range(min(width, len(words))):
        hashes = hashes * FACTOR + mixed[place : place + runs]
    return np.unique(hashes)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return numba.njit(cache=True)(function)


@compiled
def within(groups: np.ndarray, owners: np.ndarray, sizes: np.ndarray, threshold: float) -> np.ndarray:
    """Pairs within a group whose sizes allow the similarity, as left << 32 | right; a pair may come repeatedly."""
    total = 0
    for fill in range(2):
        pairs = np.empty(total if fill else 0, np.int64)
        total = 0
        for group in range(groups.size - 1):
            for i in range(groups[group], groups[group + 1]):
                for j in range(i + 1, groups[group + 1]):
                    small, large = sizes[owners[i]], sizes[owners[j]]
                    if min(small, large) >= threshold * max(small, large) - 1e-9:
                        if fill:
                            pairs[total] = (owners[i] << 32) | owners[j]
                        total += 1
    return pairs


@compiled
def similarities(hashes: np.ndarray, starts: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The Jaccard similarity of each pair of sets."""
    found = np.empty(left.size)
    for pair in range(left.size):
        i, stop_i = starts[left[pair]], starts[left[pair] + 1]
        j, stop_j = starts[right[pair]], starts[right[pair] + 1]
        union, shared = stop_i - i + stop_j - j, 0
        while i < stop_i and j < stop_j:
            shared += hashes[i] == hashes[j]
            step_i, step_j = hashes[i] <= hashes[j], hashes[j] <= hashes[i]
            i += step_i
            j += step_j
        found[pair] = shared / (union - shared)
    return found
