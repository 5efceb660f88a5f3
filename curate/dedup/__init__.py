"""Duplicates: exact copies by content hash, near ones by MinHash and then their true similarity.

The unit is the whole conversation. The best copy stays (`rules/keep.toml`), nothing is deleted, and
every removed conversation names the kept one it duplicates.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from curate.console import Talk
from curate.dedup.lsh import bands as bands_for
from curate.errors import RuleError, WorkspaceError
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from curate.dedup.corpus import Corpus
    from curate.dedup.policy import Policy

__all__ = ["DedupResult", "dedup"]

# Rises when the same conversations, policy and options give another table, or a result has other fields.
VERSION = 1


@dataclass(frozen=True)
class DedupResult:
    """What was found.

    Attributes:
        conversations: All of them.
        kept: Those that duplicate nothing better.
        exact: Removed, equal to the conversation that stays.
        near: Removed, similar enough to the conversation that stays.
        copies: Conversations equal to a better one, even where both went for a third.
        clusters: Groups of two or more linked conversations.
        candidates: Conversations that share a band with another.
        verified: Pairs whose true similarity was computed.
        rejected: Pairs among them below the threshold.
        limited: Conversations in crowded bands that were not compared with everyone.
    """

    conversations: int
    kept: int
    exact: int
    near: int
    copies: int
    clusters: int
    candidates: int
    verified: int
    rejected: int
    limited: int


def dedup(
    workspace: str | Path,
    *,
    threshold: float = 0.7,
    num_perm: int = 128,
    by_reward: bool = False,
    policy: str = "keep.toml",
    quiet: bool = False,
) -> DedupResult:
    """Find the duplicates among all conversations and fill the table `duplicates`.

    Does nothing when conversations, labels, policy and options are those of the last run.

    Args:
        workspace: Folder of the workspace.
        threshold: Jaccard similarity of word 5-grams from which on a conversation is a near duplicate.
        num_perm: MinHash permutations that may be used.
        by_reward: Keep the copy with the higher mean reward where the policy asks for it.
        policy: Path or name of the rule file that says which copy stays.
        quiet: Say nothing but warnings.

    Raises:
        RuleError: The policy has mistakes.
        WorkspaceError: Not a workspace, no scores though `by_reward` needs them, or no room on the disk.
        CurateError: A threshold or number of permutations that makes no sense.
    """
    from curate.dedup import policy as policies

    ws, talk = Workspace(workspace), Talk(quiet=quiet)
    # Tells nonsense before any work; how many conversations there are matters later.
    bands_for(threshold, num_perm, 0)
    keep = policies.load(policy)
    with ws.lock():
        wanted = _fingerprint(ws, keep, threshold, num_perm, by_reward, talk)
        entry = ws.manifest.get("stages", {}).get("dedup", {})
        shards = ws.shards("conversations")
        if entry.get("fingerprint") == wanted and all(
            ws.stamp("duplicates", index).get("fingerprint") == wanted for index in shards
        ):
            talk.say("duplicates: nothing has changed")
            return DedupResult(**entry["counts"])
        try:
            result, options = _search(ws, keep, threshold, num_perm, by_reward, wanted, talk)
        except OSError as error:
            what = f"the workspace cannot be written: {error.strerror or error}"
            raise WorkspaceError(what, where=ws.path) from error
        ws.record("dedup", {"fingerprint": wanted, "options": options, "counts": asdict(result)})
    if result.limited:
        talk.warn(
            f"{result.limited:,} conversations look alike in part with so many others (a template?) that each was "
            "compared with the most similar ones only; a near duplicate among them may have stayed"
        )
    talk.say(
        f"{result.conversations:,} conversations: {result.exact:,} exact and {result.near:,} near duplicates, "
        f"{result.kept:,} stay"
    )
    return result


def _fingerprint(ws: Workspace, keep: Policy, threshold: float, num_perm: int, by_reward: bool, talk: Talk) -> str:
    """Everything the result depends on.

    Raises:
        RuleError: The policy cannot keep by reward.
        WorkspaceError: A shard has no scores.
    """
    from curate.dedup import minhash

    labelled, all_shards = ws.shards("labels"), ws.shards("conversations")
    inputs = ["conversations", "labels"]
    if labelled and labelled != all_shards:
        talk.warn(f"only {len(labelled)} of {len(all_shards)} shards are labelled; run `curate label` first")
    if by_reward:
        if "reward" not in keep.order:
            raise RuleError("the policy does not keep by reward", where=keep.path, hint='add "reward" to `order`')
        if not ws.has("scores"):
            raise WorkspaceError(
                "keeping the better rewarded copy needs scores, and not every conversation has them",
                where=ws.path,
                hint="run `curate score` first, or leave out `--by-reward`",
            )
        inputs.append("scores")
    stamps = {name: [ws.stamp(name, index).get("fingerprint") for index in all_shards] for name in inputs}
    return fingerprint(VERSION, minhash.VERSION, keep.order, keep.classes, threshold, num_perm, by_reward, stamps)


def _search(
    ws: Workspace, keep: Policy, threshold: float, num_perm: int, by_reward: bool, wanted: str, talk: Talk
) -> tuple[DedupResult, dict[str, Any]]:
    """The work itself: survey, order, exact, near, then one table per shard."""
    import numpy as np
    import pyarrow.parquet as pq

    from curate.dedup import policy as policies
    from curate.dedup import verdicts
    from curate.dedup.corpus import collect, survey
    from curate.dedup.exact import keepers
    from curate.dedup.lsh import buckets
    from curate.dedup.near import FEWEST_SHINGLES, search

    shards = ws.shards("conversations")
    total = sum(pq.read_metadata(ws.shard("conversations", index)).num_rows for index in shards)
    count, values = bands_for(threshold, num_perm, total)
    with TemporaryFile(dir=ws.path) as band_file, TemporaryFile(dir=ws.path) as set_file:
        with talk.progress("signatures", total, "conversations") as advance:
            corpus = survey(ws, band_file, (count, values), num_perm, advance)
        order = policies.best_first(keep, _criteria(ws, keep, corpus, by_reward))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        keeper = keepers(corpus.hashes, rank)
        alive = (keeper == np.arange(len(keeper))) & (corpus.shingles >= FEWEST_SHINGLES)
        shared = buckets(corpus.band_keys(), np.flatnonzero(alive))
        with talk.progress("comparing", len(shared.rows), "conversations") as advance:
            sets = collect(ws, set_file, corpus, shared.rows, advance)
            near = search(shared, sets, rank, threshold)
    found = verdicts.decide(corpus.keys, keeper, near)
    for index, first, end in corpus.shards:
        ws.write("duplicates", index, found.table(first, end), {"fingerprint": wanted})
    for index in set(ws.shards("duplicates")) - set(shards):
        ws.shard("duplicates", index).unlink()
    exact, near_rows = found.count(verdicts.EXACT), found.count(verdicts.NEAR)
    result = DedupResult(
        conversations=total,
        kept=total - exact - near_rows,
        exact=exact,
        near=near_rows,
        copies=int((keeper != np.arange(total)).sum()),
        clusters=int((np.unique(found.clusters, return_counts=True)[1] > 1).sum()),
        candidates=len(shared.rows),
        verified=near.verified,
        rejected=near.verified - len(near.links),
        limited=near.limited,
    )
    options = {
        "threshold": threshold,
        "num_perm": num_perm,
        "bands": count,
        "values_per_band": values,
        "policy": keep.path.name,
        "order": list(keep.order),
        "classes": list(keep.classes),
        "by_reward": by_reward,
    }
    return result, options


def _criteria(ws: Workspace, keep: Policy, corpus: Corpus, by_reward: bool) -> dict[str, Any]:
    """What the policy orders by, per conversation."""
    import numpy as np

    from curate.dedup import policy as policies

    spans = [(index, corpus.keys[first:end]) for index, first, end in corpus.shards]
    columns = {"length": corpus.lengths, "age": corpus.keys}
    if spans and "class" in keep.order:
        columns["class"] = np.concatenate([policies.class_ranks(ws, index, keep, keys) for index, keys in spans])
    if spans and by_reward:
        columns["reward"] = np.concatenate([policies.rewards(ws, index, keys) for index, keys in spans])
    return columns
