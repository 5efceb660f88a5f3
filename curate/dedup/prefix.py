"""Conversations shared again after more turns: whoever has all of a text, and goes on, stays for it.

A text is contained when its tokens are the first tokens of another. The signatures hold a digest at the
end of every message, so a text that another continues is a digest that the other has; where only the last
message goes on (an answer that was cut off), both share all digests but that one, and the other is read
again up to the length of the first. Nothing is guessed: equal digests are equal tokens (64 bits).
The policy decides as always: of two that it holds for equally good the longer stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curate.dedup.sieve import Sieve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from curate.dedup.corpus import Corpus

# Longer texts that one text is compared with: a million answers to one prompt would be compared each with each.
LIMIT = 256
# Texts whose digests are read at a time.
STRETCH = 1 << 12


@dataclass(frozen=True)
class Pairs:
    """Texts and others that contain them, by rows of the corpus.

    Attributes:
        short: The contained ones, ascending; one may stand here more than once.
        long: Who contains each.
        limited: Texts that were not compared with all others that share their beginning.
    """

    short: NDArray[np.int64]
    long: NDArray[np.int64]
    limited: NDArray[np.int64]


@dataclass(frozen=True)
class Beginnings:
    """Pairs of a text and a longer one that begins alike.

    Attributes:
        short: The shorter ones.
        long: The longer ones.
        known: Whether it is known already that the longer one has all of the shorter.
        limited: Texts that were not paired with all others that share their beginning.
    """

    short: NDArray[np.int64]
    long: NDArray[np.int64]
    known: NDArray[np.bool_]
    limited: NDArray[np.int64]

    def confirmed(self, corpus: Corpus, digests: NDArray[np.uint64]) -> Pairs:
        """The pairs in which the longer one has all of the shorter.

        Args:
            corpus: The texts of both.
            digests: Of each longer one, up to the length of the shorter.
        """
        holds = self.known | (digests == full_digests(corpus, self.short))
        order = np.lexsort([self.long[holds], self.short[holds]])
        return Pairs(self.short[holds][order], self.long[holds][order], self.limited)


def starting_with(
    corpus: Corpus, rows: NDArray[np.int64], others: Corpus, other_rows: NDArray[np.int64]
) -> Beginnings:
    """Pairs of a text of `corpus` and a longer one of `others` with equal messages, the short one's last perhaps aside.

    Digests are looked at some thousand texts at a time; those that nobody shares are never together in memory.

    Args:
        corpus: The texts that may be contained.
        rows: Those to look at, ascending.
        others: The texts that may contain them; the same, or another set's.
        other_rows: Those to look at, ascending.
    """
    ends, branches = Sieve(len(rows)), Sieve(len(rows))
    for full, but_last in _wanted(corpus, rows):
        ends.add(full.digests)
        branches.add(but_last.digests)
    if others is corpus:
        # Every text has its own.
        branches = _twice(branches, others, other_rows)
    digests, owners = _joined([found.among(ends, branches) for found in _inner(others, other_rows)])
    order = np.lexsort([-others.tokens[owners], digests])
    digests, owners = digests[order], owners[order]
    there = Sieve(len(digests))
    there.add(digests)
    both = [(full.among(there), but_last.among(there)) for full, but_last in _wanted(corpus, rows)]
    continued, cut = (_expand(digests, owners, *_joined([pair[which] for pair in both])) for which in (0, 1))
    short, long = np.r_[continued[0], cut[0]], np.r_[continued[1], cut[1]]
    known = np.arange(len(short)) < len(continued[0])
    longer = others.tokens[long] > corpus.tokens[short]
    _, first = np.unique(np.c_[short, long][longer], axis=0, return_index=True)
    limited = np.union1d(continued[2], cut[2])
    return Beginnings(short[longer][first], long[longer][first], known[longer][first], limited)


def beginnings(
    corpus: Corpus, rows: NDArray[np.int64]
) -> list[tuple[NDArray[np.uint64], NDArray[np.int64], bool]]:
    """Digests by which `starting_with` finds pairs, with their texts: those that it looks for, and those it looks at.

    Args:
        corpus: The texts.
        rows: Those to look at, ascending.
    """
    both = [*_wanted(corpus, rows)]
    found = [(_joined([pair[which] for pair in both]), True) for which in (0, 1)]
    found.append((_joined([*_inner(corpus, rows)]), False))
    return [(digests, owners, wanted) for (digests, owners), wanted in found]


def full_digests(corpus: Corpus, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The digest of all tokens of each of these texts, which must have messages.

    Args:
        corpus: The texts.
        rows: Those to look at, ascending; one may stand here more than once.
    """
    found = np.empty(len(rows), np.uint64)
    done = 0
    for some, digests, begin in _stretches(corpus, rows):
        found[done : done + len(some)] = digests[corpus.starts[some + 1] - 1 - begin]
        done += len(some)
    return found


