"""No family is on both sides of a split: copies, near copies, fragments, branches, shared beginnings."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from curate.export import ExportResult, export
from curate.export.splits import families
from curate.schema import TABLES
from curate.workspace import Workspace

from .workspaces import conversation, make, talk

GPT4, GPT35 = {"class": "gpt-4"}, {"class": "gpt-3.5"}


def sides(result: ExportResult) -> tuple[set[int], set[int]]:
    def keys(folder: Path) -> set[int]:
        meta = pl.read_parquet(folder / "data" / "*.parquet")["meta"]
        return set(meta.str.json_path_match("$.key").cast(pl.Int64))

    return keys(result.out), keys(result.out / "validation")


def cluster(ws: Workspace, clusters: list[int]) -> None:
    """Let these be the clusters of the conversations, all of which are kept."""
    for index in ws.shards("conversations"):
        frame = ws.read("duplicates", index)
        new = pl.Series("cluster", [clusters[key] for key in frame["key"]], pl.UInt64)
        rewrite(ws, index, frame.with_columns(new))


def rewrite(ws: Workspace, index: int, duplicates: pl.DataFrame) -> None:
    table = duplicates.to_arrow().cast(TABLES["duplicates"].arrow)
    ws.write("duplicates", index, table, {"fingerprint": "changed"})


def rows(count: int) -> list[dict[str, Any]]:
    return [
        conversation(
            talk(f"Q{number}", f"A{number}"),
            **(GPT4 if number % 3 == 0 else GPT35),
            task="maths" if number % 2 else "code",
            removed_by=None,
        )
        for number in range(count)
    ]


@given(st.lists(st.integers(0, 20), min_size=30, max_size=60).filter(lambda g: len(set(g)) > 9), st.integers(0, 5))
@settings(max_examples=8, deadline=None)
def test_no_cluster_is_on_both_sides(groups: list[int], seed: int) -> None:
    clusters = [groups.index(group) for group in groups]
    with TemporaryDirectory() as folder:
        ws = make(Path(folder) / "ws", rows(len(groups)), shard=11)
        cluster(ws, clusters)
        train, held = sides(export(ws.path, Path(folder) / "out", validation=0.3, seed=seed, quiet=True))
    assert train | held == set(range(len(groups)))
    assert not train & held
    assert held
    assert not {clusters[key] for key in train} & {clusters[key] for key in held}


def test_near_duplicates_and_fragments_stay_together(tmp_path: Path) -> None:
    records = []
    for number in range(40):
        draw = Random(number)
        answer = " ".join("".join(draw.choices("abcdefghij", k=6)) for _ in range(80))
        said = [{"from": "human", "value": f"Question {number}, please?"}, {"from": "gpt", "value": answer}]
        near = [said[0], {"from": "gpt", "value": answer + " indeed"}]
        longer = [*said, {"from": "human", "value": "And?"}, {"from": "gpt", "value": f"More {number}."}]
        for copy, turns in enumerate((said, near, longer)):
            name = f"{chr(97 + number % 26)}B{number:02}x{copy}Z_0"
            records.append({"id": name, "model": "gpt-4", "conversations": turns})
    (tmp_path / "dump.json").write_bytes(orjson.dumps(records))
    ws = tmp_path / "ws"
    curate.ingest([tmp_path / "dump.json"], ws, fragments="keep", quiet=True)
    curate.label(ws, quiet=True)
    curate.dedup(ws, quiet=True)
    duplicates = Workspace(ws).read("duplicates", 0)
    assert duplicates["cluster"].n_unique() == 40
    for index in Workspace(ws).shards("duplicates"):
        kept = Workspace(ws).read("duplicates", index)
        none = [pl.lit(None, kept.schema[name]).alias(name) for name in ("removed_by", "kind", "similarity")]
        rewrite(Workspace(ws), index, kept.with_columns(none))
    train, held = sides(curate.export(ws, tmp_path / "out", validation=0.25, quiet=True))
    assert len(train) + len(held) == 120, "copies are kept here, so that they could leak"
    assert {key // 3 for key in train}.isdisjoint({key // 3 for key in held})
    assert len(held) == pytest.approx(30, abs=3)


def test_families_follow_ids_and_beginnings(tmp_path: Path) -> None:
    same = talk("Q", "A", "More?", "Yes")
    made = [conversation(same, removed_by=None), conversation(talk("Q", "A", "Less?", "No"), removed_by=None)]
    made += [conversation(talk(f"x{number}", f"y{number}"), removed_by=None) for number in range(3)]
    ws = make(tmp_path / "ws", made, shard=2)
    for index in ws.shards("conversations"):
        frame = ws.read("conversations", index).to_dicts()
        for row in frame:
            row["source_id"] = {2: "QWJhYvA_0", 3: "QWJhYvA_5"}.get(row["key"], f"set_{row['key']}")
        stamp = ws.stamp("conversations", index)
        table = pa.Table.from_pylist(frame, schema=TABLES["conversations"].arrow)
        ws.write("conversations", index, table, stamp)
    keys, roots = families(ws)
    assert keys.tolist() == [0, 1, 2, 3, 4]
    assert roots.tolist() == [0, 0, 2, 2, 4], "a numbered set is no family"


def test_every_class_and_task_has_its_share_and_a_seed_decides(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", rows(300), shard=37)
    first = export(ws.path, tmp_path / "a", validation=0.2, quiet=True)
    _, held = sides(first)
    assert len(held) == 60
    for third in (0, 1):
        for half in (0, 1):
            stratum = {key for key in range(300) if (key % 3 == 0) == third and key % 2 == half}
            assert len(held & stratum) == pytest.approx(0.2 * len(stratum), abs=2)
    again = make(tmp_path / "ws2", rows(300), shard=90)
    assert sides(export(again.path, tmp_path / "b", validation=0.2, quiet=True))[1] == held
    assert sides(export(ws.path, tmp_path / "c", validation=0.2, seed=1, quiet=True))[1] != held
    dry = export(ws.path, tmp_path / "d", validation=0.2, dry_run=True, quiet=True)
    assert dry.preview
    assert dry.preview["validation"] == 60
    assert export(ws.path, tmp_path / "a", validation=0.2, quiet=True).unchanged


def test_the_jsonl_of_openchat_is_split_too(tmp_path: Path) -> None:
    ws = make(tmp_path / "ws", rows(40))
    result = export(ws.path, tmp_path / "out", format="openchat-jsonl", validation=0.25, quiet=True)
    assert {"train.0.jsonl", "validation/validation.0.jsonl"} <= set(result.files)
    files = [result.out / "train.0.jsonl", result.out / "validation" / "validation.0.jsonl"]
    assert [len(file.read_text().splitlines()) for file in files] == [30, 10]
    assert not any(path.name.startswith(".spill") for path in result.out.rglob("*"))
