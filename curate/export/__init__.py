"""Export: mix every table into training shards, each response under its condition and with its weight."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.console import Talk
from curate.errors import CurateError, WorkspaceError
from curate.export import folder as folders
from curate.export import keepers, publish
from curate.export.ahead import ahead
from curate.export.apart import Apart
from curate.export.emulate import Division
from curate.export.halfway import Halfway
from curate.export.job import Job
from curate.export.mix import mix as mix_shard
from curate.export.mixture import cap
from curate.export.mixture import shares as mix_shares
from curate.export.plan import check, known_formats
from curate.export.policy import settle
from curate.export.preview import Preview
from curate.export.solve import solve as solve_beta
from curate.export.splits import held_out
from curate.export.tally import ClassWeights, Tally
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from curate.export.mix import Mixed
    from curate.export.policy import Policy
    from curate.export.tokenise import Encoder

__all__ = ["ExportResult", "check", "export", "inputs", "known_formats"]

# Rises when the same inputs and options give other files.
VERSION = 7
# Every table that may take part.
INPUTS = (
    "conversations",
    "flags",
    "labels",
    "duplicates",
    "repeats",
    "contamination",
    "tasks",
    "scores",
    "corrections",
)


@dataclass(frozen=True)
class ExportResult:
    """What came out.

    Attributes:
        out: The folder.
        format: Its format.
        note: What a reader of the weights must know of the judge.
        unchanged: The folder already held exactly this export; no byte was touched.
        conversations: Conversations in the workspace: those exported and those dropped.
        exported: Conversations with at least one row.
        dropped: Conversations by the one reason each was dropped for.
        rows: Rows written; a conversation with two conditions has two.
        responses: Trained responses.
        masked: Responses of exported conversations with weight 0, by reason.
        fallback: Trained responses weighed by class because they have no reward.
        supervised_tokens: Trained tokens; None when nothing was tokenised.
        rows_cut: Rows that lost their end at `max_length`; None when nothing was tokenised.
        conditions: Trained responses by condition.
        classes: Weights of the trained responses by class; a null class is `unknown`.
        effective_sample_size: (Σw)²/Σw² over the trained responses.
        files: Files of the export, relative to `out`; none for a dry run.
        preview: Weights and loss mass by class, reward, task, source and language; None = nothing was done.
        drawn: Rows drawn for each epoch; None when weights were not emulated.
        corrected: Trained responses whose class or reward was corrected by hand.
        packed: `rows` written where rows were packed (of all epochs), and `fill`, the share of their ids that is used.
    """

    out: Path
    format: str
    note: str | None
    unchanged: bool
    conversations: int
    exported: int
    dropped: dict[str, int]
    rows: int
    responses: int
    masked: dict[str, int]
    fallback: int
    supervised_tokens: int | None
    rows_cut: int | None
    conditions: dict[str, int]
    classes: dict[str, ClassWeights]
    effective_sample_size: float
    files: tuple[str, ...]
    preview: dict[str, Any] | None = None
    drawn: list[int] | None = None
    corrected: dict[str, int] = field(default_factory=dict)
    packed: dict[str, float] | None = None


def export(
    workspace: str | Path,
    out: str | Path,
    *,
    format: str = "crlft",
    weighting: str = "auto",
    beta: float | None = None,
    mix: float = 0.5,
    fallback: str = "coarse",
    unlabelled: str = "keep",
    contaminated: str = "drop",
    tokenizer: str | None = None,
    template: str = "openchat_v3.2_mistral",
    max_length: int | None = None,
    truncate: str = "turn",
    context: int = 0,
    epochs: int = 1,
    seed: int = 0,
    name: str = "train",
    licences: Mapping[str, str] | None = None,
    emulate_weights: str | None = None,
    conditions: str = "conditions.toml",
    weights: str = "weights.toml",
    clean: str = "clean.toml",
    keep_flagged: Sequence[str] = (),
    drop_flagged: Sequence[str] = (),
    mask_flagged: Sequence[str] = (),
    solve: str | None = None,
    floor: float | None = None,
    ceiling: float | None = None,
    per: str = "token",
    rounding: str = "none",
    only: Sequence[str] = (),
    shares: Sequence[str] = (),
    mixture: str = "weight",
    caps: Sequence[str] = (),
    validation: float = 0.0,
    pack: bool = False,
    dry_run: bool = False,
    engine: str = "local",
    quiet: bool = False,
) -> ExportResult:
    """Write training data from a workspace into a folder, whole or not at all.

    Args:
        workspace: Folder of the workspace; only its manifest is written.
        out: Folder of the export: new, empty, or holding an earlier export, which is replaced.
        format: One of `known_formats()`.
        weighting: auto, coarse, judge, mixed or local (see `curate.reward`).
        beta: Temperature of judge and mixed weights; None = 1/ln 10, which spans 10:1.
        mix: Share of the class in a mixed reward, 0 to 1.
        fallback: For responses without a reward: coarse, drop (the conversation) or mask (the response).
        unlabelled: For responses without a class: keep (own condition), drop (the conversation) or mask.
        contaminated: Where a message holds an item of a benchmark: drop (the conversation), mask (the response that
            holds it, or that answers a message that does) or keep.
        tokenizer: Folder with `tokenizer.json` or `tokenizer.model`: write token ids.
        template: OpenChat model type (`templates.TEMPLATES`), or a chat template: `hf` for the tokenizer's own, a file,
            or a tokenizer's folder.
        max_length: Ids per row; None = the template's context.
        truncate: A conversation that is longer: its row ends where a `turn` ends; or it is `split` before questions
            into several rows, the system message before each; or cut on the right as `openchat` does, in mid-response.
        context: Exchanges before it that each later row of a split conversation repeats, with weight 0.
        epochs: Files in different orders, for the formats that have one per epoch.
        seed: Of the shuffle.
        name: Split and file prefix: letters, digits and underscores.
        licences: Identifiers by source, for the card.
        emulate_weights: For targets that carry no fractional weight: `resample`, rows as often as they weigh, another
            draw each epoch; or `drop`, rows that weigh at least half of the heaviest, once.
        conditions: Rule file of the conditions.
        weights: File of the class weights.
        clean: Rule file of the cleaning rules, for which flags drop a conversation or mask a response.
        keep_flagged: Cleaning rules whose conversations are kept after all.
        drop_flagged: Cleaning rules whose conversations are dropped after all.
        mask_flagged: Cleaning rules whose responses weigh 0 after all.
        solve: What β is solved for: `ratio=10`, `share:CLASS=0.6` (of the loss mass) or `ess=0.5` (of the responses).
        floor: Least weight above zero; None = as the weights file says.
        ceiling: Greatest weight; None = as the weights file says.
        per: What a weight is for: each `token` of a response, or the whole `response`.
        rounding: `none`, or `bf16`: weights that trainers with bfloat16 hold exactly.
        only: Classes to train on; responses of others weigh 0. Empty = all.
        shares: Target shares of the loss mass: `task:maths=0.3`, `source:…`, `language:…` or `class:…`.
        mixture: What brings them about: `weight`, or `sample`, a seeded choice of conversations.
        caps: Most conversations per source: `5000` for each, `SOURCE=5000` for one.
        validation: Share of the conversations to hold out, by families, in the folder `validation`.
        pack: Fill rows up to `max_length` with whole rows, the longest first, for formats that say where each ends.
        dry_run: Count and write nothing.
        engine: Who decides and tokenises the shards, see `curate.engine`.
        quiet: No progress.

    Raises:
        CurateError: Wrong options, a folder that is not ours, nothing left to export, or a full disk.
    """
    plan = check(
        workspace,
        out,
        format=format,
        weighting=weighting,
        beta=beta,
        mix=mix,
        fallback=fallback,
        unlabelled=unlabelled,
        contaminated=contaminated,
        tokenizer=tokenizer,
        template=template,
        max_length=max_length,
        truncate=truncate,
        context=context,
        epochs=epochs,
        seed=seed,
        name=name,
        licences=licences,
        emulate_weights=emulate_weights,
        conditions=conditions,
        weights=weights,
        clean=clean,
        keep_flagged=keep_flagged,
        drop_flagged=drop_flagged,
        mask_flagged=mask_flagged,
        solve=solve,
        floor=floor,
        ceiling=ceiling,
        per=per,
        rounding=rounding,
        only=only,
        shares=shares,
        mixture=mixture,
        caps=caps,
        validation=validation,
        pack=pack,
    )
    ws, out, talk = Workspace(workspace, engine=engine), Path(out), Talk(quiet=quiet)
    if not ws.shards("conversations"):
        raise WorkspaceError("the workspace has no conversations", where=ws.path, hint="run `curate ingest` first")
    policy, encoder = settle(ws, plan, talk), plan.encoder
    if not plan.template.conditions(encoder is not None):
        talk.warn(f"`{template}` has no place for the condition: a model cannot tell the classes apart")
    policy = solve_beta(ws, cap(ws, policy), talk)
    policy, report = mix_shares(ws, policy)
    if policy.shape.per == "token":
        # What follows weighs tokens; it counts none but those that it writes.
        policy = replace(policy, tokens=None)
    validation_keys = held_out(ws, policy) if policy.shape.validation else None
    facts = {
        "format": format,
        "version": VERSION,
        "name": name,
        "licences": dict(licences or {}),
        "template": plan.template.label,
        "template_sha256": sha256(plan.template.jinja.encode()).hexdigest(),
        "tokenizer_sha256": encoder.fingerprint if encoder else None,
        "vocabulary_size": encoder.size if encoder else None,
        "max_length": encoder.max_length if encoder else None,
        "truncate": encoder.limit.truncate if encoder else None,
        "context": encoder.limit.context if encoder else None,
        "pack": pack,
        "epochs": epochs,
        "seed": seed,
        "emulate_weights": emulate_weights,
        "policy": policy.options,
    }
    tally = Tally()
    depends = policy.weighting in ("judge", "mixed") or policy.shape.goal
    preview = Preview(policy.beta if depends else None, policy.shape.per, encoder is not None, report)
    preview.validation = 0 if validation_keys is None else len(validation_keys)
    division = Division(format, plan.writer, emulate_weights)
    halfway = Halfway(out.resolve(), encoder) if encoder and not dry_run else None
    rows = _decided(ws, policy, division, encoder, tally, preview, talk, halfway)
    if dry_run:
        for _ in rows:
            pass
        return _result(out, format, policy.note, tally.as_dict(), (), preview=preview)

    with ws.lock(), folders.held(out.resolve()):
        made_of = fingerprint(VERSION, facts, [_shards(ws, table) for table in ("conversations", *policy.tables)])
        # Through a symbolic link, so that the link itself is not replaced.
        folders.restore(out.resolve())
        found = folders.earlier(out.resolve())
        if found and found.get("fingerprint") == made_of:
            talk.say(f"{out} already holds this export; nothing to do")
            _record(ws, out, {**facts, "counts": found["counts"]})
            names = (*found["files"], folders.MANIFEST)
            return _result(out, format, policy.note, found["counts"], names, unchanged=True)
        with folders.whole(out.resolve()) as folder:
            apart = Apart(folder / folders.SPILL / "validation", validation_keys)
            told = (plan.template, encoder, epochs, seed, facts, emulate_weights)
            job = Job(folder, name, apart.train(rows), *told, pack=pack)
            plan.writer.write(job)
            apart.write(plan.writer, job)
            counts = tally.as_dict() | {"drawn": list(job.drawn.values()) if emulate_weights else None}
            if encoder and pack:
                written, tokens = job.packed["rows"], job.packed["tokens"]
                counts["packed"] = {"rows": written, "fill": tokens / (written * encoder.max_length)}
            if not tally.rows:
                if tally.dropped["zero_weight"]:
                    raise CurateError("every weight is zero", where=policy.weights.path, hint="give a class a weight")
                why = ", ".join(f"{number:,} `{reason}`" for reason, number in tally.dropped.most_common())
                raise CurateError("nothing is left to export", where=ws.path, hint=f"conversations dropped: {why}")
            publish.write(folder, ws, facts, counts)
            files = folders.write_manifest(folder, {"fingerprint": made_of, **facts, "counts": counts})
        _record(ws, out, {**facts, "counts": counts})
        if halfway:
            halfway.clear()
    return _result(out, format, policy.note, counts, tuple(files), preview=preview)


def inputs(ws: Workspace) -> str:
    """Changes when an export of this workspace may be out of date."""
    return fingerprint([_shards(ws, table) for table in INPUTS])


def _record(ws: Workspace, out: Path, entry: dict[str, Any]) -> None:
    """Write the export into the workspace's manifest, and where it and all before it went."""
    made_from = inputs(ws)
    earlier = ws.manifest.get("stages", {}).get("export", {}).get("folders")
    known = folders.remembered(earlier, out.resolve(), ws.path.resolve(), made_from)
    ws.record("export", {**entry, "inputs": made_from, "folders": known})


