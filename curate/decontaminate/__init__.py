"""Contamination: which messages hold items of benchmarks. Nothing is deleted; `curate export` decides.

A message holds an item when it is in it verbatim, or shares 13 tokens in a row with it, or half of its distinct
8-grams. Prompts and answers are looked through alike. `index.py` says what becomes of short items and of templates.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from curate.console import Talk
from curate.errors import CurateError
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from curate.decontaminate.examples import Example
    from curate.decontaminate.index import Index
    from curate.decontaminate.items import Items
    from curate.decontaminate.lists import BenchmarkList
    from curate.decontaminate.report import Benchmark
    from curate.decontaminate.verdicts import Judge

__all__ = ["DecontaminateResult", "check", "decontaminate"]

# Rises when the same stretches give other hits.
VERSION = 1


@dataclass(frozen=True)
class DecontaminateResult:
    """What was found.

    Attributes:
        conversations: All of them.
        contaminated: Those with a hit.
        hits: Messages and texts of items that they hold.
        benchmarks: Every list, in the order in which they were named.
        common: N-grams that stand in too many conversations to tell anything.
        templates: N-grams that stand in too many items of one list to tell anything.
        examples: Hits with their text, as many per list as were asked for.
    """

    conversations: int
    contaminated: int
    hits: int
    benchmarks: list[Benchmark]
    common: int
    templates: int
    examples: list[Example]


def check(
    lists: Sequence[str], *, column: str | None = None, overlap: float = 0.5, common: float = 0.01
) -> list[BenchmarkList]:
    """Refuse what `decontaminate` would refuse whatever the workspace holds.

    Returns:
        The lists.

    Raises:
        CurateError: No list, one that cannot be read, or a share that is none.
    """
    from curate.decontaminate.lists import find

    for name, share in (("overlap", overlap), ("common", common)):
        if not 0 < share <= 1:
            raise CurateError(f"`{name}` is {share:g}, it must be above 0 and at most 1")
    return find([lists] if isinstance(lists, str) else lists, column)


def decontaminate(
    workspace: str | Path,
    lists: Sequence[str],
    *,
    column: str | None = None,
    overlap: float = 0.5,
    common: float = 0.01,
    show: int = 0,
    engine: str = "local",
    quiet: bool = False,
) -> DecontaminateResult:
    """Look for the items of benchmarks in all messages and fill the table `contamination`.

    Only shards that are new, or all of them when a list changed, are looked through; other shares need no second look.

    Args:
        workspace: Folder of the workspace.
        lists: Files with benchmark items, globs or folders; `FILE:COLUMN` names the column of one,
            `NAME=FILE` the benchmark.
        column: The column of those that name none; None = a well-known one such as `question`.
        overlap: Share of an item's distinct 8-grams from which on a message holds it.
        common: Share of the conversations above which an 8-gram tells nothing, if it stands in more than 50.
        show: Hits of each list to show.
        engine: Who makes the shards, see `curate.engine`.
        quiet: Say nothing but warnings.

    Raises:
        CurateError: A share that makes no sense.
        InputError: A list that cannot be read or has no such column.
        WorkspaceError: Not a workspace, or no room on the disk.
    """
    found = check(lists, column=column, overlap=overlap, common=common)
    from curate.decontaminate import examples, items, report
    from curate.decontaminate.index import build

    ws, talk = Workspace(workspace, engine=engine), Talk(quiet=quiet)
    with ws.lock():
        with talk.progress("lists", len(found), "lists") as advance:
            parts = items.read(found, lambda _: advance(1))
        index = build(parts)
        shards = ws.shards("conversations")
        with talk.progress("decontaminate", len(shards), "shards") as advance:
            scanned = _scan(ws, parts, index, lambda _: advance(1))
        judge = _count(ws, index, overlap, common)
        decided = _decide(ws, parts, judge)
        if not scanned and not decided:
            talk.say("contamination: nothing has changed")
        benchmarks = report.benchmarks(ws, parts, index, judge)
        total, contaminated, hits = report.totals(ws)
        result = DecontaminateResult(
            conversations=total,
            contaminated=contaminated,
            hits=hits,
            benchmarks=benchmarks,
            common=len(judge.set_aside),
            templates=report.templates(index),
            examples=examples.choose(ws, parts, show),
        )
        counts = {name: value for name, value in asdict(result).items() if name != "examples"}
        options = {"lists": parts.fingerprint, "overlap": overlap, "common": common}
        ws.record("decontaminate", {"options": options, "counts": counts})
    for line in report.warnings(result):
        talk.warn(line)
    return result


def _scan(ws: Workspace, items: Items, index: Index, advance: Callable[[int], None]) -> list[int]:
    """Fill the table `matches`."""
    from curate.decontaminate import matches, scan
    from curate.dedup import tokens

    options = [scan.VERSION, tokens.VERSION, items.fingerprint]

    def shard(number: int) -> pa.Table:
        return matches.table(ws, number, index)

    return ws.map("matches", shard, inputs=["conversations"], options=options, advance=advance)


def _count(ws: Workspace, index: Index, overlap: float, common: float) -> Judge:
    import pyarrow.parquet as pq

    from curate.decontaminate.verdicts import Judge

    shards = ws.shards("conversations")
    total = sum(pq.read_metadata(ws.shard("conversations", number)).num_rows for number in shards)
    judge = Judge(index, overlap, common, total)
    for number in shards:
        judge.count(ws.read("matches", number))
    judge.settle()
    return judge


def _decide(ws: Workspace, items: Items, judge: Judge) -> list[int]:
    """Fill the table `contamination`."""
    from curate.decontaminate import matches

    options = [VERSION, judge.overlap, fingerprint(judge.set_aside)]

    def shard(number: int) -> pa.Table:
        return matches.named(judge.decide(ws.read("matches", number)), items)

    return ws.map("contamination", shard, inputs=["matches"], options=options)
