"""From what was found to tables: who stays, and who goes for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.dedup.clusters import first_rows
from curate.dedup.kinds import EXACT, KEPT, KINDS
from curate.schema import TABLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.dedup.corpus import Corpus
    from curate.dedup.near import Found
    from curate.dedup.reference import Elsewhere


@dataclass
class Verdicts:
    """Per text of the corpus.

    Attributes:
        keys: Its conversation.
        turns: The response that it is; -1 = not a single response.
        kinds: `KEPT`, or why it goes.
        by_keys: Conversation of the text that it goes for; means nothing where it stays.
        by_turns: The response that that text is.
        similarities: To that text; means nothing where it stays.
        clusters: First of the texts that it is linked to, as a row of the corpus.
        sets: Which other set that text is in, as an index of `names`; -1 = this one.
        names: The other sets.
        similar_to: Conversation of a text that means the same; means nothing where `cosines` is not a number.
        similar_turns: The response that it is.
        cosines: How much they do.
    """

    keys: NDArray[np.uint64]
    turns: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    by_keys: NDArray[np.uint64]
    by_turns: NDArray[np.int32]
    similarities: NDArray[np.float32]
    clusters: NDArray[np.int64]
    sets: NDArray[np.int16]
    names: tuple[str, ...]
    similar_to: NDArray[np.uint64]
    similar_turns: NDArray[np.int32]
    cosines: NDArray[np.float32]

    def count(self, kind: int) -> int:
        """How many texts are of a kind."""
        return int((self.kinds == kind).sum())

    def duplicates(self, first: int, end: int) -> pa.Table:
        """The rows of one shard, with the schema of `duplicates`."""
        rows = np.arange(first, end)
        kept, alike = self.kinds[rows] == KEPT, ~np.isnan(self.cosines[rows])
        columns = {
            "key": pa.array(self.keys[rows]),
            "removed_by": pa.array(self.by_keys[rows], mask=kept),
            "kind": self._kinds(rows),
            "similarity": pa.array(self.similarities[rows], mask=kept),
            "cluster": pa.array(self.keys[self.clusters[rows]]),
            "against": self._sets(rows),
            "similar_to": pa.array(self.similar_to[rows], mask=~alike),
            "cosine": pa.array(self.cosines[rows], mask=~alike),
        }
        return pa.Table.from_pydict(columns, TABLES["duplicates"].arrow)

    def repeats(self, first: int, end: int) -> pa.Table:
        """The rows of one shard, with the schema of `repeats`."""
        rows = first + np.flatnonzero((self.kinds[first:end] != KEPT) | ~np.isnan(self.cosines[first:end]))
        kept = self.kinds[rows] == KEPT
        columns = {
            "key": pa.array(self.keys[rows]),
            "turn": pa.array(self.turns[rows]),
            "repeats": pa.array(np.where(kept, self.similar_to[rows], self.by_keys[rows])),
            "repeats_turn": pa.array(np.where(kept, self.similar_turns[rows], self.by_turns[rows])),
            "kind": self._kinds(rows),
            "similarity": pa.array(np.where(kept, self.cosines[rows], self.similarities[rows])),
            "against": self._sets(rows),
        }
        return pa.Table.from_pydict(columns, TABLES["repeats"].arrow)

    def _kinds(self, rows: NDArray[np.int64]) -> pa.Array:
        return pa.array(KINDS, pa.string()).take(pa.array(self.kinds[rows]))

    def _sets(self, rows: NDArray[np.int64]) -> pa.Array:
        return pa.array([*self.names, None], pa.string()).take(pa.array(self.sets[rows] % (len(self.names) + 1)))


def decide(corpus: Corpus, keeper: NDArray[np.int64], found: Found, elsewhere: Elsewhere) -> Verdicts:
    """One verdict per text.

    A copy follows its best copy: where that one goes for a third text, so does the copy, with the same
    similarity and kind. Nothing ever goes for a text that goes itself.

    Args:
        corpus: The texts.
        keeper: For each row, the best row with equal content.
        found: Removals among those best rows.
        elsewhere: What other sets have.
    """
    by, kinds, similarities = found.by[keeper], found.kinds[keeper], found.similarities[keeper]
    alone = by < 0
    by[alone] = keeper[alone]
    kinds[alone & (keeper != np.arange(len(keeper)))] = EXACT
    by_keys, by_turns = corpus.keys[by], corpus.turns[by]
    del by
    sets = elsewhere.sets.astype(np.int16)[keeper]
    out = np.flatnonzero(sets >= 0)
    there = keeper[out]
    kinds[out], similarities[out] = elsewhere.kinds[there], elsewhere.similarities[there]
    by_keys[out], by_turns[out] = elsewhere.keys[there], elsewhere.turns[there]
    copies = np.flatnonzero(keeper != np.arange(len(keeper)))
    links = np.concatenate([np.c_[copies, keeper[copies]], found.links])
    return Verdicts(
        keys=corpus.keys,
        turns=corpus.turns,
        kinds=kinds,
        by_keys=by_keys,
        by_turns=by_turns,
        similarities=similarities,
        clusters=first_rows(len(keeper), links),
        sets=sets,
        names=elsewhere.names,
        # Who compares meanings makes them arrays of their own.
        similar_to=np.broadcast_to(np.uint64(0), len(keeper)),
        similar_turns=np.broadcast_to(np.int32(-1), len(keeper)),
        cosines=np.broadcast_to(np.float32(np.nan), len(keeper)),
    )
