"""Texts that ask for the same in other words, by a sentence embedding that verifies what cheap vectors propose.

Only texts that an embedding can judge take part: more than boilerplate, within the model's window, in Latin
script. The rest is left out and counted. The best of the texts that mean the same stays, as in the near search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curate.dedup import anchored, static
from curate.dedup.guards import Text, agree
from curate.embedding import CHARS, cached
from curate.errors import CurateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from curate.embedding import Embedder

VERSION = 1  # rises when the same texts and threshold give another result
THRESHOLD = 0.9  # `benchmarks/semantic.py` says why


@dataclass(frozen=True)
class Similar:
    """What the search found.

    Attributes:
        by: Per text, the kept better text closest in meaning; -1 = there is none.
        cosine: The model's, to that text; nan = there is none.
        proposed: Pairs of unlike texts whose cheap vectors are near enough.
        verified: Pairs among them that the model finds similar, whether or not their words agree.
        limited: Texts that resemble so many others that only the closest were asked whether their words agree.
        embedded: Unlike texts that the model had to look at.
        short: Texts left out for their few words.
        long: Texts left out because the model would not see their end.
        foreign: Texts left out for a script that the model does not know.
    """

    by: NDArray[np.int64]
    cosine: NDArray[np.float32]
    proposed: int
    verified: int
    limited: int
    embedded: int
    short: int
    long: int
    foreign: int


def search(
    texts: Sequence[str],
    rank: NDArray[np.int64],
    *,
    threshold: float = THRESHOLD,
    embedder: Embedder,
    store: Path,
    advance: Callable[[int], None],
) -> Similar:
    """Find for each text the closest in meaning of the kept better ones.

    Args:
        texts: Prompts or responses; white space is of no account.
        rank: Per text, its place among those that deserve to stay; 0 = first.
        threshold: Cosine from which on two texts mean the same.
        embedder: The model that verifies.
        store: SQLite file with the vectors it made.
        advance: Told how many texts are done, of all.

    Raises:
        CurateError: The threshold is not above 0 and up to 1, or the model cannot be loaded or has no tokens.
    """
    if not 0 < threshold <= 1:
        raise CurateError(f"a cosine of {threshold} is no threshold", hint="above 0, up to 1; 0.9 is the default")
    by, cosine = np.full(len(texts), -1, np.int64), np.full(len(texts), np.nan, np.float32)
    left_out = {"short": 0, "long": 0, "foreign": 0}
    # Equal texts are one: the best of them speaks for all.
    speaker: dict[str, int] = {}
    spoken_for = np.full(len(texts), -1, np.int64)
    unfit: dict[str, str | None] = {}
    for row in np.argsort(rank, kind="stable").tolist():
        words = " ".join(texts[row].split())
        if words not in unfit:
            unfit[words] = _unfit(Text(words))
        if reason := unfit[words]:
            left_out[reason] += 1
        else:
            spoken_for[row] = speaker.setdefault(words, row)
    fitting = [Text(words) for words in speaker]
    rows = np.array(list(speaker.values()), np.int64)
    found = anchored.Found(np.empty(0, np.int64), np.empty(0, np.float32))
    embedded = 0
    if fitting:
        rough, whole = static.vectors([text.text for text in fitting], embedder)
        copies = np.bincount(spoken_for[spoken_for >= 0], minlength=len(texts))
        left_out["long"] += int(copies[rows[~whole]].sum())
        spoken_for[np.isin(spoken_for, rows[~whole])] = -1
        fitting, rows, rough = (
            [text for text, fits in zip(fitting, whole, strict=True) if fits],
            rows[whole],
            rough[whole],
        )
    advance(int((spoken_for != np.arange(len(texts))).sum()))
    if fitting:
        # Groups together, in each the better texts first, which is the order that they are in.
        keys: dict[object, int] = {}
        groups = np.array([keys.setdefault(text.key, len(keys)) for text in fitting], np.int64)
        order = np.argsort(groups, kind="stable")
        ordered = [fitting[place] for place in order.tolist()]
        exact = _Vectors([text.text for text in ordered], embedder, store)
        found = anchored.search(
            rough[order],
            exact,
            groups[order],
            likely=likely(threshold),
            threshold=threshold,
            agree=lambda left, right: agree(ordered[left], ordered[right]),
            advance=advance,
        )
        embedded = exact.made
        removed = np.flatnonzero(found.by >= 0)
        by[rows[order[removed]]] = rows[order[found.by[removed]]]
        cosine[rows[order[removed]]] = found.cosine[removed]
    copy = np.flatnonzero((spoken_for >= 0) & (spoken_for != np.arange(len(texts))))
    best = spoken_for[copy]
    by[copy], cosine[copy] = np.where(by[best] >= 0, by[best], best), np.where(by[best] >= 0, cosine[best], 1)
    return Similar(by, cosine, found.proposed, found.verified, found.limited, embedded, **left_out)


def likely(threshold: float) -> float:
    """The cosine of cheap vectors from which on a pair is verified.

    Fitted to prompts of a ShareGPT dump: 0.5 at a threshold of 0.85, 0.7 at 0.9. `benchmarks/semantic.py` measures
    how many of the pairs that the model alone would find come through.
    """
    return min(threshold - 0.2, 4 * threshold - 2.9)


def _unfit(text: Text) -> str | None:
    """Why a text takes no part."""
    if text.short:
        return "short"
    if len(text.text) > CHARS:
        return "long"
    return None if text.latin else "foreign"


class _Vectors:
    """The model's vectors, made when they are first asked for."""

    def __init__(self, texts: Sequence[str], embedder: Embedder, store: Path) -> None:
        self._texts, self._embedder, self._store = texts, embedder, store
        self._known = np.zeros(len(texts), bool)
        self._vectors: NDArray[np.float16] | None = None

    @property
    def made(self) -> int:
        """How many texts were looked at."""
        return int(self._known.sum())

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        new = rows[~self._known[rows]]
        if len(new):
            made = cached([self._texts[row] for row in new.tolist()], self._embedder, self._store, lambda _: None)
            if self._vectors is None:
                # Pages of it that are never written to take no memory.
                self._vectors = np.empty((len(self._texts), made.shape[1]), np.float16)
            self._vectors[new] = made
            self._known[new] = True
        assert self._vectors is not None
        vectors: NDArray[np.float32] = self._vectors[rows].astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors
