"""The work of `curate dedup` once there are signatures: order, equal texts, other sets, contained and near ones."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    shards = ws.shards("conversations")
    count, values = bands(options.threshold, options.num_perm, ws.rows(table))
    with TemporaryFile(dir=ws.path) as band_file, TemporaryFile(dir=ws.path) as set_file:
        corpus = load([(index, ws.shard(table, index)) for index in shards], band_file, (count, values))
        order = policy.best_first(keep, policy.criteria(ws, keep, corpus, options.by_reward))
        # A response of a conversation that goes anyway stands for none that stays.
        out = ~in_kept_conversations(ws, corpus) if options.unit == "responses" else np.zeros(len(order), np.bool_)
        order = order[np.argsort(out[order], kind="stable")]
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        stays = by_hand.rows(ws, corpus)
        gone = int(out.sum())
        out |= corpus.tokens < FEWEST_TOKENS[options.unit]
        keeper = keepers(corpus.hashes, rank)
        keeper[stays | out] = np.flatnonzero(stays | out)
        best = (keeper == np.arange(len(keeper))) & ~out
        says_enough = best & (shingles_of(corpus.tokens) >= near.FEWEST_SHINGLES)
        query = Query(
            ws, options.unit, corpus, np.flatnonzero(best & ~stays), np.flatnonzero(says_enough & ~stays),
            values, options.threshold,
        )  # fmt: skip
        elsewhere = search_elsewhere(query, others)
        rows = np.flatnonzero(says_enough & ~elsewhere.has)
        shared = buckets(corpus.band_keys(), rows)
        begun = prefix.starting_with(corpus, rows, corpus, rows)
        places = Places(begun.long, corpus.tokens[begun.short])
        with talk.progress("comparing", 2 * len(shared.rows), "texts") as advance:
            sets, digests = read_again(ws, options.unit, set_file, corpus, shared.rows, places, advance)
            found = near.search(shared, sets, begun.confirmed(corpus, digests), rank, stays, options.threshold, advance)
        decided = verdicts.decide(corpus, keeper, found, elsewhere)
    said = Meaning()
    if embedder:
        rows = np.flatnonzero((decided.kinds == KEPT) & ~out)
        said = compare(ws, options, corpus, decided, rows, rank, stays, embedder, talk)
    exact, contained, similar, same = (decided.count(kind) for kind in (EXACT, PREFIX, NEAR, SEMANTIC))
    result = DedupResult(
        unit=options.unit,
        texts=len(corpus.keys) - gone,
        kept=len(corpus.keys) - gone - exact - contained - similar - same,
        exact=exact,
        prefix=contained,
        near=similar,
        semantic=same,
        against=int((decided.sets >= 0).sum()),
        copies=int((keeper != np.arange(len(keeper))).sum()),
        clusters=int((np.bincount(decided.clusters) > 1).sum()),
        candidates=len(shared.rows),
        verified=found.verified,
        limited=int(((found.limited | elsewhere.limited) & (decided.kinds == KEPT)).sum()) + said.limited,
        restored=int(stays.sum()),
        similar=said.similar,
        left_out=said.left_out or {},
    )
    return result, decided, corpus
