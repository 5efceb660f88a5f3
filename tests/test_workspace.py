"""A shard is there whole or not at all, carries what it was made from, and is made again only when that changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest

import curate
from curate.errors import CurateError, WorkspaceError
from curate.ingest import table
from curate.schema import SCHEMA_VERSION, TABLES
from curate.workspace import Workspace, atomic, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

HELLO = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]}


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def flags(ws: Workspace, index: int, *rules: str) -> pa.Table:
    keys = ws.read("conversations", index)["key"].to_list()
    rows = [{"key": key, "rules": list(rules), "unknown": []} for key in keys]
    return pa.Table.from_pylist(rows, TABLES["flags"].arrow)


# Files appear whole.


def test_a_file_appears_when_the_block_has_succeeded(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with atomic(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["file.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_inside_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail() -> None:
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_shard_that_fails_while_it_is_written_is_not_there(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO)

    with pytest.raises(TypeError):
        ws.write("flags", 0, flags(ws, 0), {"fingerprint": {1, 2}})  # no JSON, found after the rows are written
    assert ws.shards("flags") == []
    assert names(ws.path / "flags") == []


def test_a_table_of_the_wrong_shape_is_never_written(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO)
    with pytest.raises(ValueError, match="schema"):
        ws.write("flags", 0, pa.table({"key": [1]}), {})
    assert ws.shards("flags") == []


def test_what_cannot_be_written_is_an_error_with_its_place(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO)
    (ws.path / "flags").write_text("a file where the folder of the table belongs")
    with pytest.raises(WorkspaceError, match="cannot be written") as caught:
        ws.write("flags", 0, flags(ws, 0), {})
    assert caught.value.where == str(ws.shard("flags", 0))


# What is no workspace is refused.


def test_a_folder_without_a_workspace_is_refused_with_a_way_out(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(WorkspaceError, match="not a curate workspace") as caught:
            Workspace(path)
        assert "curate ingest" in str(caught.value.hint)
    assert names(tmp_path) == []


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "ws").write_text("")
    with pytest.raises(WorkspaceError, match="is a file"):
        Workspace(tmp_path / "ws", create=True)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, "2"])
def test_a_workspace_of_a_newer_curate_is_refused(workspace: Callable[..., Workspace], version: object) -> None:
    ws = workspace(HELLO)
    (ws.path / "manifest.json").write_text(json.dumps({"schema": version}))
    for create in (False, True):
        with pytest.raises(WorkspaceError, match=f"schema version {version}") as caught:
            Workspace(ws.path, create=create)
        assert "pip install -U" in str(caught.value.hint)


def test_a_workspace_of_an_older_curate_is_refused_and_what_was_paid_for_is_not_lost(
    workspace: Callable[..., Workspace],
) -> None:
    ws = workspace(HELLO)
    (ws.path / "manifest.json").write_text(json.dumps({"schema": SCHEMA_VERSION - 1}))
    with pytest.raises(WorkspaceError, match="this curate writes") as caught:
        Workspace(ws.path)
    assert "judgements.sqlite" in str(caught.value.hint)


def test_an_older_manifest_is_known_by_its_version_whatever_else_it_says(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO)
    stages = {"ingest": [{"input": ["dump.json"], "records": 1}], "score": []}
    (ws.path / "manifest.json").write_text(json.dumps({"curate": "0.0.1", "schema": 1, "stages": stages, "made": 0}))
    with pytest.raises(WorkspaceError, match="schema version 1, this curate writes"):
        Workspace(ws.path)


@pytest.mark.parametrize("text", ["{", "[]", "7"])
def test_a_broken_manifest_is_named(workspace: Callable[..., Workspace], text: str) -> None:
    ws = workspace(HELLO)
    (ws.path / "manifest.json").write_text(text)
    with pytest.raises(WorkspaceError, match="manifest") as caught:
        Workspace(ws.path)
    assert caught.value.where == str(ws.path / "manifest.json")


def test_a_table_that_is_not_there_names_the_command_that_makes_it(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO)
    for look in (lambda: ws.scan("labels"), lambda: ws.read("labels", 0)):
        with pytest.raises(WorkspaceError) as caught:
            look()
        assert caught.value.hint == "run `curate label` first"


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-20], lambda data: b"PAR1" + data[40:]])
def test_a_damaged_shard_is_named(workspace: Callable[..., Workspace], damage: Callable[[bytes], bytes]) -> None:
    ws = workspace(HELLO)
    ws.write("flags", 0, flags(ws, 0), {})
    path = ws.shard("flags", 0)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WorkspaceError, match="damaged") as caught:
        ws.read("flags", 0)
    assert caught.value.where == str(path)
    assert "delete it and run `curate clean` again" in str(caught.value.hint)


def test_a_stage_names_the_damaged_shard_it_meets(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO)
    curate.label(ws.path, quiet=True)
    ws.shard("labels", 0).write_bytes(b"")
    with pytest.raises(WorkspaceError, match="damaged") as caught:
        curate.label(ws.path, quiet=True)
    ws.shard("labels", 0).unlink()
    assert caught.value.where == str(ws.shard("labels", 0))
    assert curate.label(ws.path, quiet=True).responses == 1


# One writer at a time.


def test_a_second_writer_is_turned_away_and_readers_are_not(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO)
    with ws.lock():
        for stage in (curate.clean, curate.label, curate.dedup, curate.score):
            with pytest.raises(WorkspaceError, match="another curate is writing"):
                stage(ws.path, quiet=True)
        assert curate.scan(ws.path).collect().height == 1
    assert curate.label(ws.path, quiet=True).responses == 1


def test_the_lock_dies_with_its_process(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO)
    holder = "import os, sys; from curate import Workspace\nwith Workspace(sys.argv[1]).lock(): os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", holder, str(ws.path)], check=False).returncode == -9
    with ws.lock():
        pass


# Shards know what they were made from.


def test_a_table_made_from_other_conversations_is_refused(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO)
    curate.label(ws.path, quiet=True)
    same = ws.read("conversations", 0).to_arrow().cast(TABLES["conversations"].arrow)
    ws.write("conversations", 0, same, {"fingerprint": "another"})
    out = ws.path.parent / "out"
    for use in (lambda: ws.read("labels", 0), lambda: ws.scan("labels"), lambda: curate.export(ws.path, out)):
        with pytest.raises(WorkspaceError, match="made from other conversations") as error:
            use()
        assert error.value.hint == "run `curate label` again"
    assert curate.label(ws.path, quiet=True).responses == 1


def test_a_conversations_shard_that_is_gone_is_missed(dump: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "ws"
    curate.ingest([dump(tmp_path / "dump.json", [HELLO])], path, quiet=True)
    Workspace(path).shard("conversations", 0).unlink()
    with pytest.raises(WorkspaceError, match="a shard of the conversations is missing"):
        curate.label(path, quiet=True)


def test_a_flipped_bit_in_the_text_is_noticed(workspace: Callable[..., Workspace]) -> None:
    ws = workspace({"messages": [{"role": "user", "content": "".join(map(chr, range(33, 3000)))}]})
    path = ws.shard("conversations", 0)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(WorkspaceError, match="damaged"):
        ws.read("conversations", 0)


def test_a_lock_is_never_taken_through_a_link(workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    ws = workspace(HELLO)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (ws.path / ".lock").unlink(missing_ok=True)
    (ws.path / ".lock").symlink_to(victim)
    with pytest.raises(WorkspaceError, match="cannot be written"):
        curate.label(ws.path, quiet=True)
    assert victim.read_text() == "precious"


def test_a_stamp_is_read_back_and_empty_where_there_is_none(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO)
    ws.write("flags", 0, flags(ws, 0), {"fingerprint": "ab", "more": [1, None]})
    of = ws.stamp("conversations", 0)["fingerprint"]
    assert ws.stamp("flags", 0) == {"fingerprint": "ab", "more": [1, None], "of": of}
    assert ws.stamp("flags", 1) == {}


def test_fingerprints_tell_apart_what_differs_and_nothing_else() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    different = [(), (1,), ("1",), (1, 2), ([1, 2],), (None,), ("",), (0.1,), ({"a": 1},), (True,)]
    assert len({fingerprint(*parts) for parts in different}) == len(different)


class Maker:
    """Fills `flags` and remembers which shards it made."""

    def __init__(self, ws: Workspace) -> None:
        self.ws = ws

    def __call__(self, options: Any = 1, inputs: tuple[str, ...] = ("conversations",)) -> list[int]:
        return self.ws.map("flags", lambda index: flags(self.ws, index, str(options)), inputs=inputs, options=options)


def test_map_makes_what_is_missing_and_redoes_only_what_changed(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO, HELLO, HELLO, shard_rows=1)
    make = Maker(ws)
    assert make() == [0, 1, 2]
    assert make() == []
    ws.shard("flags", 1).unlink()
    assert make() == [1]
    ws.write("conversations", 2, ws.read("conversations", 2).to_arrow().cast(TABLES["conversations"].arrow), {"x": 1})
    assert make() == [2]
    assert make(options=2) == [0, 1, 2]
    assert make(options=2) == []


def test_map_looks_at_every_input(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO, HELLO, shard_rows=1)
    curate.label(ws.path, quiet=True)
    make = Maker(ws)
    assert make(inputs=("conversations", "labels")) == [0, 1]
    curate.label(ws.path, assume="gpt-4", quiet=True)
    assert make(inputs=("conversations", "labels")) == [0, 1]
    assert make(inputs=("conversations", "labels")) == []


def test_a_map_that_stops_halfway_keeps_what_it_made(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO, HELLO, HELLO, shard_rows=1)

    def stop_at_two(index: int) -> pa.Table:
        if index == 2:
            raise KeyboardInterrupt
        return flags(ws, index)

    with pytest.raises(KeyboardInterrupt):
        ws.map("flags", stop_at_two, inputs=["conversations"], options=1)
    assert ws.shards("flags") == [0, 1]
    assert ws.map("flags", lambda index: flags(ws, index), inputs=["conversations"], options=1) == [2]


def test_the_manifest_keeps_the_other_stages_and_is_left_alone_when_nothing_changed(
    workspace: Callable[..., Workspace],
) -> None:
    ws = workspace(HELLO)
    ws.record("clean", {"flagged": 1})
    ws.record("label", {"responses": 2})
    assert ws.manifest["stages"] == {"clean": {"flagged": 1}, "label": {"responses": 2}}
    before = (ws.path / "manifest.json").stat().st_mtime_ns
    ws.record("label", {"responses": 2})
    assert (ws.path / "manifest.json").stat().st_mtime_ns == before


# An ingest that did not finish.


def test_no_stage_works_on_half_an_ingest_and_the_same_ingest_finishes_it(
    tmp_path: Path,
    chat: Callable[..., dict[str, Any]],
    dump: Callable[[Path, list[Any]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table, "SHARD_ROWS", 2)
    file = dump(tmp_path / "dump.json", [chat(f"Question {n}?", f"Answer {n}.") for n in range(6)])
    ws = tmp_path / "ws"
    curate.ingest([file], ws, quiet=True)
    whole = curate.scan(ws).collect()
    (ws / "manifest.json").unlink()
    Workspace(ws).shard("conversations", 2).unlink()
    for stage in (curate.clean, curate.label, curate.dedup, curate.score, curate.scan, curate.funnel, curate.hist):
        with pytest.raises(WorkspaceError, match="interrupted") as caught:
            stage(ws)
        assert "run the same `curate ingest` again" in str(caught.value.hint)
    with pytest.raises(CurateError, match="interrupted"):
        curate.export(ws, tmp_path / "out", quiet=True)
    assert curate.ingest([file], ws, quiet=True).conversations == 6
    assert curate.scan(ws).collect().equals(whole)


def test_tables_are_plain_parquet(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(HELLO, HELLO, shard_rows=1)
    assert pl.read_parquet(ws.path / "conversations" / "*.parquet")["key"].to_list() == [0, 1]
