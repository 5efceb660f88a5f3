"""`curate ingest`: dumps in, conversations out, every other record set aside with its reason."""

from __future__ import annotations

import gc
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.console import Talk
from curate.errors import WorkspaceError
from curate.ingest.plan import Input, plan
from curate.ingest.stream import Position, Record, Reject, read
from curate.ingest.table import Shard
from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

VERSION = 1
PROGRESS_BYTES = 1 << 20


@dataclass
class IngestResult:
    """What an ingest did.

    Attributes:
        files: Files read now.
        known: Files that the workspace had already.
        conversations: Rows added.
        rejects: Records set aside, by reason.
        truncated: What is known of files that are cut off: where, and in which record.
    """

    files: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    conversations: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    truncated: list[str] = field(default_factory=list)


class _Cursor(NamedTuple):
    """Where the next shard begins: number of the file, place in it, records seen in all files."""

    file: int = 0
    offset: int = 0
    row: int = 0
    seen: int = 0


def ingest(
    paths: Iterable[str | Path],
    workspace: str | Path = "curated",
    *,
    source: str | None = None,
    format: str | None = None,
    limit: int | None = None,
    quiet: bool = False,
) -> IngestResult:
    """Read dumps into a workspace; called again, it adds the files that are not there yet.

    Args:
        paths: Files, globs, folders, or `-` for stdin; plain, gzip or zstd.
        workspace: Folder of the workspace; made when it does not exist.
        source: Name of the data set; without it each file's own name.
        format: Name of the input format; without it, detected record by record.
        limit: Read no more than this many records.
        quiet: Say nothing but warnings.

    Raises:
        InputError: Nothing to read, a file that is not JSON or has no record of a known shape, or
            a file that changed since it was ingested. Nothing is written then.
        WorkspaceError: The workspace is locked, newer, or cannot be written.
    """
    talk = Talk(quiet=quiet)
    ws = Workspace(workspace, create=True)
    options = {"source": source, "format": format, "limit": limit}
    runs = _runs(ws)
    earlier = [{**file, "options": run["options"]} for run in runs for file in run["files"]]
    inputs, known = plan([str(path) for path in paths], options, earlier)
    result = IngestResult([item.source.file for item in inputs], known)
    if not inputs:
        talk.say(f"nothing new: the workspace has {'this file' if len(known) == 1 else 'these files'} already")
        return result
    with ws.lock():
        if _runs(ws) != runs:  # stdin may keep us looking for a long time
            what = "another ingest has added to this workspace meanwhile"
            raise WorkspaceError(what, where=ws.path, hint="run the same command again")
        _Run(ws, inputs, runs, options, talk).run(result)
    return result


def _runs(ws: Workspace) -> list[dict[str, Any]]:
    """The ingests that have finished, in order."""
    runs: list[dict[str, Any]] = ws.manifest.get("stages", {}).get("ingest", [])
    return runs


