"""The work of `curate dedup` once there are signatures: order, equal texts, other sets, contained and near ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import numpy as np

from curate.dedup import DedupResult, by_hand, near, policy, prefix, verdicts
from curate.dedup.buckets import buckets
from curate.dedup.corpus import load
from curate.dedup.exact import keepers
from curate.dedup.kept import in_kept_conversations
from curate.dedup.kinds import EXACT, KEPT, NEAR, PREFIX, SEMANTIC
from curate.dedup.lsh import bands
from curate.dedup.meaning import Meaning, compare
from curate.dedup.minhash import shingles_of
from curate.dedup.reference import Query
from curate.dedup.reference import search as search_elsewhere
from curate.dedup.second_pass import Places, read_again
from curate.dedup.signing import TABLE_OF
from curate.memory import give_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from curate.console import Talk
    from curate.dedup import Options
    from curate.dedup.corpus import Corpus
    from curate.dedup.policy import Policy
    from curate.dedup.reference import Reference
    from curate.dedup.verdicts import Verdicts
    from curate.embedding import Embedder
    from curate.workspace import Workspace

# Shorter texts of these units are equal without being copies: "continue", "Acknowledged.", "Hello! How can I help?".
FEWEST_TOKENS = {"conversation": 0, "prompts": 5, "responses": 50}


def search(
    ws: Workspace,
    options: Options,
    keep: Policy,
    others: Sequence[Reference],
    embedder: Embedder | None,
    talk: Talk,
) -> tuple[DedupResult, Verdicts, Corpus]:
    """Decide about every text.

    Args:
        ws: The workspace, with signatures for the unit.
        options: What a duplicate is.
        keep: Which copy stays.
        others: Other sets, whose copies always stay.
        embedder: Tells which texts mean the same; None = nobody asked.
        talk: Where progress is shown.
    """
    table = TABLE_OF[options.unit]
    shape = bands(options.threshold, options.num_perm, ws.rows(table))
    with TemporaryFile(dir=ws.path) as file:
        paths = [(index, ws.shard(table, index)) for index in ws.shards("conversations")]
        corpus = load(paths, file, shape)
        standing = stand(ws, options, keep, corpus)
        found = compared(ws, options, corpus, standing, others, shape[1], talk)
    if not embedder:
        return found.result, found.verdicts, corpus
    rows = np.flatnonzero((found.verdicts.kinds == KEPT) & ~found.out)
    said = compare(ws, options, corpus, found.verdicts, rows, found.rank, standing.stays, embedder, talk)
    return _with_meaning(found, said), found.verdicts, corpus


@dataclass(frozen=True)
class Standing:
    """What the tables of a workspace say of each text.

    Attributes:
        rank: Its place among those that deserve to stay.
        gone: Whether its conversation goes anyway, so that it stands for none that stays.
        stays: Whether its removal was taken back.
    """

    rank: NDArray[np.int64]
    gone: NDArray[np.bool_]
    stays: NDArray[np.bool_]


@dataclass(frozen=True)
class Compared:
    """What comparing words has told of the texts of a corpus.

    Attributes:
        result: Counts.
        verdicts: One per text.
        rank: The place of each among those that deserve to stay.
        out: Whether it is passed over.
        limited: Whether it was not compared with all candidates.
    """

    result: DedupResult
    verdicts: Verdicts
    rank: NDArray[np.int64]
    out: NDArray[np.bool_]
    limited: NDArray[np.bool_]


def stand(ws: Workspace, options: Options, keep: Policy, corpus: Corpus) -> Standing:
    """Look the texts of a corpus up."""
    gone, stays = goes_anyway(ws, options, corpus), by_hand.rows(ws, corpus)
    order = policy.best_first(keep, policy.criteria(ws, keep, corpus, options.by_reward))
    return Standing(ranks(order, gone), gone, stays)


def ranks(order: NDArray[np.int64], gone: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The place of each text in an order, those whose conversation goes anyway behind all others."""
    order = order[np.argsort(gone[order], kind="stable")]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank


