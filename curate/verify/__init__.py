"""Verify: what loaders and OpenChat's sampler will do with training shards, ours or not, before a GPU is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curate.console import Talk
from curate.errors import CurateError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from curate.verify.context import Context, Limits
    from curate.verify.files import Shards
    from curate.verify.findings import Finding, Findings
    from curate.verify.sampler import Replay

__all__ = ["Report", "Set", "verify"]

FAIL_ON = ("error", "warning", "never")


@dataclass(frozen=True)
class Set:
    """Shards that a loader reads together; of OpenChat's, one epoch.

    Attributes:
        path: Their folder, or the file, relative to the path that was given.
        layout: text, tokens or openchat; of JSON lines the target, `chat-jsonl` where it is not known.
        files: How many.
        rows: Rows or lines in them.
        trained_rows: Rows with anything to learn.
        tokens: Token ids; None = text.
        supervised_tokens: Token ids that are learned; None = text.
        weight_sum: Sum of the weights: of tokens, of messages where it is text, of lines where those have them.
        conditioned: Rows with a condition; None = the layout does not say.
    """

    path: str
    layout: str
    files: int
    rows: int
    trained_rows: int
    tokens: int | None
    supervised_tokens: int | None
    weight_sum: float
    conditioned: int | None


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        passed: Whether nothing was found that `fail_on` counts.
        fail_on: error, warning or never.
        errors: Findings of that severity.
        warnings: Findings of that severity.
        notes: Findings of that severity.
        checksums: Whether there was a manifest to compare the files with.
        sets: What was looked at.
        replays: What OpenChat's sampler does with each epoch.
        findings: Errors first.
    """

    passed: bool
    fail_on: str
    errors: int
    warnings: int
    notes: int
    checksums: bool
    sets: tuple[Set, ...]
    replays: tuple[Replay, ...]
    findings: tuple[Finding, ...]


def verify(
    paths: str | Path | Sequence[str | Path],
    *,
    batch_max_length: int | None = None,
    world_size: int = 1,
    max_length: int | None = None,
    max_lost: float = 0.05,
    tokenizer: str | None = None,
    template: str = "openchat_v3.2_mistral",
    target: str | None = None,
    fail_on: str = "warning",
    ignore: Sequence[str] = (),
    quiet: bool = False,
) -> Report:
    """Look at training shards as a loader would, and replay OpenChat's sampler over its own layout.

    Rows are read in batches; per row only its length and the hash of its id are kept.

    Args:
        paths: Files, folders or globs: Parquet of `crlft` text, tokenised, or OpenChat's layout; JSON lines.
        batch_max_length: Tokens per rank and batch, a multiple of 64; None = OpenChat's 81,920.
        world_size: Ranks.
        max_length: Tokens a row may have; None = what the shards say of themselves.
        max_lost: Share of the tokens that the sampler may leave unused before it is a warning.
        tokenizer: Folder with `tokenizer.json` or `tokenizer.model`: BOS, end of turn and the range of ids are
            compared with it instead of with what most rows have.
        template: OpenChat model type, for the end of turn of `tokenizer`.
        target: Export format that JSON lines are meant for; None = as their manifest says, else as they look.
        fail_on: error, warning or never.
        ignore: Codes of findings to leave out.
        quiet: No progress.

    Raises:
        CurateError: Wrong options, or a path that does not exist.
    """
    from curate.verify import epochs, files, sampler, targets
    from curate.verify.findings import CODES, Findings

    for name, number in (
        ("world_size", world_size),
        ("batch_max_length", batch_max_length),
        ("max_length", max_length),
    ):
        if number is not None and number < 1:
            raise CurateError(f"`{name}` is {number}, it must be above 0")
    batch = sampler.DEFAULT_BATCH if batch_max_length is None else batch_max_length
    if batch % sampler.PAD_MULTIPLE:
        near = max(1, round(batch / sampler.PAD_MULTIPLE)) * sampler.PAD_MULTIPLE
        what = f"`batch_max_length` is {batch}, OpenChat's trainer takes multiples of {sampler.PAD_MULTIPLE}"
        raise CurateError(what, hint=f"--batch-max-length {near}")
    if not 0 <= max_lost <= 1:
        raise CurateError(f"`max_lost` is {max_lost:g}, it must be 0 to 1")
    if fail_on not in FAIL_ON:
        raise CurateError(f"unknown severity `{fail_on}`", hint=did_you_mean(fail_on, FAIL_ON))
    if target is not None and target not in targets.KNOWN:
        raise CurateError(f"unknown target `{target}`", hint=did_you_mean(target, targets.KNOWN))
    for code in ignore:
        if code not in CODES:
            raise CurateError(f"unknown finding `{code}`", hint=did_you_mean(code, CODES))
    limits = _limits(max_length, tokenizer, template)
    findings, talk = Findings(), Talk(quiet=quiet)
    sets: list[Set] = []
    replays: list[Replay] = []
    checksums = False
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if not given:
        raise CurateError("there is no path to look at", hint="curate verify shards")
    for shards in [files.find(str(path)) for path in given]:
        with talk.progress("checksums", len(shards.files), "files") as advance:
            checksums |= files.compare(shards, findings, advance)
        for layout, group in _groups(shards, findings):
            context = _examine(shards, layout, group, findings, limits, sets)
            if layout == "openchat" and context.lengths:
                replays.append(_replay(sets[-1].path, context, batch, world_size, max_lost))
            elif layout != "openchat" and world_size > 1 and len(group) % world_size:
                what = f"{len(group)} shards, {world_size} ranks"
                findings.add("shards_per_rank", sets[-1].path, detail=what)
        sets += _lines(shards, findings, target)
        if not shards.files and not shards.others:
            findings.add("no_rows", str(shards.root), detail="the folder is empty")
        elif not shards.files and not shards.lines:
            findings.add("no_rows", str(shards.root), detail="there is no file of Parquet or JSON lines")
        epochs.check(shards, findings)
    kept = [finding for finding in findings.sorted() if finding.code not in ignore]
    counts = {severity: sum(f.severity == severity for f in kept) for severity in ("error", "warning", "note")}
    failing = {"error": counts["error"], "warning": counts["error"] + counts["warning"], "never": 0}[fail_on]
    return Report(
        passed=not failing,
        fail_on=fail_on,
        errors=counts["error"],
        warnings=counts["warning"],
        notes=counts["note"],
        checksums=checksums,
        sets=tuple(sets),
        replays=tuple(replays),
        findings=tuple(kept),
    )


