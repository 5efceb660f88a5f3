"""What was found, list by list, and what could not be looked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curate.console import plain
from curate.decontaminate import examples
from curate.decontaminate.index import TEMPLATE
from curate.decontaminate.verdicts import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curate.decontaminate.index import Index
    from curate.decontaminate.items import Items
    from curate.decontaminate.verdicts import Judge
    from curate.workspace import Workspace


@dataclass(frozen=True)
class Benchmark:
    """A list and what was found of it.

    Attributes:
        name: Of the benchmark.
        file: As given.
        column: Where the text of an item is.
        items: Different ones that can be looked for.
        hit: Items of which a message holds a text.
        conversations: Conversations with a hit.
        turns: Messages with a hit.
        responses: Those of them that are responses.
        kinds: Hits by kind.
        ignored: Texts that were not looked for, by reason: duplicate, no token, nothing but templates, common n-grams
            only, no text, and why records could not be read.
    """

    name: str
    file: str
    column: str
    items: int
    hit: int
    conversations: int
    turns: int
    responses: int
    kinds: dict[str, int]
    ignored: dict[str, int]


def benchmarks(ws: Workspace, items: Items, index: Index, judge: Judge) -> list[Benchmark]:
    """Every list, in the order in which they were named."""
    counted: dict[tuple[str, str], dict[str, Any]] = {}
    if ws.shards("contamination"):
        message = pl.struct("key", "turn")
        grouped = (
            _with_roles(ws)
            .group_by("benchmark", "column")
            .agg(
                hit=pl.col("item").n_unique(),
                conversations=pl.col("key").n_unique(),
                turns=message.n_unique(),
                responses=message.filter(pl.col("role") == "assistant").n_unique(),
                **{kind: (pl.col("kind") == kind).sum() for kind in KINDS},
            )
        )
        counted = {(row.pop("benchmark"), row.pop("column")): row for row in grouped.to_dicts()}
    mute = _mute(items, index, judge)
    nothing = dict.fromkeys(("hit", "conversations", "turns", "responses", *KINDS), 0)
    found = []
    for number, one in enumerate(items.lists):
        row = {**nothing, **counted.get((one.benchmark, one.column), {})}
        kinds = {kind: row.pop(kind) for kind in KINDS}
        ignored = {reason: int(count) for reason, count in (items.ignored[number] + mute[number]).items() if count}
        found.append(
            Benchmark(
                name=one.benchmark,
                file=one.source.file,
                column=one.column,
                items=items.items[number],
                kinds={kind: count for kind, count in kinds.items() if count},
                ignored=ignored,
                **row,
            )
        )
    return found


def _with_roles(ws: Workspace) -> pl.DataFrame:
    """The hits with the role of their message."""
    hits = ws.scan("contamination").collect()
    keys = hits["key"].unique().implode()
    wanted = ws.scan("conversations").filter(pl.col("key").is_in(keys))
    roles = wanted.select("key", role=pl.col("messages").list.eval(pl.element().struct.field("role"))).collect()
    joined = hits.join(roles, on="key", how="left", maintain_order="left")
    return joined.with_columns(pl.col("role").list.get(pl.col("turn")))


def _mute(items: Items, index: Index, judge: Judge) -> list[Any]:
    """Of each list, texts all of whose grams are templates, or common."""
    seeds = np.flatnonzero(index.seeds)
    own = np.bincount(np.searchsorted(index.starts, seeds, side="right") - 1, minlength=len(index.kinds))
    counts = [Counter[str]() for _ in items.lists]
    for reason, parts in (
        ("nothing but templates", np.flatnonzero(own == 0)),
        ("common n-grams only", np.flatnonzero((own > 0) & (judge.usable == 0))),
    ):
        for number, count in enumerate(np.bincount(items.lists_of[parts], minlength=len(items.lists))):
            counts[number][reason] = int(count)
    return counts


def templates(index: Index) -> int:
    """N-grams that stand in too many items of one list."""
    heads = np.unique(index.grams[index.grams >= 0])
    return int((index.seeds[heads] == 0).sum())


def totals(ws: Workspace) -> tuple[int, int, int]:
    """Conversations, those with a hit, and hits."""
    if not ws.shards("conversations"):
        return 0, 0, 0
    total = ws.scan("conversations").select(pl.len()).collect().item()
    contaminated, hits = ws.scan("contamination").select(pl.col("key").n_unique(), hits=pl.len()).collect().row(0)
    return total, contaminated, hits


def warnings(result: Any) -> Iterator[str]:
    """What of the lists was not looked for because it cannot be read."""
    fine = {"duplicate", "no token", "no text", "nothing but templates", "common n-grams only"}
    for one in result.benchmarks:
        unread = {reason: count for reason, count in one.ignored.items() if reason not in fine}
        if unread:
            why = ", ".join(f"{count:,} {reason}" for reason, count in unread.items())
            yield f"records of `{one.file}` cannot be read and were not looked for: {why}"


def render(result: Any) -> Iterator[str]:
    """The lines of a result; nothing in them can reach the terminal but as text."""
    hit = sorted((one for one in result.benchmarks if one.hit), key=lambda one: -one.conversations)
    silent = [one for one in result.benchmarks if not one.hit]
    yield f"{result.contaminated:,} of {result.conversations:,} conversations hold items of benchmarks"
    if hit:
        width = max(9, *(len(plain(one.name, 40)) for one in hit))
        heads = "".join(f"  {head:>{size}}" for head, size in _HEADS)
        yield ""
        yield f"{'benchmark':<{width}}{heads}"
        for one in hit:
            kinds = (one.kinds.get(kind, 0) for kind in KINDS)
            counts = (f"{count:,}" for count in (one.conversations, one.turns, one.responses, *kinds))
            figures = (f"{one.hit:,} of {one.items:,}", *counts)
            cells = (f"  {figure:>{size}}" for figure, (_, size) in zip(figures, _HEADS, strict=True))
            yield f"{plain(one.name, 40):<{width}}{''.join(cells)}"
    if silent:
        names = ", ".join(plain(one.name, 40) for one in silent[:6]) + (" …" if len(silent) > 6 else "")
        yield f"no hit: {sum(one.items for one in silent):,} items of {names}"
    ignored = sum((Counter(one.ignored) for one in result.benchmarks), Counter[str]())
    if ignored:
        yield "not looked for: " + ", ".join(f"{count:,} {plain(reason)}" for reason, count in ignored.items())
    if result.common:
        yield f"{result.common:,} n-grams stand in too many conversations to count"
    if result.templates:
        yield f"{result.templates:,} n-grams stand in more than {TEMPLATE} items of one list and do not count"
    yield from examples.render(result.examples)


_HEADS = (
    ("items", 14), ("conversations", 13), ("turns", 6), ("responses", 9), ("verbatim", 8), ("13-gram", 7),
    ("8-grams", 7),
)  # fmt: skip
