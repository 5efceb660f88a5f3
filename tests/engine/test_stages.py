"""Whatever engine makes the shards, a workspace and an export are the same, byte for byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import curate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.filterwarnings("default")]


def test_clean_label_and_tasks_are_the_same(twins: Callable[..., list[Path]], tree: Any) -> None:
    local, ray = twins()
    for path, engine in ((local, "local"), (ray, "ray")):
        curate.clean(path, redact=True, engine=engine, quiet=True)
        curate.label(path, assume="gpt-3.5", engine=engine, quiet=True)
    assert tree(ray) == tree(local)
    assert sum(name.startswith("flags/part") for name in tree(ray)) == 8


def test_decontaminate_is_the_same(twins: Callable[..., list[Path]], tree: Any, tmp_path: Path) -> None:
    local, ray = twins()
    messages = pl.read_parquet(local / "conversations/*.parquet")["messages"].explode()
    contents = messages.struct.field("content")
    items = tmp_path / "items.jsonl"
    items.write_text("".join(json.dumps({"question": contents[place]}) + "\n" for place in (1, 3, 77)))
    results = [
        curate.decontaminate(path, [str(items)], engine=engine, quiet=True)
        for path, engine in ((local, "local"), (ray, "ray"))
    ]
    assert results[0] == results[1]
    assert results[0].contaminated > 0
    assert tree(ray) == tree(local)


@pytest.mark.parametrize("format", ["crlft", "openai-jsonl"])
def test_an_export_is_the_same(twins: Callable[..., list[Path]], tree: Any, tmp_path: Path, format: str) -> None:
    path, _ = twins()
    curate.clean(path, quiet=True)
    curate.label(path, assume="gpt-3.5", quiet=True)
    more = {"emulate_weights": "resample"} if format != "crlft" else {}
    results = [
        curate.export(path, tmp_path / f"by-{engine}", format=format, engine=engine, quiet=True, **more)
        for engine in ("local", "ray")
    ]
    assert tree(tmp_path / "by-ray") == tree(tmp_path / "by-local")
    assert results[1].rows == results[0].rows > 0


def test_what_a_shard_raises_is_said_as_on_one_machine(twins: Callable[..., list[Path]]) -> None:
    _, path = twins()
    shard = path / "conversations/part-00004.parquet"
    shard.write_bytes(shard.read_bytes()[:-600] + b"x" * 600)
    with pytest.raises(curate.errors.WorkspaceError, match="damaged"):
        curate.clean(path, engine="ray", quiet=True)


def test_what_a_lost_worker_left_is_swept_and_nothing_is_made_twice(twins: Callable[..., list[Path]]) -> None:
    _, path = twins()
    curate.clean(path, engine="ray", quiet=True)
    before = {part: part.stat().st_mtime_ns for part in (path / "flags").glob("part-*.parquet")}
    left = path / "flags/.part-00001.parquet.0123abcd.tmp"
    left.write_bytes(b"half a shard")
    curate.clean(path, engine="ray", quiet=True)
    assert not left.exists()
    assert {part: part.stat().st_mtime_ns for part in (path / "flags").glob("part-*.parquet")} == before
