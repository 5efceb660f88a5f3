"""Made-up dumps and workspaces, and a clean environment."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import settings

from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Record = dict[str, Any]

# How long an example takes says nothing of curate: the first one may compile a kernel.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def clean_environment() -> Iterator[None]:
    """Nothing that the developer has set for curate, the terminal or a judge reaches a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("CURATE_", "OPENAI_")) or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def chat() -> Callable[..., Record]:
    """`chat("Hi", "Hello!", model="gpt-4")`: a ShareGPT record, human and gpt in turns."""

    def make(*texts: str, **fields: Any) -> Record:
        turns = [{"from": ("human", "gpt")[number % 2], "value": text} for number, text in enumerate(texts)]
        return {"conversations": turns} | fields

    return make


@pytest.fixture(scope="session")
def dump() -> Callable[[Path, list[Any]], Path]:
    """Write records as a JSON array."""

    def write(path: Path, records: list[Any]) -> Path:
        path.write_text(json.dumps(records))
        return path

    return write


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[..., Workspace]:
    """A workspace of conversations: rows with `messages` and whatever else shall not be null."""

    def make(*rows: Record, shard_rows: int = 100) -> Workspace:
        ws = Workspace(tmp_path / "ws", create=True)
        for shard, first in enumerate(range(0, len(rows), shard_rows)):
            part = [
                {"key": key, "source": "made up", "source_file": "dump.json", "source_row": key, "edits": []}
                | {"content_hash": fingerprint(row["messages"])}
                | row
                for key, row in enumerate(rows[first : first + shard_rows], start=first)
            ]
            table = pa.Table.from_pylist(part, TABLES["conversations"].arrow)
            ws.write("conversations", shard, table, {"fingerprint": fingerprint(part)})
        return ws

    return make


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder with its bytes; the lock aside."""

    def read(folder: Path) -> dict[str, bytes]:
        files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    return read
