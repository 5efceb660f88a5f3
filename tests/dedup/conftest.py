"""Small workspaces from plain lists, and the shingles of a text in plain Python to compare with."""

from __future__ import annotations

import random
import re
from hashlib import blake2b
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from curate.schema import TABLES
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Conversation = list[tuple[str, str]]


@pytest.fixture(scope="session")
def words() -> Callable[[int, int], str]:
    """`words(seed, count)`: a text of invented words that no other seed gives."""

    def make(seed: int, count: int) -> str:
        source = random.Random(seed)
        return " ".join("".join(source.choices("abcdefghijklmnoprstuvw", k=source.randint(3, 8))) for _ in range(count))

    return make


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[..., Workspace]:
    """A workspace of conversations, each a list of (role, content), so many to a shard."""

    def make(conversations: list[Conversation], *, shard_rows: int = 3, name: str = "ws") -> Workspace:
        ws = Workspace(tmp_path / name, create=True)
        for shard, first in enumerate(range(0, len(conversations), shard_rows)):
            part = conversations[first : first + shard_rows]
            rows = [
                {
                    "key": first + position,
                    "source": "made up",
                    "source_file": "dump.json",
                    "source_row": first + position,
                    "messages": [{"role": role, "content": content} for role, content in messages],
                    "content_hash": blake2b(repr(messages).encode(), digest_size=16).hexdigest(),
                    "edits": [],
                }
                for position, messages in enumerate(part)
            ]
            stamp = {"fingerprint": blake2b(repr(rows).encode(), digest_size=16).hexdigest()}
            ws.write("conversations", shard, pa.Table.from_pylist(rows, TABLES["conversations"].arrow), stamp)
        return ws

    return make


@pytest.fixture
def write(workspace: Callable[..., Workspace]) -> Callable[..., None]:
    """Fill the shards of `labels` or `scores` from {key: [value per response]}."""

    def make(ws: Workspace, table: str, column: str, values: dict[int, list[object]]) -> None:
        for shard in ws.shards("conversations"):
            filler = {name: _FILLER.get(name) for name in TABLES[table].arrow.names}
            rows = [
                filler | {"key": key, "turn": turn, column: value}
                for key in ws.read("conversations", shard)["key"].to_list()
                for turn, value in enumerate(values.get(key, []))
            ]
            stamp = {"fingerprint": blake2b(repr(rows).encode(), digest_size=16).hexdigest()}
            ws.write(table, shard, pa.Table.from_pylist(rows, TABLES[table].arrow), stamp)

    return make


_FILLER = {"aspects": [], "status": "ok", "judge": "local", "rubric": "made-up@1"}


@pytest.fixture(scope="session")
def plain_shingles() -> Callable[[Conversation], set[tuple[str, ...]]]:
    """The shingles of a conversation as tuples of words; for ASCII, kana and common ideographs."""

    def make(messages: Conversation) -> set[tuple[str, ...]]:
        tokens: list[str] = []
        for role, content in messages:
            tokens += [f"<{role}>", *re.findall(r"[a-z0-9_]+|[\u3041-\u3096\u4e00-\u9fff]", content.lower())]
        width = 5 if len(tokens) >= 40 else 3
        return {tuple(tokens[i : i + width]) for i in range(len(tokens) - width + 1)}

    return make
