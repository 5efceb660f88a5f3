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
        similar_to: Conversation whose prompts mean the same; means nothing where `cosines` is not a number.
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
        rows = first + np.flatnonzero(self.kinds[first:end] != KEPT)
        columns = {
            "key": pa.array(self.keys[rows]),
            "turn": pa.array(self.turns[rows]),
            "repeats": pa.array(self.by_keys[rows]),
            "repeats_turn": pa.array(self.by_turns[rows]),
            "kind": self._kinds(rows),
            "similarity": pa.array(self.similarities[rows]),
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
    rows = np.arange(len(keeper))
    direct = np.where(found.by >= 0, found.by, rows)
    by = direct[keeper]
    kinds = np.where(found.by[keeper] >= 0, found.kinds[keeper], np.where(keeper != rows, EXACT, KEPT)).astype(np.uint8)
    similarities = found.similarities[keeper]
    by_keys, by_turns = corpus.keys[by], corpus.turns[by]
    sets = elsewhere.sets[keeper]
    out = sets >= 0
    kinds[out], similarities[out] = elsewhere.kinds[keeper][out], elsewhere.similarities[keeper][out]
    by_keys[out], by_turns[out] = elsewhere.keys[keeper][out], elsewhere.turns[keeper][out]
    copies = np.flatnonzero(keeper != rows)
    links = np.concatenate([np.c_[copies, keeper[copies]], found.links])
    return Verdicts(
        keys=corpus.keys,
        turns=corpus.turns,
        kinds=kinds,
        by_keys=by_keys,
        by_turns=by_turns,
        similarities=similarities,
        clusters=first_rows(len(rows), links),
        sets=sets.astype(np.int16),
        names=elsewhere.names,
        similar_to=np.zeros(len(rows), np.uint64),
        cosines=np.full(len(rows), np.nan, np.float32),
    )
