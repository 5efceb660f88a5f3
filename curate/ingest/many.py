"""Many files at once: each worker of a cluster ingests some into a small workspace, then their shards are numbered.

The rows are those of `run.Run`, in the same order and with the same keys. Shards end where the files of a worker
do, so there are a few more of them. A file is never parted: as many workers help as there are files.
"""

from __future__ import annotations

import shutil
from contextlib import chdir
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.console import Talk
from curate.ingest.pieces import Cursor, Reached
from curate.ingest.plan import Plan
from curate.ingest.run import Run
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.ingest.inputs import Input

FOLDER = ".ingest"
# Packed bytes of files that one worker reads in a go; small files share a shard.
TASK_BYTES = 64 << 20


class Made(NamedTuple):
    """What a worker made of some files: its workspace, the stamps of the shards, and which files lay apart."""

    path: Path
    stamps: list[dict[str, Any]]
    apart: list[int]


class Move(NamedTuple):
    """A shard that gets its number and its keys: where it is, its stamp, its number and its first key."""

    path: Path
    old: int
    new: int
    key: int
    stamp: dict[str, Any]


def suits(plan: Plan, options: dict[str, Any]) -> bool:
    """Whether there is something to share out: several files, all of them, and no pipe."""
    several = len(bundles(plan.inputs)) > 1
    return several and options["limit"] is None and not any(item.stream for item in plan.inputs)


def bundles(inputs: list[Input]) -> list[range]:
    """Numbers of neighbouring files that one worker reads."""
    found, size = [range(0)], 0
    for number, item in enumerate(inputs):
        if size and size + (item.source.bytes or 0) > TASK_BYTES:
            found.append(range(number, number))
            size = 0
        found[-1] = range(found[-1].start, number + 1)
        size += item.source.bytes or 0
    return found


def ingest(
    ws: Workspace, plan: Plan, runs: list[dict[str, Any]], options: dict[str, Any], talk: Talk
) -> dict[str, Any]:
    """As of `Run.run`, by the engine of the workspace, which is locked."""
    spill = ws.path.resolve() / FOLDER
    shutil.rmtree(spill, ignore_errors=True)
    whole = Run(ws, plan, runs, options, talk)
    first_key = sum(run["conversations"] for run in runs)
    reached, cursor = whole.resume(Reached(whole.first, first_key))
    if cursor is None:
        return whole.finish(reached.shard)
    whole.remove(range(whole.first, reached.shard))
    some, folder = bundles(plan.inputs), Path.cwd()
    sizes = [sum(plan.inputs[number].source.bytes or 0 for number in files) for files in some]

    def read(place: int) -> Made:
        # Paths are as the user gave them.
        with chdir(folder):
            own = Workspace(spill / f"{place:05}-{uuid4().hex}", create=True)
            part = Run(own, Plan([plan.inputs[number] for number in some[place]]), [], options, Talk(quiet=True))
            part.run()
        return Made(own.path, [own.stamp("conversations", index) for index in own.shards("conversations")], part.apart)

    try:
        made = []
        with talk.progress("ingest", sum(sizes)) as advance:
            for place, found in enumerate(ws.engine.map(read, range(len(some)))):
                made.append(found)
                advance(sizes[place])
        whole.apart = [some[place].start + number for place, one in enumerate(made) for number in one.apart]
        moves = _moves(whole, made, [files.stop for files in some], first_key)
        for _ in ws.engine.map(_mover(ws), moves):
            pass
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    return whole.finish(whole.first + len(moves))


def _moves(whole: Run, made: list[Made], stops: list[int], key: int) -> list[Move]:
    """Every shard with its number, first key and stamp.

    Args:
        whole: The ingest.
        made: What came of each bundle of files.
        stops: Number of the file behind each bundle.
        key: Of the first conversation.
    """
    moves: list[Move] = []
    first = seen = 0
    for place, (one, stop) in enumerate(zip(made, stops, strict=True)):
        keys = accumulate((stamp["conversations"] for stamp in one.stamps), initial=key)
        for old, (stamp, own_key) in enumerate(zip(one.stamps, keys, strict=False)):
            following: Cursor | None = Cursor(*stamp["next"]) if stamp["next"] else None
            if following:
                following = following._replace(file=following.file + first, seen=following.seen + seen)
            elif place + 1 < len(made):
                following = Cursor(stop, 0, 0, seen + sum(each["records"] for each in one.stamps))
            own = {"fingerprint": fingerprint(stamp["fingerprint"], own_key), "plan": whole.plan, "apart": whole.apart}
            moves.append(Move(one.path, old, whole.first + len(moves), own_key, {**stamp, **own, "next": following}))
        key += sum(stamp["conversations"] for stamp in one.stamps)
        seen += sum(stamp["records"] for stamp in one.stamps)
        first = stop
    return moves


def _mover(ws: Workspace) -> Callable[[Move], None]:
    def move(one: Move) -> None:
        rejects, conversations = (
            pq.read_table(one.path / table / f"part-{one.old:05}.parquet", partitioning=None).combine_chunks()
            for table in ("rejects", "conversations")
        )
        place = conversations.schema.get_field_index("key")
        offset = one.key - (conversations["key"][0].as_py() if len(conversations) else 0)
        keys = pc.add(conversations["key"], pa.scalar(offset, pa.uint64()))
        conversations = conversations.set_column(place, conversations.schema.field(place), keys)
        ws.write("rejects", one.new, rejects, {"fingerprint": fingerprint(one.stamp["plan"], one.new)})
        ws.write("conversations", one.new, conversations, one.stamp)

    return move
