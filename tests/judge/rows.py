"""Small made-up workspaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint


def turns(*texts: str, **last: Any) -> list[dict[str, Any]]:
    """user, assistant, user … messages; keywords are fields of the last one."""
    empty = {"model": None, "name": None, "tool_calls": None}
    messages = [{"role": ("user", "assistant")[i % 2], "content": text, **empty} for i, text in enumerate(texts)]
    messages[-1] |= last
    return messages


def table(conversations: list[list[dict[str, Any]]], first: int = 0) -> pa.Table:
    constant = {"source": "t", "source_file": "t.json", "content_hash": "0", "edits": []}
    rows = [
        {"key": key, "source_row": key, "messages": messages, **constant}
        for key, messages in enumerate(conversations, start=first)
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["conversations"].arrow)


def workspace(path: Path, *shards: list[list[dict[str, Any]]]) -> Workspace:
    """A workspace as ingest leaves it, one shard per list of conversations."""
    ws, first = Workspace(path, create=True), 0
    for index, shard in enumerate(shards):
        ws.write("conversations", index, table(shard, first), {"fingerprint": fingerprint(shard)})
        first += len(shard)
    return ws


def duplicates(ws: Workspace, shard: int, removed: dict[int, int]) -> None:
    """The table `duplicates` of a shard: removed key to kept key."""
    keys = ws.read("conversations", shard, ["key"])["key"].to_list()
    rows = [{"key": key, "removed_by": removed.get(key), "cluster": removed.get(key, key)} for key in keys]
    data = pa.Table.from_pylist(rows, schema=TABLES["duplicates"].arrow)
    ws.write("duplicates", shard, data, {"fingerprint": fingerprint(rows)})