def _decided(
    ws: Workspace,
    policy: Policy,
    division: Division,
    encoder: Encoder | None,
    tally: Tally,
    preview: Preview,
    talk: Talk,
    halfway: Halfway | None,
) -> Iterator[pl.DataFrame]:
    """The rows of each shard, counted as they pass."""
    shards = ws.shards("conversations")
    dropped = []

    def decided(index: int) -> tuple[Mixed, float | None]:
        own = copy(division)
        mixed = own.divide(mix_shard(ws, index, policy))
        if encoder:
            mixed = encoder.encode(mixed, halfway.tokens if halfway else None)
        return mixed, own.seen

    # A tokenizer has threads of its own.
    several = ws.engine.map if encoder or ws.engine.name != "local" else ahead
    with talk.progress("export", len(shards), "shards") as advance:
        for mixed, seen in several(decided, shards):
            division.see(seen)
            tally.add(mixed)
            preview.add(mixed)
            dropped.append(keepers.left_out(mixed.conversations))
            yield mixed.rows
            advance(1)
    if "duplicates" in policy.tables and (count := keepers.without(ws, dropped)):
        talk.warn(
            f"{count:,} conversations are left out as duplicates of ones that are left out, too; run `curate dedup` "
            "again: of copies it keeps one that has none of the flags in `left_out` of keep.toml, and no benchmark item"
        )


def _shards(ws: Workspace, table: str) -> list[Any]:
    """What a table is made of; the size too, because a stage may fill a shard further under one stamp."""
    return [
        (table, index, ws.stamp(table, index).get("fingerprint"), ws.shard(table, index).stat().st_size)
        for index in ws.shards(table)
    ]


def _result(
    out: Path,
    format: str,
    note: str | None,
    counts: dict[str, Any],
    files: tuple[str, ...],
    *,
    unchanged: bool = False,
    preview: Preview | None = None,
) -> ExportResult:
    classes = {name: ClassWeights(**entry) for name, entry in counts["classes"].items()}
    return ExportResult(
        out=out,
        format=format,
        note=note,
        unchanged=unchanged,
        files=files,
        preview=preview.as_dict() if preview else None,
        **{**counts, "classes": classes},
    )
