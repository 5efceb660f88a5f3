"""Hits with their text: the passage of the message beside the item, both inert for a terminal."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from curate import redact
from curate.clean import parts
from curate.clean.personal import Span
from curate.console import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curate.decontaminate.items import Items
    from curate.workspace import Workspace

# Characters of a passage and of an item that are shown.
SHOWN = 300


@dataclass(frozen=True)
class Example:
    """One hit.

    Attributes:
        benchmark: Name of the list.
        column: Its column.
        item: Id of the item.
        part: Number of the text in the item.
        key: The conversation.
        turn: Index of the message.
        role: Who wrote it.
        source: Name of the data set.
        kind: verbatim, 13-gram or 8-grams.
        overlap: Share of the text's distinct 8-grams.
        passage: The passage of the message, redacted as the workspace is.
        text: The text of the item.
    """

    benchmark: str
    column: str
    item: str
    part: int
    key: int
    turn: int
    role: str
    source: str
    kind: str
    overlap: float
    passage: str
    text: str


def choose(ws: Workspace, items: Items, show: int) -> list[Example]:
    """The hits of each list with the largest overlap, one per item as far as there are enough.

    Args:
        ws: The workspace.
        items: The lists.
        show: Hits per list.
    """
    if not show or not ws.shards("contamination"):
        return []
    ranked = ws.scan("contamination").with_columns(nth=pl.int_range(pl.len()).over("benchmark", "column", "item"))
    order = ranked.collect().sort("nth", "overlap", descending=[False, True], maintain_order=True)
    hits = order.group_by("benchmark", "column", maintain_order=True).head(show)
    said = _said(ws, hits)
    texts = _texts(items, hits)
    names = [(one.benchmark, one.column) for one in items.lists]
    rows = sorted(hits.drop("nth").to_dicts(), key=lambda row: names.index((row["benchmark"], row["column"])))
    return [
        Example(
            **{name: value for name, value in row.items() if name not in ("begin", "end")},
            **said[row["key"], row["turn"], row["begin"], row["end"]],
            text=texts[row["benchmark"], row["column"], row["item"], row["part"]],
        )
        for row in rows
    ]


def render(examples: list[Example]) -> Iterator[str]:
    """The lines of examples; nothing in them can reach the terminal but as text."""
    for one in examples:
        where = f"{one.key}:{one.turn} {one.role}, {plain(one.source, 40)}"
        part = f":{one.part}" if one.part else ""
        yield ""
        yield f"{plain(one.benchmark, 40)} {plain(one.item, 40)}{part}  {one.kind} {one.overlap:.2f}  in {where}"
        yield f"    item     {plain(' '.join(one.text.split()), SHOWN)}"
        yield f"    passage  {plain(' '.join(one.passage.split()), SHOWN)}"


def _said(ws: Workspace, hits: pl.DataFrame) -> dict[tuple[int, int, int, int], dict[str, Any]]:
    """Role, source and passage of each hit, with personal data replaced where the workspace is redacted."""
    found: dict[tuple[int, int, int, int], dict[str, Any]] = {}
    for index in ws.shards("conversations"):
        rows = ws.read("conversations", index, ["key"]).join(hits, on="key", how="inner")
        if rows.is_empty():
            continue
        raw = ws.read("conversations", index, ["key", "source", "messages"])
        raw = raw.filter(pl.col("key").is_in(rows["key"].implode()))
        # Refuses a workspace that is half redacted.
        redact.read(ws, index, ["key", "messages"])
        spans = _spans(ws, index, raw)
        talks = {row["key"]: row for row in raw.to_dicts()}
        for row in rows.to_dicts():
            talk = talks[row["key"]]
            message = talk["messages"][row["turn"]]
            passage = _passage(message, row["begin"], row["end"], spans[row["key"], row["turn"]])
            place = row["key"], row["turn"], row["begin"], row["end"]
            found[place] = {"role": message["role"], "source": talk["source"], "passage": passage}
    return found


def _spans(ws: Workspace, index: int, conversations: pl.DataFrame) -> dict[tuple[int, int], list[Span]]:
    spans: dict[tuple[int, int], list[Span]] = defaultdict(list)
    if "flags" in redact.inputs(ws):
        flags = ws.read("flags", index, ["key", "redact"]).join(conversations.select("key"), on="key", how="semi")
        for key, found in flags.iter_rows():
            for span in found:
                spans[key, span["turn"]].append(Span(span["begin"], span["end"], span["kind"]))
    return spans


def _passage(message: dict[str, Any], begin: int, end: int, spans: list[Span]) -> str:
    """The passage with what is redacted in it, or reaches into it, replaced."""
    content = message["content"]
    if begin >= len(content):  # in a tool call, whose places are other ones once it is redacted
        return "(in a tool call)"
    end = min(end, len(content))
    inside = [
        Span(max(span.begin, begin) - begin, min(span.end, end) - begin, span.kind)
        for span in sorted(spans)
        if span.begin < end and span.end > begin
    ]
    text: str = parts.replaced({"content": content[begin:end]}, inside, redact.placeholder)["content"]
    return text


def _texts(items: Items, hits: pl.DataFrame) -> dict[tuple[str, str, str, int], str]:
    """The texts of the items of hits, read again from their lists."""
    wanted = set(hits.select("benchmark", "column", "item", "part").iter_rows())
    names = [(one.benchmark, one.column) for one in items.lists]
    rows: dict[tuple[int, int], list[tuple[str, str, str, int]]] = defaultdict(list)
    for number, row, name, place in zip(
        items.lists_of.tolist(), items.rows.tolist(), items.ids, items.places.tolist(), strict=True
    ):
        if (item := (*names[number], name, place)) in wanted:
            rows[number, row].append(item)
    texts = {}
    for number, one in enumerate(items.lists):
        if any(list_ == number for list_, _ in rows):
            for row, _, parts_ in one.items():
                texts.update({item: parts_[item[3]] for item in rows.get((number, row), ())})
    return texts
