"""One pass over new files: this thread reads and converts, another writes the shards that are full."""

from __future__ import annotations

import gc
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.errors import WorkspaceError
from curate.ingest.groups import convert, groups
from curate.ingest.regroup import regrouped, scattered
from curate.ingest.stream import Position
from curate.ingest.table import Shard
from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from curate.console import Talk
    from curate.ingest.inputs import Input
    from curate.ingest.plan import Plan
    from curate.ingest.window import Record, Reject

VERSION = 2

Group = list["Record | Reject"]


class Cursor(NamedTuple):
    """Where the next shard begins: number of the file, place in it, records seen in all files."""

    file: int = 0
    offset: int = 0
    row: int = 0
    seen: int = 0


class Run:
    """An ingest of new files into a workspace that this process has locked.

    Attributes:
        first: Number of the first shard of this run.
        apart: Numbers of the files whose groups lie apart, so that they are read in another order.
    """

    def __init__(
        self, ws: Workspace, plan: Plan, runs: list[dict[str, Any]], options: dict[str, Any], talk: Talk
    ) -> None:
        self.ws = ws
        self.inputs = plan.inputs
        self.prompts = plan.prompts
        self.skipped = plan.skipped
        self.runs = runs
        self.options = options
        self.talk = talk
        self.first = runs[-1]["shards"][1] if runs else 0
        self.apart: list[int] = []
        self.pending: Future[None] | None = None

    @property
    def plan(self) -> str:
        """Changes with whatever decides what the shards hold."""
        identities = [item.source.identity for item in self.inputs]
        return fingerprint(VERSION, identities, self.options, self.prompts, self.apart)

    def run(self) -> dict[str, Any]:
        """Read everything; the entry for the manifest is what comes back."""
        key = sum(run["conversations"] for run in self.runs)
        stop = self.read(key)
        joins = self.options["fragments"] == "join"
        if not self.apart and (apart := scattered(self.ws, range(self.first, stop), self.inputs, joins=joins)):
            self.talk.say("pieces of one conversation lie far apart: reading again to bring them together")
            self.remove(range(self.first, stop))
            self.apart = apart
            stop = self.read(key)
        return self.finish(stop)

    def read(self, key: int) -> int:
        """Write all shards that are not there yet; returns the number behind the last."""
        index, cursor, key = self.resume(key)
        sizes = [item.source.bytes for item in self.inputs]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        with _no_garbage_collection(), ThreadPoolExecutor(1) as writer, self.talk.progress("ingest", total) as advance:
            shard = Shard(index, key)
            for place, item, group in self.groups(cursor, advance) if cursor else ():
                if shard.full:
                    self.close(writer, shard, place)
                    shard = Shard(shard.index + 1, shard.key + len(shard.conversations))
                source = self.options["source"] or item.source.name
                shard.take(convert(group, item), len(group), source, item.source.file)
            if cursor:
                self.close(writer, shard, None)
                index = shard.index + 1
            if self.pending:
                self.pending.result()
                self.pending = None
        return index

    def resume(self, key: int) -> tuple[int, Cursor | None, int]:
        """Number, place and first key of the next shard; no place when all shards are there.

        Shards that an interrupted run over the same files left behind are kept; those of another interrupted
        run are removed, and what was made from them.

        Raises:
            WorkspaceError: Another run had finished, but was killed before it could say so.
        """
        index = self.first
        cursor: Cursor | None = Cursor()
        left = [number for number in self.ws.shards("conversations") if number >= self.first]
        if left and not self.apart:
            stamp = self.ws.stamp("conversations", left[0])
            self.apart = stamp.get("apart") or []
            self.apart = self.apart if stamp.get("plan") == self.plan else []
        from_pipe = any(item.stream for item in self.inputs)  # it may hold something else this time
        for shard in left:
            stamp = self.ws.stamp("conversations", shard)
            if shard == index and cursor and stamp.get("plan") == self.plan and not from_pipe:
                cursor = Cursor(*stamp["next"]) if stamp["next"] else None
                key += stamp["conversations"]
                index += 1
            elif not stamp.get("next"):
                raise WorkspaceError(
                    "another ingest has written all its conversations, but was killed before it could record them",
                    where=self.ws.shard("conversations", shard),
                    hint="run that ingest again with the same files and options, or use a new workspace",
                )
            else:
                self.talk.warn(f"removed shard {shard}, left behind by another ingest that was interrupted")
                self.remove([shard])
        if index > self.first:
            self.talk.say(f"resumed after {index - self.first} finished shards")
        return index, cursor, key

    def remove(self, shards: range | list[int]) -> None:
        """Take shards out of every table, the last first, so that what stays is always the beginning."""
        for shard in reversed(shards):
            for table in TABLES:
                self.ws.shard(table, shard).unlink(missing_ok=True)

    def groups(self, cursor: Cursor, advance: Callable[[float], None]) -> Iterator[tuple[Cursor, Input, Group]]:
        """Every group of records from the cursor on, with the place before it."""
        limit = self.options["limit"]
        seen = cursor.seen
        for number, item in enumerate(self.inputs):
            if number < cursor.file:
                advance(item.source.bytes or 0)
                continue
            offset, row = (cursor.offset, cursor.row) if number == cursor.file else (0, 0)
            if number in self.apart:
                for order, group in regrouped(item, offset):
                    if limit is not None and seen >= limit:
                        return
                    group = group if limit is None else group[: limit - seen]
                    yield Cursor(number, order, 0, seen), item, group
                    seen += len(group)
                continue
            records = item.records(Position(offset, row, item.mode), advance)
            if limit is not None:
                records = _at_most(records, limit - seen)
            for group in groups(records, item):
                yield Cursor(number, offset, row, seen), item, group
                last = group[-1]
                offset, row, seen = last.end, last.row + 1, seen + len(group)

    def close(self, writer: ThreadPoolExecutor, shard: Shard, following: Cursor | None) -> None:
        """Have a full shard compressed and written while the next one is read; never more than one waits."""
        if self.pending:
            self.pending.result()
        self.pending = writer.submit(self.write, shard, following)

    def write(self, shard: Shard, following: Cursor | None) -> None:
        """One shard of both tables."""
        conversations, rejects, content = shard.tables()
        stamp = {
            **shard.counted(),
            "fingerprint": content,
            "plan": self.plan,
            "apart": self.apart,
            "next": following,
        }
        self.ws.write("rejects", shard.index, rejects, {"fingerprint": fingerprint(self.plan, shard.index)})
        self.ws.write("conversations", shard.index, conversations, stamp)

    def finish(self, stop: int) -> dict[str, Any]:
        """Record the run in the manifest."""
        stamps = [self.ws.stamp("conversations", index) for index in range(self.first, stop)]
        totals = {name: sum(stamp[name] for stamp in stamps) for name in ("records", "conversations", "split")}
        by_name: dict[str, Counter[str]] = {"rejects": Counter(), "fragments": Counter(), "edits": Counter()}
        for stamp in stamps:
            for name, counter in by_name.items():
                counter.update(stamp[name])
        entry = {
            "plan": self.plan,
            "options": self.options,
            "files": [
                {"file": item.source.file, "identity": item.source.identity, "format": item.format}
                for item in self.inputs
            ],
            "prompts": self.prompts,
            "skipped": self.skipped,
            "shards": [self.first, stop],
            **totals,
            "joined": sum(stamp["joined"] for stamp in stamps),
            **{name: dict(sorted(counter.items())) for name, counter in by_name.items()},
            "truncated": [line for stamp in stamps for line in stamp["truncated"]],
        }
        self.ws.record("ingest", [*self.runs, entry])
        return entry


def _at_most(records: Iterator[Record | Reject], count: int) -> Iterator[Record | Reject]:
    """The first records, without a look at the one behind them."""
    while count > 0 and (record := next(records, None)):
        yield record
        count -= 1


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
