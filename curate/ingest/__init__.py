"""`curate ingest`: dumps in, conversations out, every other record set aside with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.console import Talk
from curate.errors import CurateError, WorkspaceError, did_you_mean
from curate.ingest import many as many_files
from curate.ingest.plan import plan
from curate.ingest.run import Run
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

# Our names for what `columns` may find.
COLUMNS = ("user", "assistant", "system", "model", "id", "created_at", "language", "task", "messages")


@dataclass
class IngestResult:
    """What an ingest did; records + split = conversations + rejects + joined.

    Attributes:
        files: Files read now.
        formats: The format of each one's first records.
        known: Files that the workspace had already.
        prompts: Files with prompts whose answers lie in others, and how many they have.
        skipped: Files of folders and globs that hold nothing for us, and why.
        records: Records read.
        conversations: Rows added.
        split: Conversations and rejects above one for each record.
        joined: Records whose turns were joined to another's.
        fragments: How many records were `joined` as fragments, how many of these repeated the turns before them
            (`overlapping`), and how many begin with an answer whose question is nowhere (`orphaned`).
        edits: Conversations by what was normalised in them.
        rejects: Records set aside, by reason.
        truncated: What is known of files that are cut off: where, and in which record.
    """

    files: list[str] = field(default_factory=list)
    formats: dict[str, str | None] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)
    prompts: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    records: int = 0
    conversations: int = 0
    split: int = 0
    joined: int = 0
    fragments: dict[str, int] = field(default_factory=dict)
    edits: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    truncated: list[str] = field(default_factory=list)


def ingest(
    paths: Iterable[str | Path],
    workspace: str | Path = "curated",
    *,
    source: str | None = None,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    prompts: Sequence[str | Path] = (),
    branches: str = "current",
    fragments: str = "join",
    limit: int | None = None,
    engine: str = "local",
    quiet: bool = False,
) -> IngestResult:
    """Read dumps into a workspace; called again, it adds the files that are not there yet.

    Args:
        paths: Files, globs, folders, or `-` for stdin; JSON, JSON Lines, Parquet, CSV, TSV and share pages, text also
            with gzip or zstd, and all of it in a .zip.
        workspace: Folder of the workspace; made when it does not exist.
        source: Name of the data set; without it each file's own name.
        format: Name of the input format; without it, detected record by record.
        columns: Which column holds what, for tables of any kind: our names (`COLUMNS`) to theirs.
        prompts: Files with the prompts of answers that come without, such as FastChat's `question.jsonl` or the input
            of an OpenAI batch; they may stand among `paths` as well, and `question.jsonl` is also found by itself.
        branches: Of a conversation that branches, the `current` one or `all`, each as a conversation of its own.
        fragments: `join` conversations that a dump has in pieces (`X_0`, `X_5`, …), or `keep` the pieces.
        limit: Read no more than this many records.
        engine: Who reads, see `curate.engine`; one file, a pipe, or so many records are read here in any case.
        quiet: Say nothing but warnings.

    Raises:
        CurateError: An option that cannot be.
        InputError: Nothing to read, a file that has no record of a known shape, or a file that changed since it was
            ingested. Nothing is written then.
        WorkspaceError: The workspace is locked, newer, or cannot be written.
    """
    options = {
        "source": source,
        "format": _format(format, columns),
        "columns": dict(columns) if columns else None,
        "prompts": [str(path) for path in prompts],
        "branches": branches,
        "fragments": fragments,
        "limit": limit,
    }
    _check(options)
    talk = Talk(quiet=quiet)
    ws = Workspace(workspace, create=True, engine=engine)
    runs = _runs(ws)
    earlier = [{**file, "options": run["options"]} for run in runs for file in run["files"]]
    found = plan([str(path) for path in paths], options, earlier)
    for why in dict.fromkeys(found.skipped.values()):
        left = [file for file, reason in found.skipped.items() if reason == why]
        more = f" and {len(left) - 3} more, all named in the manifest" if len(left) > 3 else ""
        talk.warn(f"left out {', '.join(f'`{file}`' for file in left[:3])}{more}: {why}")
    result = IngestResult(
        files=[item.source.file for item in found.inputs],
        formats={item.source.file: item.format for item in found.inputs},
        known=found.known,
        prompts={file: entry["prompts"] for file, entry in found.prompts.items()},
        skipped=found.skipped,
    )
    if not found.inputs:
        many = "this file" if len(found.known) == 1 else "these files"
        talk.say(f"nothing new: the workspace has {many} already")
        return result
    with ws.lock():
        if _runs(ws) != runs:  # stdin may keep us looking for a long time
            what = "another ingest has added to this workspace meanwhile"
            raise WorkspaceError(what, where=ws.path, hint="run the same command again")
        if ws.engine.name != "local" and many_files.suits(found, options):
            entry = many_files.ingest(ws, found, runs, options, talk)
        else:
            entry = Run(ws, found, runs, options, talk).run()
    for name in ("records", "conversations", "split", "joined", "fragments", "edits", "rejects", "truncated"):
        setattr(result, name, entry[name])
    for line in result.truncated:
        talk.warn(line)
    return result


def _format(format: str | None, columns: Mapping[str, str] | None) -> str | None:
    return "columns" if columns and format is None else format


def _check(options: dict[str, Any]) -> None:
    for name, choices in (("branches", ("current", "all")), ("fragments", ("join", "keep"))):
        if options[name] not in choices:
            raise CurateError(f"`{name}` is `{options[name]}`", hint=did_you_mean(options[name], choices))
    columns = options["columns"]
    if columns is None:
        return
    if options["format"] != "columns":
        raise CurateError("`columns` goes with the format `columns` only", hint="leave --format out")
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise CurateError(f"`columns` names `{unknown[0]}`", hint=did_you_mean(unknown[0], COLUMNS))


def _runs(ws: Workspace) -> list[dict[str, Any]]:
    """The ingests that have finished, in order."""
    runs: list[dict[str, Any]] = ws.manifest.get("stages", {}).get("ingest", [])
    return runs
