"""One pass over new files: this process reads and parts their records, others beside it make the shards of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from curate.engine.processes import Processes, processes
from curate.errors import WorkspaceError
from curate.ingest import table
from curate.ingest.groups import groups, size_of
from curate.ingest.pieces import Cursor, Maker, Piece, Reached, no_garbage_collection, packed
from curate.ingest.regroup import regrouped, scattered
from curate.ingest.stream import Position
from curate.schema import TABLES
from curate.workspace import INGESTED, Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from curate.console import Talk
    from curate.ingest.plan import Plan
    from curate.ingest.window import Record, Reject

VERSION = 3
# Bytes of a dump for one of Parquet in what a worker is worth: packed they are a fourth, and they take half the time.
WORTH = 8

Group = list["Record | Reject"]


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
        reached, cursor = self.resume(Reached(self.first, key))
        sizes = [item.source.bytes for item in self.inputs]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        if cursor:
            make = Maker(self.ws, self.inputs, self.options["source"], {"plan": self.plan, "apart": self.apart})
            workers = Processes(processes(None if total is None else total // WORTH))
            with no_garbage_collection(), self.talk.progress("ingest", total) as advance:
                pieces = self.pieces(cursor, advance, pack=workers.count > 1)
                for made in workers.chain(make, pieces, reached):
                    reached += made
        return reached.shard

    def resume(self, reached: Reached) -> tuple[Reached, Cursor | None]:
        """What the next shard begins with, and where it is read from; nowhere when all shards are there.

        Shards that an interrupted run over the same files left behind are kept, as far as none is missing before
        them and all of their piece are there; those of another interrupted run are removed, and what was made from
        them.

        Raises:
            WorkspaceError: Another run had finished, but was killed before it could say so.
        """
        cursor: Cursor | None = Cursor()
        left = [number for number in self.ws.shards("conversations") if number >= self.first]
        stamps = [self.ws.stamp("conversations", number) for number in left]
        if left and not self.apart:
            self.apart = stamps[0].get("apart") or []
            self.apart = self.apart if stamps[0].get("plan") == self.plan else []
        from_pipe = any(item.stream for item in self.inputs)  # it may hold something else this time
        is_ours = [stamp.get("plan") == self.plan and not from_pipe for stamp in stamps]
        within = reached
        for number, stamp, ours in zip(left, stamps, is_ours, strict=True):
            if not (ours and number == within.shard):
                break
            within += Reached(1, stamp["conversations"])
            if stamp["ends"]:
                reached, cursor = within, Cursor(*stamp["next"]) if stamp["next"] else None
        strange = [number for number, ours in zip(left, is_ours, strict=True) if not ours]
        if strange and not stamps[-1].get("next") and left == list(range(self.first, left[-1] + 1)):
            raise WorkspaceError(
                "another ingest has written all its conversations, but was killed before it could record them",
                where=self.ws.shard("conversations", left[-1]),
                hint="run that ingest again with the same files and options, or use a new workspace",
            )
        for number in strange:
            self.talk.warn(f"removed shard {number}, left behind by another ingest that was interrupted")
        self.remove([number for number in left if number >= reached.shard])
        if reached.shard > self.first:
            self.talk.say(f"resumed after {reached.shard - self.first} finished shards")
        return reached, cursor

    def remove(self, shards: range | list[int]) -> None:
        """Take shards out of every table, the last first, so that what stays is always the beginning."""
        for shard in reversed(shards):
            for name in TABLES:
                self.ws.shard(name, shard).unlink(missing_ok=True)

    def pieces(self, cursor: Cursor, advance: Callable[[float], None], *, pack: bool) -> Iterator[Piece]:
        """All records from the cursor on, parted by their number and size alone; the last piece may be empty."""
        piece, size, records = Piece(cursor, []), 0, 0
        for place, group in self.groups(cursor, advance):
            if size >= table.SHARD_BYTES or records >= table.SHARD_ROWS:
                piece.following = place
                yield piece
                piece, size, records = Piece(place, []), 0, 0
            piece.groups.append((place.file, list(map(packed, group) if pack else group)))
            size += sum(map(size_of, group))
            records += len(group)
        yield piece

    def groups(self, cursor: Cursor, advance: Callable[[float], None]) -> Iterator[tuple[Cursor, Group]]:
        """Every group of records from the cursor on, with the place before it."""
        limit = self.options["limit"]
        seen = cursor.seen
        for number, item in enumerate(self.inputs):
            if number < cursor.file:
                advance(item.source.bytes or 0)
                continue
            offset, row = (cursor.offset, cursor.row) if number == cursor.file else (0, 0)
            if number in self.apart:
                for order, group in regrouped(item, offset, self.ws.path):
                    if limit is not None and seen >= limit:
                        return
                    group = group if limit is None else group[: limit - seen]
                    yield Cursor(number, order, 0, seen), group
                    seen += len(group)
                continue
            records = item.records(Position(offset, row, item.mode), advance)
            if limit is not None:
                records = _at_most(records, limit - seen)
            for group in groups(records, item):
                yield Cursor(number, offset, row, seen), group
                last = group[-1]
                offset, row, seen = last.end, last.row + 1, seen + len(group)

    def finish(self, stop: int) -> dict[str, Any]:
        """Record the run in the manifest."""
        for name in INGESTED:
            self.ws.sweep(name)
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
