"""From shared stretches to hits: what is verbatim, what shares 13 tokens, what shares half of its 8-grams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curate.decontaminate.index import DENSE, LONG, WIDTHS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.decontaminate.index import Index

    Integers = NDArray[np.int64]

KINDS = ("verbatim", "13-gram", "8-grams")
# An n-gram is common only if it stands in more conversations than this, however few there are.
FEWEST_COMMON = 50
# Half of the 8-grams of a short item may be a single one, and one alone is often a common phrase.
FEWEST_SHARED = 2


class Judge:
    """Decides, once it has counted in how many conversations each gram stands.

    Args:
        index: From `index.build`.
        overlap: Share of an item's distinct 8-grams that makes a hit.
        common: Share of the conversations above which a gram counts no more.
        conversations: All of them.
    """

    def __init__(self, index: Index, overlap: float, common: float, conversations: int) -> None:
        self.index = index
        self.overlap = overlap
        self.most = max(FEWEST_COMMON, common * conversations)
        self.counts = np.zeros(len(index.tokens), np.int32)
        self.common = np.zeros(len(index.tokens), np.bool_)
        self.usable = np.zeros(len(index.kinds), np.int64)

    def count(self, matches: pl.DataFrame) -> None:
        """Count the conversations of a shard in which each gram stands."""
        _, conversation = np.unique(matches["key"].to_numpy(), return_inverse=True)
        rows, grams = self._grams(matches)
        _, grams = _pairs(conversation[rows], grams)
        np.add.at(self.counts, grams, 1)

    def settle(self) -> None:
        """Set the common grams aside; all shards were counted."""
        self.common = self.counts > self.most
        seeds = np.flatnonzero(self.index.seeds)
        usable = seeds[~self.common[self.index.grams[seeds]]]
        parts = np.searchsorted(self.index.starts, usable, side="right") - 1
        self.usable = np.bincount(parts, minlength=len(self.index.kinds))

    @property
    def set_aside(self) -> list[int]:
        """Where the common grams stand first in the items, ascending."""
        places: list[int] = np.flatnonzero(self.common).tolist()
        return places

    def decide(self, matches: pl.DataFrame) -> pl.DataFrame:
        """The hits of a shard.

        Args:
            matches: Rows of the table `matches`.

        Returns:
            `key`, `turn`, `part`, `kind`, `overlap`, `begin` and `end`, in order of the first three.
        """
        matches = matches.sort("key", "turn", "part", "place", "first")
        group = matches.select(pl.struct("key", "turn", "part").rle_id()).to_series().to_numpy().astype(np.int64)
        begins = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else group
        if not len(begins):
            return matches.select("key", "turn", "part", kind=pl.lit(""), overlap=0.0, begin="begin", end="end")
        part, length = matches["part"].to_numpy(), matches["tokens"].to_numpy()
        parts, lengths = part[begins], np.diff(self.index.starts)

        rows, grams = self._grams(matches)
        telling = ~self.common[grams]
        tells = np.zeros(len(group), np.bool_)
        tells[rows[telling]] = True
        shared, _ = _pairs(group[rows[telling]], grams[telling])
        count = np.bincount(shared, minlength=len(begins))
        share = count / np.maximum(self.usable[parts], 1)

        # A long item that stands there as a whole is no accident, however common its grams.
        long = length >= LONG * np.where(self.index.kinds[part] == 1, DENSE, 1)
        verbatim = np.logical_or.reduceat((length == lengths[part]) & (tells | long), begins)
        stretch = np.logical_or.reduceat(long & tells, begins)
        enough = (share >= self.overlap) & (count >= FEWEST_SHARED)
        begin, end = _passages(matches, group, begins, lengths[parts])
        found = matches[begins].select("key", "turn", "part")
        kind = pl.Series(np.select([verbatim, stretch, enough], KINDS, ""), dtype=pl.String)
        overlap = np.where(verbatim, 1.0, share)
        return found.with_columns(kind=kind, overlap=overlap, begin=begin, end=end).filter(pl.col("kind") != "")

    def _grams(self, matches: pl.DataFrame) -> tuple[Integers, Integers]:
        """Row and gram of all that stands in the stretches and is no template."""
        part, length = matches["part"].to_numpy(), matches["tokens"].to_numpy().astype(np.int64)
        kinds = self.index.kinds[part]
        counts = np.where(kinds < 2, length - WIDTHS[kinds] + 1, 1)
        rows = np.repeat(np.arange(len(part)), counts)
        first = self.index.starts[part] + matches["first"].to_numpy()
        places = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - first, counts)
        grams = self.index.grams[places].astype(np.int64)
        # Where a gram stood first there is a seed, unless it is a template.
        telling = self.index.seeds[grams] > 0
        return rows[telling], grams[telling]


def _pairs(groups: Integers, grams: Integers) -> tuple[Integers, Integers]:
    """Each different pair once; both are below 2^31."""
    pairs = np.unique((groups << 32) | grams)
    return pairs >> 32, pairs & 0xFFFFFFFF


def _passages(matches: pl.DataFrame, group: Integers, begins: Integers, lengths: Integers) -> tuple[Integers, Integers]:
    """Begin and end of each group's passage: its longest stretch, and those around it that lie as in the item."""
    length, place = matches["tokens"].to_numpy(), matches["place"].to_numpy().astype(np.int64)
    rows = np.arange(len(group))
    longest = np.maximum.reduceat(length, begins)
    best = np.minimum.reduceat(np.where(length == longest[group], rows, len(group)), begins)
    shift = place - matches["first"].to_numpy()
    near = np.abs(shift - shift[best][group]) <= lengths[group]
    begin, end = matches["begin"].to_numpy(), matches["end"].to_numpy()
    return (
        np.minimum.reduceat(np.where(near, begin, begin.max()), begins),
        np.maximum.reduceat(np.where(near, end, 0), begins),
    )
