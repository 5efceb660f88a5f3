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

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.dedup.corpus import Corpus

# Longer texts that one text is compared with: a million answers to one prompt would be compared each with each.
LIMIT = 256


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

    Args:
        corpus: The texts that may be contained.
        rows: Those to look at.
        others: The texts that may contain them; the same, or another set's.
        other_rows: Those to look at.
    """
    messages = corpus.starts[rows + 1] - corpus.starts[rows]
    rows, messages = rows[messages > 0], messages[messages > 0]
    several = rows[messages > 1]
    full, but_last = full_digests(corpus, rows), corpus.ends[corpus.starts[several + 1] - 2]
    digests, owners = _inner_digests(others, other_rows)
    some = _perhaps_among(digests, full, but_last)
    digests, owners = digests[some], owners[some]
    order = np.lexsort([-others.tokens[owners], digests])
    digests, owners = digests[order], owners[order]
    continued, cut = _expand(digests, owners, rows, full), _expand(digests, owners, several, but_last)
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
        rows: Those to look at.
    """
    messages = corpus.starts[rows + 1] - corpus.starts[rows]
    some, several = rows[messages > 0], rows[messages > 1]
    but_last = corpus.ends[corpus.starts[several + 1] - 2]
    return [
        (full_digests(corpus, some), some, True),
        (but_last, several, True),
        (*_inner_digests(corpus, rows), False),
    ]


def full_digests(corpus: Corpus, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The digest of all tokens of each of these texts, which must have messages."""
    return corpus.ends[corpus.starts[rows + 1] - 1]


def _inner_digests(corpus: Corpus, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The digests at the ends of all messages but the last, with their texts."""
    sizes = np.maximum(corpus.starts[rows + 1] - corpus.starts[rows] - 1, 0)
    owners = np.repeat(rows, sizes)
    places = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return corpus.ends[corpus.starts[owners] + places], owners


def _perhaps_among(digests: NDArray[np.uint64], *wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which digests may be wanted, by their low bits: no wanted one is missed, and few others are left to sort."""
    size = 1 << (8 * sum(map(len, wanted))).bit_length()
    seen = np.zeros(size, np.bool_)
    for some in wanted:
        seen[some & np.uint64(size - 1)] = True
    perhaps: NDArray[np.bool_] = seen[digests & np.uint64(size - 1)]
    return perhaps


def _expand(
    digests: NDArray[np.uint64], owners: NDArray[np.int64], rows: NDArray[np.int64], wanted: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Each row with the owners of the digest it wants, longest first, up to the limit; and rows that have more."""
    low, high = np.searchsorted(digests, wanted), np.searchsorted(digests, wanted, side="right")
    sizes = np.minimum(high - low, LIMIT)
    places = np.repeat(low - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
    return np.repeat(rows, sizes), owners[places], rows[high - low > LIMIT]