@dataclass(frozen=True)
class Owned:
    """Digests, and the text that each is of."""

    digests: NDArray[np.uint64]
    owners: NDArray[np.int64]

    def among(self, *sieves: Sieve) -> Owned:
        """Those that pass a sieve."""
        some = np.any([sieve.has(self.digests) for sieve in sieves], axis=0)
        return Owned(self.digests[some], self.owners[some])


def _twice(wanted: Sieve, corpus: Corpus, rows: NDArray[np.int64]) -> Sieve:
    """Of the digests that pass a sieve, those that two texts or more have before their last message."""
    once, twice = Sieve(len(rows)), Sieve(len(rows))
    for found in _inner(corpus, rows):
        digests = found.among(wanted).digests
        twice.add(digests[once.add(digests)])
    return twice


def _wanted(corpus: Corpus, rows: NDArray[np.int64]) -> Iterator[tuple[Owned, Owned]]:
    """What texts are looked up by, some thousand of them at a time: digests of all, and of all but the last message."""
    for some, digests, begin in _stretches(corpus, rows):
        messages = corpus.starts[some + 1] - corpus.starts[some]
        whole, several = some[messages > 0], some[messages > 1]
        yield (
            Owned(digests[corpus.starts[whole + 1] - 1 - begin], whole),
            Owned(digests[corpus.starts[several + 1] - 2 - begin], several),
        )


def _inner(corpus: Corpus, rows: NDArray[np.int64]) -> Iterator[Owned]:
    """The digests at the ends of all messages but the last, of some thousand texts at a time."""
    for some, digests, begin in _stretches(corpus, rows):
        sizes = np.maximum(corpus.starts[some + 1] - corpus.starts[some] - 1, 0)
        owners = np.repeat(some, sizes)
        places = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        yield Owned(digests[corpus.starts[owners] - begin + places], owners)


def _stretches(
    corpus: Corpus, rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64], np.int64]]:
    """Some of the texts, all digests from the first of them to the last, and the place of the first digest."""
    for first in range(0, len(corpus.keys), STRETCH):
        some = rows[slice(*np.searchsorted(rows, [first, first + STRETCH]))]
        if len(some):
            yield some, corpus.digests(int(some[0]), int(some[-1]) + 1), corpus.starts[some[0]]


def _joined(found: list[Owned]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    digests = np.concatenate([np.empty(0, np.uint64), *(some.digests for some in found)])
    return digests, np.concatenate([np.empty(0, np.int64), *(some.owners for some in found)])


def _expand(
    digests: NDArray[np.uint64], owners: NDArray[np.int64], wanted: NDArray[np.uint64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Each row with the owners of the digest it wants, longest first, up to the limit; and rows that have more."""
    low, high = np.searchsorted(digests, wanted), np.searchsorted(digests, wanted, side="right")
    sizes = np.minimum(high - low, LIMIT)
    places = np.repeat(low - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
    return np.repeat(rows, sizes), owners[places], rows[high - low > LIMIT]
