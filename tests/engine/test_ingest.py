"""Many files read by a cluster give the rows, keys, counts and exports of one machine."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import curate
from curate.ingest import many, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.filterwarnings("default")]


@pytest.fixture
def dumps(tmp_path: Path, talks: Callable[[int], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five files of different sizes and kinds, with fragments that lie apart and a line that is cut off."""
    monkeypatch.setattr(many, "TASK_BYTES", 40_000)
    monkeypatch.setattr(table, "SHARD_ROWS", 30)
    folder = tmp_path / "dumps"
    folder.mkdir()
    role = {"user": "human", "assistant": "gpt"}
    records = [
        {
            "id": f"abcDE{number // 2:02}_{6 * (number % 2)}" if number < 20 else f"talk {number}",
            "conversations": [{"from": role[m["role"]], "value": m["content"]} for m in row["messages"]],
        }
        for number, row in enumerate(talks(300))
    ]
    random.Random(1).shuffle(records[:40])
    for name, some in (("a.json", records[:90]), ("b.json", records[90:100]), ("c.json", records[100:110])):
        (folder / name).write_text(json.dumps(some))
    with gzip.open(folder / "d.jsonl.gz", "wt") as file:
        file.write("".join(json.dumps(record) + "\n" for record in records[110:200]) + '{"id": "cut')
    (folder / "e.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records[200:]))
    return folder


def test_rows_keys_and_counts_are_the_same(dumps: Path, tmp_path: Path, tree: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(dumps)
    names = sorted(path.name for path in dumps.iterdir())
    results = [curate.ingest(names, tmp_path / engine, engine=engine, quiet=True) for engine in ("local", "ray")]
    assert asdict(results[0]) == asdict(results[1])
    assert results[0].rejects
    for name in ("conversations", "rejects"):
        local, ray = (pl.read_parquet(tmp_path / engine / name / "part-*.parquet") for engine in ("local", "ray"))
        assert local.equals(ray)
        assert not local.is_empty()
    for engine in ("local", "ray"):
        curate.label(tmp_path / engine, assume="gpt-4", quiet=True)
        curate.export(tmp_path / engine, tmp_path / f"{engine}-shards", quiet=True)
    data = [
        {name: data for name, data in tree(tmp_path / f"{engine}-shards").items() if name.startswith("data/")}
        for engine in ("local", "ray")
    ]
    assert data[0] == data[1]
    assert not (tmp_path / "ray/.ingest").exists()


def test_what_a_cluster_began_goes_on(dumps: Path, tmp_path: Path, tree: Any) -> None:
    """An ingest that ended while shards were numbered is done again, by either engine."""
    path = tmp_path / "ws"
    curate.ingest([str(dumps)], path, engine="ray", quiet=True)
    whole = tree(path)
    rows = pl.read_parquet(path / "conversations/part-*.parquet")
    last = max((path / "conversations").glob("part-*.parquet"))
    for engine in ("ray", "local"):
        (path / "manifest.json").unlink()
        last.unlink()
        with pytest.raises(curate.errors.WorkspaceError, match="interrupted"):
            curate.clean(path, quiet=True)
        curate.ingest([str(dumps)], path, engine=engine, quiet=True)
        assert pl.read_parquet(path / "conversations/part-*.parquet").equals(rows)
        assert engine == "local" or tree(path) == whole