def _limits(max_length: int | None, tokenizer: str | None, template: str) -> Limits:
    from curate.verify.context import Limits

    if tokenizer is None:
        return Limits(max_length)
    from curate.export import chat
    from curate.export.tokenise import Limit, load

    encoder = load(tokenizer, chat.choose(template, tokenizer), Limit(1))
    eot, bos = encoder.framing.end(), encoder.framing.bos()
    return Limits(max_length, encoder.size, bos[0] if len(bos) == 1 else None, eot[-1] if eot else None)


def _groups(shards: Shards, findings: Findings) -> list[tuple[str, dict[Path, pa.Schema]]]:
    """Shards that are read together: of one folder and layout; each epoch of OpenChat's for itself."""
    from curate.verify import files, layouts

    groups: dict[tuple[str, Path], dict[Path, pa.Schema]] = {}
    folders: dict[Path, list[Path]] = {}
    for path in shards.files:
        folders.setdefault(path.parent, []).append(path)
        try:
            schema = layouts.schema_of(path)
        except layouts.DAMAGE as error:
            findings.add("unreadable", shards.name(path), detail=str(error).split("\n")[0])
            continue
        layout = layouts.layout(schema)
        if layout is None:
            names = ", ".join(schema.names[:8])
            findings.add("unknown_layout", shards.name(path), detail=f"columns: {names}" if names else "no columns")
            continue
        alone = layout == "openchat" and path.parent.suffix != ".parquet"
        groups.setdefault((layout, path if alone else path.parent), {})[path] = schema
    for folder, members in folders.items():
        files.check_names(shards, folder, members, findings)
    return [(layout, members) for (layout, _), members in groups.items()]


def _examine(
    shards: Shards, layout: str, group: dict[Path, pa.Schema], findings: Findings, limits: Limits, sets: list[Set]
) -> Context:
    from curate.verify.layouts import examine

    first = next(iter(group))
    context = examine(shards, layout, group, findings, limits)
    is_text = layout == "text"
    place = first if len(group) == 1 and first.parent.suffix != ".parquet" else first.parent
    sets.append(
        Set(
            path=shards.name(place),
            layout=layout,
            files=len(group),
            rows=context.rows,
            trained_rows=context.trained_rows,
            tokens=None if is_text else context.tokens,
            supervised_tokens=None if is_text else context.supervised,
            weight_sum=context.weight_sum,
            conditioned=context.conditioned if context.has_condition else None,
        )
    )
    return context


def _lines(shards: Shards, findings: Findings, target: str | None) -> list[Set]:
    """Files of JSON lines, each for itself."""
    from curate.verify import files, jsonl, targets

    if target is None and (found := files.manifest(shards)) and found[1].get("format") in targets.KNOWN:
        target = found[1]["format"]
    sets = []
    for path in shards.lines:
        name = shards.name(path)
        seen = jsonl.examine(path, name, findings, targets.named(target) if target else None)
        if seen and seen.target:
            counts = seen.rows, seen.trained_rows, None, None, seen.weight_sum, seen.conditioned
            sets.append(Set(name, seen.target.name, 1, *counts))
    return sets


def _replay(file: str, context: Context, batch: int, world_size: int, max_lost: float) -> Replay:
    import numpy as np

    from curate.verify.sampler import replay

    found = replay(file, np.concatenate(context.lengths).astype(np.int64), batch, world_size)
    findings = context.findings
    setting = f"batch length {batch:,}, {world_size} rank{'s' if world_size > 1 else ''}"
    lost = f"{found.rows_lost:,} rows, {found.lost:.1%} of the tokens"
    if found.stopped_by is not None and world_size > 1:
        findings.add("sampler_stops", file, row=found.stopped_by, detail=f"{lost} are never used at {setting}")
    elif not found.batches:
        findings.add("no_batch", file, detail=f"{found.tokens_lost:,} tokens, {batch * world_size:,} fill one")
    elif found.rows_lost:
        code = "tail_lost" if found.lost > max_lost else "tail"
        findings.add(code, file, count=found.rows_lost, detail=f"{lost} at {setting}")
    long = int((np.concatenate(context.lengths) > batch).sum())
    if long and world_size == 1:
        findings.add("too_long", file, count=long, detail=f"above the batch length {batch:,}: a batch of its own")
    return found
