"""Duplicates: exact copies, contained beginnings, near copies by MinHash and their true similarity.

The best copy stays (`rules/keep.toml`), nothing is deleted, and every text that goes names the kept one
it duplicates. A text is a whole conversation, its prompts, or one long response.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from curate.console import Talk
from curate.dedup.lsh import bands as bands_for
from curate.errors import CurateError, RuleError, WorkspaceError, unwritable
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.dedup.policy import Policy

__all__ = ["DedupResult", "dedup", "restore"]

# Rises when the same texts, policy and options give another table, or a result has other fields.
VERSION = 2


@dataclass(frozen=True)
class DedupResult:
    """What was found.

    Attributes:
        unit: What one text is: conversation, prompts or responses.
        texts: All of them.
        kept: Those that duplicate nothing that stays.
        exact: Those that go, equal to one that stays.
        prefix: Those that go, contained in one that stays.
        near: Those that go, similar enough to one that stays.
        semantic: Those that go, and whose copies go, because one that stays means the same.
        against: How many of these go for another set's text.
        copies: Texts equal to a better one, even where both went for a third.
        clusters: Groups of two or more linked texts.
        candidates: Texts that share a band with another.
        verified: Pairs whose true similarity was computed.
        limited: Texts that stay and were not compared with everyone in crowded bands.
        restored: Texts that stay because their removal was taken back by hand.
        similar: Texts that mean the same as a better one; they stay unless `semantic` is `remove`.
        left_out: Texts whose meaning was not compared, by reason: short, long, foreign.
    """

    unit: str
    texts: int
    kept: int
    exact: int
    prefix: int
    near: int
    semantic: int
    against: int
    copies: int
    clusters: int
    candidates: int
    verified: int
    limited: int
    restored: int
    similar: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """Everything that decides what a duplicate is, as `dedup` takes it."""

    unit: str = "conversation"
    threshold: float = 0.7
    num_perm: int = 64
    by_reward: bool = False
    policy: str = "keep.toml"
    against: Sequence[str] = ()
    semantic: str = "off"
    cosine: float = 0.9
    embedder: str | None = None


def check(options: Options) -> None:
    """Refuse what `dedup` would refuse whatever the workspace holds.

    Raises:
        CurateError: A unit, mode, threshold or number of permutations without sense, or a model that is not there.
        MissingExtraError: Meaning is asked for and not installed.
    """
    from curate.dedup import meaning
    from curate.dedup.texts import check_unit
    from curate.embedding import DEFAULT, Embedder

    check_unit(options.unit)
    # How many conversations there are matters later.
    bands_for(options.threshold, options.num_perm, 0)
    meaning.check(options.semantic, options.cosine)
    if options.semantic != "off":
        Embedder(options.embedder or DEFAULT)


def dedup(
    workspace: str | Path,
    *,
    unit: str = "conversation",
    threshold: float = 0.7,
    num_perm: int = 64,
    by_reward: bool = False,
    policy: str = "keep.toml",
    against: Sequence[str | Path] = (),
    index: str | Path | None = None,
    semantic: str = "off",
    cosine: float = 0.9,
    embedder: str | None = None,
    engine: str = "local",
    quiet: bool = False,
) -> DedupResult:
    """Find the duplicates and fill the table `duplicates` (of responses: `repeats`).

    Does nothing when conversations, labels, flags, policy and options are those of the last run. Signatures are made
    once for each conversation, whatever the threshold.

    Args:
        workspace: Folder of the workspace.
        unit: What one text is: `conversation`, `prompts` (all of a conversation's together) or `responses` (single
            long ones; export masks those that repeat another).
        threshold: Jaccard similarity of word 5-grams from which on a text is a near duplicate.
        num_perm: Values per MinHash signature.
        by_reward: Keep the copy with the higher mean reward where the policy asks for it.
        policy: Path or name of the rule file that says which copy stays.
        against: Workspaces, folders of an index, or `redis://` addresses, whose texts always stay.
        index: Folder, or `redis://` address, of an index that what is kept is put into.
        semantic: `flag` texts that mean the same as a better one, `remove` them, or `off`. Needs the extra `semantic`.
        cosine: Cosine of sentence embeddings from which on two texts mean the same.
        embedder: Folder, or name, of a sentence-transformers model; None = all-MiniLM-L6-v2.
        engine: Who does it, see `curate.engine`. Other sets, and meaning, are compared with on this machine.
        quiet: Say nothing but warnings.

    Raises:
        RuleError: The policy has mistakes.
        MissingExtraError: Meaning or Redis is asked for and not installed.
        WorkspaceError: Not a workspace, no scores though `by_reward` needs them, or no room on the disk.
        CurateError: A unit, threshold or number of permutations that makes no sense, or another set that cannot be
            compared with.
    """
    from curate.dedup import policy as policies
    from curate.dedup import references

    ws, talk = Workspace(workspace, engine=engine), Talk(quiet=quiet)
    options = Options(unit, threshold, num_perm, by_reward, policy, _sets(against), semantic, cosine, embedder)
    check(options)
    keep = policies.load(policy)
    with ws.lock():
        into = references.writer(str(index), ws, options) if index is not None else None
        result = run(ws, options, keep, talk)
        if into:
            into(ws)
            talk.say(f"index {references.shown(str(index))}: what stays is in it")
        return result


def restore(
    workspace: str | Path,
    texts: Sequence[int | tuple[int, int]] = (),
    *,
    again: Sequence[int | tuple[int, int]] = (),
    against: Sequence[str | Path] | None = None,
    quiet: bool = False,
) -> DedupResult:
    """Take removals back by hand, and decide about all others as the last `dedup` did; they stay in every later run.

    Args:
        workspace: Folder of the workspace.
        texts: What shall stay: conversations by their key, or responses by key and turn.
        again: What `dedup` may decide about again.
        against: The other sets, where they cannot be found by the names of the last run (a password is not kept).
        quiet: Say nothing but warnings.

    Raises:
        CurateError: There is no such text, or another set cannot be opened; nothing has changed then.
        WorkspaceError: Not a workspace, or `dedup` did not run.
    """
    from curate.dedup import by_hand, references
    from curate.dedup import policy as policies

    ws, talk = Workspace(workspace), Talk(quiet=quiet)
    plus, minus = ([(text, None) if isinstance(text, int) else text for text in some] for some in (texts, again))
    responses = {turn is not None for _, turn in [*plus, *minus]}
    if len(responses) > 1:
        raise CurateError("conversations and responses are taken back one kind at a time")
    with ws.lock():
        entry = ws.manifest.get("stages", {}).get("dedup_responses" if True in responses else "dedup")
        if entry is None:
            raise WorkspaceError("nothing was removed yet", where=ws.path, hint="run `curate dedup` first")
        options = Options(**entry["options"])
        if against is not None:
            options = replace(options, against=_sets(against))
        keep = policies.load(options.policy)
        references.open_all(ws, options)
        by_hand.check(ws, [*plus, *minus])
        by_hand.change(ws, plus, minus)
        return run(ws, options, keep, talk)


def _sets(names: Sequence[str | Path]) -> list[str]:
    """The names of other sets, which another working folder finds too."""
    from curate.dedup.references import is_address

    return [str(name) if is_address(str(name)) else str(Path(name).resolve()) for name in names]


def run(ws: Workspace, options: Options, keep: Policy, talk: Talk) -> DedupResult:
    """`dedup` on a workspace that is locked."""
    try:
        return _run(ws, options, keep, talk)
    except OSError as error:
        raise unwritable(error, error.filename or ws.path) from error


def _run(ws: Workspace, options: Options, keep: Policy, talk: Talk) -> DedupResult:
    from curate.dedup import references
    from curate.dedup import semantic as meaning
    from curate.dedup.search import search
    from curate.dedup.signing import TABLE_OF, sign
    from curate.embedding import DEFAULT, Embedder

    stage = "dedup" if options.unit != "responses" else "dedup_responses"
    table = "duplicates" if options.unit != "responses" else "repeats"
    shards = ws.shards("conversations")
    others = references.open_all(ws, options)
    embedder = Embedder(options.embedder or DEFAULT) if options.semantic != "off" else None
    total = ws.rows("conversations")
    with talk.progress("signatures", total, "conversations") as advance:
        sign(ws, options.unit, options.num_perm, advance)
    more: list[object] = [[other.name, other.stamp()] for other in others]
    more += [options.semantic, options.cosine, embedder.id, meaning.VERSION] if embedder else []
    wanted = _fingerprint(ws, keep, options, TABLE_OF[options.unit], more, talk)
    entry = ws.manifest.get("stages", {}).get(stage, {})
    if entry.get("fingerprint") == wanted and all(
        ws.stamp(table, index).get("fingerprint") == wanted for index in shards
    ):
        talk.say("duplicates: nothing has changed")
        return DedupResult(**entry["counts"])
    names: tuple[str, ...] = ()
    stamps = {index: {"fingerprint": wanted, "run": wanted, **_basis(ws, table, index)} for index in shards}
    if ws.engine.name == "ray" and not others and not embedder:
        from curate.dedup.across import search as search_across

        result = search_across(ws, options, keep, table, stamps, talk)
    else:
        result, verdicts, corpus = search(ws, options, keep, others, embedder, talk)
        names = verdicts.names
        rows = verdicts.repeats if table == "repeats" else verdicts.duplicates
        for index, first, end in corpus.shards:
            ws.write(table, index, rows(first, end), stamps[index])
    for index in set(ws.shards(table)) - set(shards):
        ws.shard(table, index).unlink()
    shown = {**asdict(options), "against": list(names)}
    ws.record(stage, {"fingerprint": wanted, "options": shown, "counts": asdict(result)})
    _tell(result, talk)
    return result


def _basis(ws: Workspace, table: str, index: int) -> dict[str, object]:
    """What a shard is only right with: which conversations stay decides whose responses may stand for others."""
    return {"after": ws.stamp("duplicates", index).get("fingerprint")} if table == "repeats" else {}


def _tell(result: DedupResult, talk: Talk) -> None:
    name = "responses" if result.unit == "responses" else "conversations"
    if result.limited:
        talk.warn(
            f"{result.limited:,} {name} look alike in part with so many others (a template?) that each was "
            "compared with the most similar ones only; a near duplicate among them may have stayed"
        )
    talk.say(
        f"{result.texts:,} {name}: {result.exact:,} exact, {result.prefix:,} contained and {result.near:,} near "
        f"duplicates, {result.kept:,} stay"
    )
    if result.similar:
        state = f", {result.semantic:,} with their copies go" if result.semantic else ""
        talk.say(f"{result.similar:,} mean the same as a better one{state}")


def _fingerprint(
    ws: Workspace, keep: Policy, options: Options, signatures: str, more: list[object], talk: Talk
) -> str:
    """Everything the result depends on.

    Raises:
        RuleError: The policy cannot keep by reward.
        WorkspaceError: A shard has no scores.
    """
    from curate.dedup import policy as policies

    labelled, shards = ws.shards("labels"), ws.shards("conversations")
    if labelled and labelled != shards:
        talk.warn(f"only {len(labelled)} of {len(shards)} shards are labelled; run `curate label` first")
    if options.by_reward:
        if "reward" not in keep.order:
            raise RuleError("the policy does not keep by reward", where=keep.path, hint='add "reward" to `order`')
        if not ws.has("scores"):
            raise WorkspaceError(
                "keeping the better rewarded copy needs scores, and not every conversation has them",
                where=ws.path,
                hint="run `curate score` first, or leave out `--by-reward`",
            )
    inputs = ["conversations", "restored", signatures, *policies.tables(ws, keep, options.by_reward)]
    inputs += ["duplicates"] if options.unit == "responses" else []
    stamps = {name: [ws.stamp(name, index).get("fingerprint") for index in shards] for name in inputs}
    chosen = [options.unit, options.threshold, options.num_perm, options.by_reward]
    return fingerprint(VERSION, chosen, keep.order, keep.classes, keep.left_out, keep.incomplete, more, stamps)