class _Run:
    """One pass over new files: this thread reads, another writes the shards that are full."""

    def __init__(
        self, ws: Workspace, inputs: list[Input], runs: list[dict[str, Any]], options: dict[str, Any], talk: Talk
    ) -> None:
        self.ws = ws
        self.inputs = inputs
        self.runs = runs
        self.options = options
        self.talk = talk
        self.plan = fingerprint(VERSION, [item.source.identity for item in inputs], options)
        self.first = runs[-1]["shards"][1] if runs else 0
        self.pending: Future[None] | None = None
        self.warnings: list[str] = []

    def run(self, result: IngestResult) -> None:
        key = sum(run["conversations"] for run in self.runs)
        index, cursor, key = self.resume(key)
        sizes = [item.source.bytes for item in self.inputs]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        with _no_garbage_collection(), ThreadPoolExecutor(1) as writer, self.talk.progress("ingest", total) as advance:
            shard = Shard(index, key)
            for place, item, record in self.records(cursor, advance) if cursor else ():
                if shard.full:
                    self.close(writer, shard, place)
                    shard = Shard(shard.index + 1, shard.key + len(shard.conversations))
                self.add(shard, item, record)
            if cursor:
                self.close(writer, shard, None)
                index = shard.index + 1
            if self.pending:
                self.pending.result()
        self.finish(index, result)

    def resume(self, key: int) -> tuple[int, _Cursor | None, int]:
        """Number, place and first key of the next shard; no place when all shards are there.

        Shards that an interrupted run over the same files left behind are kept; those of another interrupted
        run are removed, and what was made from them.

        Raises:
            WorkspaceError: Another run had finished, but was killed before it could say so.
        """
        index = self.first
        cursor: _Cursor | None = _Cursor()
        from_pipe = any(item.stream for item in self.inputs)  # it may hold something else this time
        for shard in [number for number in self.ws.shards("conversations") if number >= self.first]:
            stamp = self.ws.stamp("conversations", shard)
            if shard == index and cursor and stamp.get("plan") == self.plan and not from_pipe:
                cursor = _Cursor(*stamp["next"]) if stamp["next"] else None
                key += stamp["conversations"]
                self.warnings += stamp["truncated"]
                index += 1
            elif not stamp.get("next"):
                raise WorkspaceError(
                    "another ingest has written all its conversations, but was killed before it could record them",
                    where=self.ws.shard("conversations", shard),
                    hint="run that ingest again with the same files and options, or use a new workspace",
                )
            else:
                self.talk.warn(f"removed shard {shard}, left behind by another ingest that was interrupted")
                for table in TABLES:
                    self.ws.shard(table, shard).unlink(missing_ok=True)
        if index > self.first:
            self.talk.say(f"resumed after {index - self.first} finished shards")
        return index, cursor, key

    def records(
        self, cursor: _Cursor, advance: Callable[[float], None]
    ) -> Iterator[tuple[_Cursor, Input, Record | Reject]]:
        """Every record from the cursor on, with the place before it."""
        limit = self.options["limit"]
        seen = cursor.seen
        for number, item in enumerate(self.inputs):
            if number < cursor.file:
                advance(item.source.bytes or 0)
                continue
            offset, row = (cursor.offset, cursor.row) if number == cursor.file else (0, 0)
            told = done = 0
            with item.open(offset) as stream:
                for record in read(stream, Position(offset, row, item.mode), item.recognises):
                    if limit is not None and seen >= limit:
                        return
                    yield _Cursor(number, offset, row, seen), item, record
                    offset, row, seen = record.end, record.row + 1, seen + 1
                    if offset - told > PROGRESS_BYTES:
                        told = offset
                        advance(stream.tell() - done)
                        done = stream.tell()

    def add(self, shard: Shard, item: Input, record: Record | Reject) -> None:
        file = item.source.file
        if isinstance(record, Record):
            outcome = item.convert(record)
            if not isinstance(outcome, Reject):
                shard.add(outcome, self.options["source"] or item.source.name, file, record)
                return
            record = outcome
        if record.reason == "truncated":
            shard.truncated.append(f"`{file}` is cut off in record {record.row:,}: {record.detail}")
        shard.reject(file, record)

    def close(self, writer: ThreadPoolExecutor, shard: Shard, following: _Cursor | None) -> None:
        """Have a full shard compressed and written while the next one is read; never more than one waits."""
        self.warnings += shard.truncated
        conversations, rejects, content = shard.tables()
        stamp = {
            "fingerprint": content,
            "plan": self.plan,
            "next": following,
            "conversations": len(shard.conversations),
            "rejects": shard.counts,
            "truncated": shard.truncated,
        }
        if self.pending:
            self.pending.result()
        self.pending = writer.submit(self.write, shard.index, conversations, rejects, stamp)

    def write(self, index: int, conversations: pa.Table, rejects: pa.Table, stamp: dict[str, Any]) -> None:
        self.ws.write("rejects", index, rejects, {"fingerprint": fingerprint(self.plan, index)})
        self.ws.write("conversations", index, conversations, stamp)

    def finish(self, stop: int, result: IngestResult) -> None:
        stamps = [self.ws.stamp("conversations", index) for index in range(self.first, stop)]
        rejects: Counter[str] = Counter()
        for stamp in stamps:
            rejects.update(stamp["rejects"])
        result.conversations = sum(stamp["conversations"] for stamp in stamps)
        result.rejects = dict(sorted(rejects.items()))
        result.truncated = self.warnings
        entry = {
            "plan": self.plan,
            "options": self.options,
            "files": [
                {"file": item.source.file, "identity": item.source.identity}
                for item in self.inputs
            ],
            "shards": [self.first, stop],
            "conversations": result.conversations,
            "rejects": result.rejects,
            "truncated": result.truncated,
        }
        self.ws.record("ingest", [*self.runs, entry])
        for line in result.truncated:
            self.talk.warn(line)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Millions of parsed objects and no cycle among them: the cycle collector would only walk them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
