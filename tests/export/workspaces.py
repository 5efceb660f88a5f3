"""Small made-up workspaces to export from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

CLEAN = """\
schema = 1
kind = "clean"
[[rule]]
name = "short"
why = "test"
when = "chars < 10"
export = "drop"
case = [{ chars = 1, fires = true }, { chars = 20, fires = false }]
[[rule]]
name = "odd_roles"
why = "test"
when = "repeated_roles > 0"
export = "keep"
case = [{ repeated_roles = 1, fires = true }, { repeated_roles = 0, fires = false }]
"""


def turn(role: str, content: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, "model": None, "name": None, "tool_calls": None} | more


def talk(*contents: str, system: str | None = None) -> list[dict[str, Any]]:
    """User and assistant in turns."""
    turns = [turn(("user", "assistant")[number % 2], content) for number, content in enumerate(contents)]
    return turns if system is None else [turn("system", system), *turns]


def conversation(messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A conversation and, under `class`, `reward`, `flags` and `removed_by`, what the stages said of it.

    `class` and `reward` hold for every response, or are lists with one entry per response.
    """
    return {"messages": messages} | more


def make(path: Path, conversations: list[dict[str, Any]], *, shard: int = 3, judge: str | None = None) -> Workspace:
    """A workspace with a table for everything that any of the conversations speaks of."""
    ws = Workspace(path, create=True)
    has = {name: any(name in entry for entry in conversations) for name in ("class", "reward", "flags", "removed_by")}
    for index, begin in enumerate(range(0, len(conversations), shard)):
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        for key, entry in list(enumerate(conversations))[begin : begin + shard]:
            _add(rows, key, entry, judge)
        _write(ws, "conversations", index, rows)
        for table, wanted in (
            ("labels", has["class"]),
            ("scores", has["reward"]),
            ("flags", has["flags"]),
            ("duplicates", has["removed_by"]),
        ):
            if wanted:
                _write(ws, table, index, rows)
    (path / "clean.toml").write_text(CLEAN)
    return ws


def _add(rows: dict[str, list[dict[str, Any]]], key: int, entry: dict[str, Any], judge: str | None) -> None:
    messages = entry["messages"]
    rows["conversations"].append(
        {
            "key": key,
            "source": entry.get("source", "made-up"),
            "source_file": "/home/someone/dump.json",
            "source_row": key,
            "source_id": f"id-{key}",
            "model": entry.get("model"),
            "created_at": None,
            "language": None,
            "task": entry.get("task"),
            "messages": messages,
            "content_hash": fingerprint(messages),
            "edits": [],
        }
    )
    turns = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    for position, number in enumerate(turns):
        at = {"key": key, "turn": number}
        class_ = _nth(entry.get("class"), position)
        reward = _nth(entry.get("reward"), position)
        rows["labels"].append({**at, "class": class_, "rule": None if class_ is None else "stated", "evidence": None})
        rows["scores"].append(
            {
                **at,
                "reward": reward,
                "score": None,
                "aspects": [],
                "status": "ok" if reward is not None else "failed",
                "judge": judge or "local",
                "rubric": "helpful@1",
                "rationale": None,
                "spread": None,
                "judgement": None,
            }
        )
    rows["flags"].append({"key": key, "rules": entry.get("flags", []), "unknown": []})
    rows["duplicates"].append(
        {"key": key, "removed_by": entry.get("removed_by"), "kind": None, "similarity": None, "cluster": key}
    )


def _nth(value: Any, position: int) -> Any:
    return value[position] if isinstance(value, list) else value


def _write(ws: Workspace, table: str, index: int, rows: dict[str, list[dict[str, Any]]]) -> None:
    data = pa.Table.from_pylist(rows[table], schema=TABLES[table].arrow)
    ws.write(table, index, data, {"fingerprint": fingerprint(table, rows[table])})
