"""What becomes of hits: export, funnel, joined scan and recipe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate
from curate.errors import CurateError, RuleError, WorkspaceError
from curate.export import ExportResult
from curate.schema import TABLES
from curate.workspace import fingerprint
from tests.export.workspaces import conversation, make, talk, turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curate.workspace import Workspace

Hit = tuple[int, int, str]
LONG = "tell me which of the many rivers of the old world is the longest one"


def exported(tmp_path: Path, rows: list[Any], hits: list[Hit], **options: Any) -> ExportResult:
    """An export of conversations with hits: key, turn, benchmark."""
    ws = make(tmp_path / "ws", rows)
    found(ws, hits)
    clean = str(tmp_path / "ws" / "clean.toml")
    return curate.export(ws.path, tmp_path / "out", clean=clean, quiet=True, **options)


def found(ws: Workspace, hits: list[Hit]) -> None:
    rows = [
        {"key": key, "turn": at, "benchmark": name, "column": "question", "item": "1", "part": 0}
        | {"kind": "verbatim", "overlap": 1.0, "begin": 0, "end": 1}
        for key, at, name in hits
    ]
    for index in ws.shards("conversations"):
        keys = ws.read("conversations", index)["key"].to_list()
        mine = [row for row in rows if row["key"] in keys]
        table = pa.Table.from_pylist(mine, TABLES["contamination"].arrow)
        ws.write("contamination", index, table, {"fingerprint": fingerprint(mine)})


def weights(result: ExportResult) -> list[list[float]]:
    """The weights of the messages of each row."""
    rows = pl.read_parquet(result.out / "data" / "*.parquet")
    return [[message["weight"] for message in messages] for messages in rows["messages"].to_list()]


ROWS = [
    conversation(talk("Hi", "Hello"), **{"class": "gpt-4"}),
    conversation(talk("item", "its answer", "thanks", "welcome"), **{"class": "gpt-4"}),
    conversation(talk("recite it", "the item", "thanks", "welcome"), **{"class": "gpt-4"}),
    conversation(talk("only", "item"), **{"class": "gpt-4"}),
]
HITS = [(1, 0, "gsm"), (1, 0, "mbpp"), (2, 1, "mbpp"), (3, 1, "gsm")]


def test_contaminated_conversations_are_dropped_for_the_first_benchmark(tmp_path: Path) -> None:
    result = exported(tmp_path, ROWS, HITS)
    assert result.dropped == {"contaminated:gsm": 2, "contaminated:mbpp": 1}
    assert result.exported == 1
    assert "were dropped (`curate decontaminate`)" in (result.out / "README.md").read_text("utf-8")


def test_mask_takes_the_response_that_holds_or_answers_an_item(tmp_path: Path) -> None:
    result = exported(tmp_path, ROWS, HITS, contaminated="mask")
    assert result.dropped == {"contaminated:gsm": 1}
    assert result.masked == {"contaminated:gsm": 1, "contaminated:mbpp": 1}
    assert sorted(weights(result)) == [[0, 0, 0, 1], [0, 0, 0, 1], [0, 1]]


def test_keep_keeps_and_the_card_says_so(tmp_path: Path) -> None:
    result = exported(tmp_path, ROWS, HITS, contaminated="keep")
    assert (result.dropped, result.masked, result.exported) == ({}, {}, 4)
    assert "were kept, though" in (result.out / "README.md").read_text("utf-8")


def test_a_hit_that_nothing_answers_masks_nothing(tmp_path: Path) -> None:
    row = conversation([*talk("Hi", "Hello"), turn("user", "the item")], **{"class": "gpt-4"})
    result = exported(tmp_path, [row], [(0, 2, "gsm")], contaminated="mask")
    assert (result.masked, result.responses) == ({}, 1)


def test_duplicates_and_flags_go_for_their_own_reason(tmp_path: Path) -> None:
    rows = [
        conversation(talk("Hi", "Hello"), **{"class": "gpt-4"}, flags=["short"]),
        conversation(talk("Hi", "Hello"), **{"class": "gpt-4"}, removed_by=0),
        conversation(talk("Hi", "Hello there"), **{"class": "gpt-4"}),
    ]
    result = exported(tmp_path, rows, [(0, 0, "gsm"), (1, 0, "gsm")])
    assert result.dropped == {"flagged:short": 1, "duplicate": 1}


def test_a_policy_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="unknown contaminated `mas`"):
        exported(tmp_path, ROWS, HITS, contaminated="mas")


def test_a_table_that_is_not_whole_or_is_old_is_named(tmp_path: Path) -> None:
    exported(tmp_path, ROWS, HITS)
    ws = curate.Workspace(tmp_path / "ws")
    ws.shard("contamination", 1).unlink()
    options = {"clean": str(tmp_path / "ws" / "clean.toml"), "quiet": True}
    with pytest.raises(WorkspaceError, match="the table `contamination` has 1 of 2 shards"):
        curate.export(ws.path, tmp_path / "out", **options)
    found(ws, HITS)
    ws.write("conversations", 1, pq.read_table(ws.shard("conversations", 1)), {"fingerprint": "other"})
    ws.write("labels", 1, TABLES["labels"].arrow.empty_table(), {})
    with pytest.raises(WorkspaceError, match="the table `contamination` was made from other conversations"):
        curate.export(ws.path, tmp_path / "out", **options)


@pytest.fixture
def dumped(
    tmp_path: Path, chat: Callable[..., Any], dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """We work in a folder with a dump and a list, which share a question."""
    monkeypatch.chdir(tmp_path)
    dump(tmp_path / "dump.json", [chat(f"Please {LONG}?", "The Nile."), chat("Who wrote the play?", "Nobody knows.")])
    (tmp_path / "rivers.jsonl").write_text(json.dumps({"question": LONG}) + "\n")
    return tmp_path


def test_a_recipe_decontaminates_before_dedup(dumped: Path) -> None:
    stages = "[ingest]\n[decontaminate]\nlists = ['rivers.jsonl']\n[dedup]\n[score]\n[label]\n[export]\n"
    (dumped / "mine.toml").write_text(f'schema = 1\nkind = "recipe"\n{stages}')
    result = curate.run(["dump.json"], recipe=str(dumped / "mine.toml"), quiet=True)
    assert list(result.stages) == ["ingest", "label", "decontaminate", "dedup", "score", "export"]
    assert result.stages["export"].dropped == {"contaminated:rivers": 1}
    steps = {step.name: step for step in result.funnel.steps}
    assert (steps["contaminated"].count, steps["contaminated"].reasons) == (1, {"rivers": 1})
    assert result.funnel.balanced
    joined = curate.scan("curated").collect().sort("key")
    assert joined["contaminated"].to_list() == [["rivers"], []]

    curate.Workspace("curated").shard("contamination", 0).unlink()
    steps = {step.name: step for step in curate.funnel("curated").steps}
    assert steps["contaminated"].stale
    assert steps["exported"].stale


def test_scan_tells_shards_that_were_not_looked_through(dumped: Path, chat: Callable[..., Any], dump: Any) -> None:
    curate.ingest(["dump.json"], "curated", quiet=True)
    curate.decontaminate("curated", ["rivers.jsonl"], quiet=True)
    curate.ingest([dump(dumped / "more.json", [chat("And now?", "Later.")])], "curated", quiet=True)
    assert curate.scan("curated").collect().sort("key")["contaminated"].to_list() == [["rivers"], [], None]


@pytest.mark.parametrize(
    ("stage", "error", "says"),
    [
        ("", RuleError, "names no lists"),
        ("lists = ['nowhere.jsonl']", CurateError, "no such file"),
        ("lists = ['rivers.jsonl']\ncolumn = 'qestion'", CurateError, "no text in a column `qestion`"),
        ("lists = ['rivers.jsonl']\noverlap = 7", CurateError, "`overlap` is 7"),
        ("lists = 'rivers.jsonl'", RuleError, "`lists` is 'rivers.jsonl'"),
    ],
)
def test_a_recipe_that_cannot_work_is_told_before_any_work(
    dumped: Path, stage: str, error: type[CurateError], says: str
) -> None:
    (dumped / "mine.toml").write_text(f'schema = 1\nkind = "recipe"\n[ingest]\n[decontaminate]\n{stage}\n')
    with pytest.raises(error, match=says):
        curate.run(["dump.json"], recipe=str(dumped / "mine.toml"), quiet=True)
    assert not (dumped / "curated").exists()