def goes_anyway(ws: Workspace, options: Options, corpus: Corpus) -> NDArray[np.bool_]:
    """Whether the conversation of each text goes, where texts are less than that."""
    if options.unit == "responses":
        return ~in_kept_conversations(ws, corpus)
    return np.zeros(len(corpus.keys), np.bool_)


def compared(
    ws: Workspace,
    options: Options,
    corpus: Corpus,
    standing: Standing,
    others: Sequence[Reference],
    values: int,
    talk: Talk,
) -> Compared:
    """Decide about the texts of a corpus by their words.

    Of a larger corpus it is enough to have all texts that share a hash, a band, or a beginning with one of these.

    Args:
        ws: Where their conversations are.
        options: What a duplicate is.
        corpus: The texts.
        standing: What is known of each.
        others: Other sets, whose copies always stay.
        values: Signature values per band.
        talk: Where progress is shown.
    """
    rank, stays, gone = standing.rank, standing.stays, standing.gone
    give_back()
    out = gone | (corpus.tokens < FEWEST_TOKENS[options.unit])
    with TemporaryFile(dir=ws.path) as set_file:
        keeper = keepers(corpus.hashes(), rank)
        keeper[stays | out] = np.flatnonzero(stays | out)
        best = (keeper == np.arange(len(keeper))) & ~out
        says_enough = best & (shingles_of(corpus.tokens) >= near.FEWEST_SHINGLES)
        query = Query(
            ws, options.unit, corpus, np.flatnonzero(best & ~stays), np.flatnonzero(says_enough & ~stays),
            values, options.threshold,
        )  # fmt: skip
        elsewhere = search_elsewhere(query, others)
        del query
        rows = np.flatnonzero(says_enough & ~elsewhere.has)
        shared = buckets(corpus.band_keys(), rows, corpus.bands)
        begun = prefix.starting_with(corpus, rows, corpus, rows)
        del rows
        give_back()
        places = Places(begun.long, corpus.tokens[begun.short])
        with talk.progress("comparing", 2 * len(shared.rows), "texts") as advance:
            sets, digests = read_again(ws, options.unit, set_file, corpus, shared.rows, places, advance)
            give_back()
            found = near.search(shared, sets, begun.confirmed(corpus, digests), rank, stays, options.threshold, advance)
        decided = verdicts.decide(corpus, keeper, found, elsewhere)
    exact, contained, similar = (decided.count(kind) for kind in (EXACT, PREFIX, NEAR))
    texts, limited = len(corpus.keys) - int(gone.sum()), found.limited | elsewhere.limited
    result = DedupResult(
        unit=options.unit,
        texts=texts,
        kept=texts - exact - contained - similar,
        exact=exact,
        prefix=contained,
        near=similar,
        semantic=0,
        against=int((decided.sets >= 0).sum()),
        copies=int((keeper != np.arange(len(keeper))).sum()),
        clusters=int((np.bincount(decided.clusters) > 1).sum()),
        candidates=len(shared.rows),
        verified=found.verified,
        limited=int((limited & (decided.kinds == KEPT)).sum()),
        restored=int(stays.sum()),
    )
    return Compared(result, decided, rank, out, limited)


def _with_meaning(found: Compared, said: Meaning) -> DedupResult:
    """The result, and what the comparison of meanings has changed."""
    result, decided = found.result, found.verdicts
    exact, contained, similar, same = (decided.count(kind) for kind in (EXACT, PREFIX, NEAR, SEMANTIC))
    return replace(
        result,
        kept=result.texts - exact - contained - similar - same,
        exact=exact,
        prefix=contained,
        near=similar,
        semantic=same,
        against=int((decided.sets >= 0).sum()),
        clusters=int((np.bincount(decided.clusters) > 1).sum()),
        limited=int((found.limited & (decided.kinds == KEPT)).sum()) + said.limited,
        similar=said.similar,
        left_out=said.left_out or {},
    )
