"""Lists of made-up items, and what a message shares with an item, in plain Python."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def words() -> Callable[[int, int], str]:
    """`words(seed, count)`: a text of invented words that no other seed gives."""

    def make(seed: int, count: int) -> str:
        source = random.Random(seed)
        return " ".join("".join(source.choices("abcdefghijklmnoprstuvw", k=source.randint(4, 8))) for _ in range(count))

    return make


@pytest.fixture
def listed(tmp_path: Path) -> Callable[..., Path]:
    """`listed("gsm", "text of an item", {"question": …}, …)`: a list as JSON Lines."""

    def write(name: str, *items: str | dict[str, Any]) -> Path:
        path = tmp_path / f"{name}.jsonl"
        records = [{"question": item} if isinstance(item, str) else item for item in items]
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write


@pytest.fixture
def chats(workspace: Callable[..., Workspace]) -> Callable[..., Workspace]:
    """`chats(["prompt", "answer", …], …)`: a workspace of conversations, user and assistant in turns."""

    def make(*talks: list[str], shard_rows: int = 100) -> Workspace:
        roles = ("user", "assistant")
        rows = [
            {"messages": [{"role": roles[n % 2], "content": text} for n, text in enumerate(talk)], "marks": []}
            for talk in talks
        ]
        return workspace(*rows, shard_rows=shard_rows)

    return make


@pytest.fixture
def hits() -> Callable[[Workspace], list[dict[str, Any]]]:
    """The rows of `contamination`."""

    def read(ws: Workspace) -> list[dict[str, Any]]:
        return ws.scan("contamination").collect().to_dicts()

    return read


def tokens(text: str) -> list[str]:
    """The tokens of a text of ASCII letters and digits."""
    return re.findall(r"[a-z0-9]+", text.lower())


def grams(words: list[str], width: int) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + width]) for i in range(len(words) - width + 1)}
