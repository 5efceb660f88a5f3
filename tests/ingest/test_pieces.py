"""Pieces: the same bytes wherever they are converted, and whatever is missing of them when an ingest goes on."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import curate
from curate.engine.processes import Processes
from curate.errors import CurateError, WorkspaceError
from curate.ingest import table
from curate.ingest.run import Run
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    Tree = Callable[[Path], dict[str, bytes]]

SAMPLES = Path(__file__).parents[2] / "sample_data"


def pieces_of(base: int) -> list[tuple[str, list[dict[str, str]]]]:
    """A conversation in two pieces."""
    turns = [{"role": role, "content": f"{role} {base} {turn}"} for turn in range(2) for role in ("user", "assistant")]
    return [(f"aB{base:05}_0", turns[:2]), (f"aB{base:05}_2", turns[2:])]


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    """CSV in which the pieces of each conversation lie apart."""
    path = tmp_path / "apart.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "messages"])
        for half in (0, 1):
            writer.writerows((name, json.dumps(turns)) for name, turns in (pieces_of(n)[half] for n in range(40)))
    return path


def test_shards_have_the_same_bytes_however_many_processes(
    tmp_path: Path, apart: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SHARD_BYTES", 6_000)
    started, start = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **more: started.append(args) or start(*args, **more))
    found = []
    for count in ("1", "3"):
        assert not started
        monkeypatch.setenv("CURATE_PROCESSES", count)
        ws = tmp_path / count
        curate.ingest([SAMPLES], ws, quiet=True)
        curate.ingest([apart], ws, columns={"id": "id", "messages": "messages"}, quiet=True)
        found.append(tree(ws))
    assert found[0] == found[1]
    assert len(started) >= 6
    assert len([name for name in found[0] if name.startswith("conversations/part")]) > 20


def test_what_only_the_strict_parser_reads_is_the_same_in_a_worker(
    tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SHARD_BYTES", 2_000)
    talk = '"conversations": [{"from": "human", "value": "Hi %d"}, {"from": "gpt", "value": "Hello"}]'
    deep = '{"a":' * 300 + "1" + "}" * 300
    odd = ('"x": NaN', '"x": [Infinity, 1e400]', f'"x": {deep}', '"id": "a", "id": "b"', '"x": 1')
    records = [f"{{{odd[number % 5]}, {talk % number}}}" for number in range(60)]
    for name, text in (("a.jsonl", "\n".join(records)), ("b.json", f"[{','.join(records)}]")):
        (tmp_path / name).write_text(text)
    for count in ("1", "2"):
        monkeypatch.setenv("CURATE_PROCESSES", count)
        result = curate.ingest([tmp_path / "a.jsonl", tmp_path / "b.json"], tmp_path / count, quiet=True)
        assert result.records == result.conversations + sum(result.rejects.values()) == 120
        assert result.rejects["duplicate_keys"] == 24
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


def test_rows_of_a_table_whose_pieces_lie_apart_find_each_other(tmp_path: Path, apart: Path) -> None:
    result = curate.ingest([apart], tmp_path / "ws", columns={"id": "id", "messages": "messages"}, quiet=True)
    assert (result.conversations, result.joined, result.rejects) == (40, 40, {})


@pytest.fixture
def heavy(tmp_path: Path) -> Path:
    """Records with so many answers to a long question that their conversations are a hundred times as many bytes."""
    path = tmp_path / "heavy.jsonl"
    with path.open("w") as file:
        for number in range(40):
            answers = [{"model": "gpt-4", "response": f"answer {answer}"} for answer in range(100 * (number % 4 == 1))]
            answers = answers or [{"model": "gpt-4", "response": "the only one"}]
            file.write(json.dumps({"instruction": f"{number} why " * 200, "completions": answers}) + "\n")
    return path


def test_a_piece_out_of_which_very_much_comes_is_several_shards(
    tmp_path: Path, heavy: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SHARD_BYTES", 30_000)
    ws = Workspace(tmp_path / "ws", create=True)
    result = curate.ingest([heavy], ws.path, quiet=True)
    assert result.conversations == 10 * 100 + 30
    stamps = [ws.stamp("conversations", shard) for shard in ws.shards("conversations")]
    ends = [stamp["ends"] for stamp in stamps]
    assert ends.count(False) >= 8
    assert ends[-1]
    assert max(stamp["conversations"] for stamp in stamps) <= 2 * 100
    assert pl.read_parquet(ws.path / "conversations" / "part-*.parquet")["key"].to_list() == list(range(1030))
    # Whatever is missing, and however many are there behind it.
    for shard in range(len(stamps)):
        again = tmp_path / f"again-{shard}"
        shutil.copytree(ws.path, again)
        (again / "manifest.json").unlink()
        (again / "conversations" / f"part-{shard:05}.parquet").unlink()
        with pytest.raises(WorkspaceError, match="was interrupted"):
            curate.label(again, quiet=True)
        curate.ingest([heavy], again, quiet=True)
        assert tree(again) == tree(ws.path)


def test_a_worker_makes_several_shards_of_a_piece(tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    # Workers have the limit of users: 64 MB.
    path = tmp_path / "heavy.jsonl"
    answers = [{"model": "gpt-4", "response": str(answer)} for answer in range(450)]
    with path.open("w") as file:
        for number in range(4):
            some = answers if number < 3 else answers[:1]
            file.write(json.dumps({"instruction": str(number) * 80_000, "completions": some}) + "\n")
    monkeypatch.setattr(table, "SHARD_ROWS", 3)
    monkeypatch.setattr(table, "MOST", 200)
    monkeypatch.setenv("CURATE_PROCESSES", "2")
    ws = Workspace(tmp_path / "ws", create=True)
    curate.ingest([path], ws.path, quiet=True)
    stamps = [ws.stamp("conversations", shard) for shard in ws.shards("conversations")]
    assert [(stamp["conversations"], stamp["ends"]) for stamp in stamps] == [(900, False), (450, True), (1, True)]
    monkeypatch.setenv("CURATE_PROCESSES", "1")
    monkeypatch.setattr(table, "SHARD_BYTES", (64 << 20) // 200)
    curate.ingest([path], tmp_path / "alone", quiet=True)
    assert tree(tmp_path / "alone") == tree(ws.path)


def test_what_another_ingest_left_with_a_gap_is_removed(
    tmp_path: Path, heavy: Path, tree: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SHARD_ROWS", 10)
    ws = tmp_path / "ws"
    curate.ingest([heavy], ws, source="other", quiet=True)
    (ws / "manifest.json").unlink()
    with pytest.raises(WorkspaceError, match="another ingest has written all its conversations"):
        curate.ingest([heavy], ws, quiet=True)
    (ws / "conversations" / "part-00001.parquet").unlink()
    curate.ingest([heavy], ws, quiet=True)
    assert "removed shard 3, left behind by another ingest" in capsys.readouterr().err
    curate.ingest([heavy], tmp_path / "new", quiet=True)
    assert tree(ws) == tree(tmp_path / "new")


def test_an_error_while_records_are_read_ends_the_workers_and_a_rerun_ends_as_ever(
    tmp_path: Path, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "SHARD_BYTES", 6_000)
    monkeypatch.setenv("CURATE_PROCESSES", "2")
    curate.ingest([SAMPLES], tmp_path / "whole", quiet=True)
    pieces = Run.pieces

    def broken(self: Run, *args: Any, **more: Any) -> Any:
        for number, piece in enumerate(pieces(self, *args, **more)):
            if number == 6:
                raise CurateError("the disk is gone")
            yield piece

    monkeypatch.setattr(Run, "pieces", broken)
    with pytest.raises(CurateError, match="the disk is gone"):
        curate.ingest([SAMPLES], tmp_path / "ws", quiet=True)
    monkeypatch.setattr(Run, "pieces", pieces)
    curate.ingest([SAMPLES], tmp_path / "ws", quiet=True)
    assert tree(tmp_path / "ws") == tree(tmp_path / "whole")


def test_a_pipe_is_shared_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import subprocess, sys, curate\n"
        "from curate.ingest import table\n"
        "table.SHARD_ROWS = 10\n"
        "started, start = [], subprocess.Popen\n"
        "subprocess.Popen = lambda *args, **more: started.append(args) or start(*args, **more)\n"
        "print(curate.ingest(['-'], sys.argv[1], quiet=True).conversations, len(started))\n"
    )
    monkeypatch.setenv("CURATE_PROCESSES", "2")
    records = "".join(json.dumps({"messages": turns}) + "\n" for n in range(30) for _, turns in pieces_of(n))
    command = [sys.executable, "-c", code, str(tmp_path / "ws")]
    done = subprocess.run(command, input=records, text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["60", "2"]


def test_a_sum_reaches_each_item_in_turn_and_an_error_all_behind_it() -> None:
    class Adds:
        """Says what it adds at once, or for odd numbers when it is done."""

        def __call__(self, told: Any) -> Any:
            if isinstance(told, str):
                self.own = int(told)
                if self.own == 9:
                    raise CurateError("nine")
                return None if self.own % 2 else self.own
            assert told == sum(range(self.own))
            return self.own

    for count in (1, 3):
        assert list(Processes(count).chain(Adds(), map(str, range(9)), 0)) == list(range(9))
        with pytest.raises(CurateError, match="nine"):
            list(Processes(count).chain(Adds(), map(str, range(20)), 0))


def test_an_item_that_a_worker_cannot_unpack_ends_it() -> None:
    with pytest.raises(CurateError, match="a worker process is gone"):
        list(Processes(2).map(str, [Broken(), Broken()]))


class Broken:
    def __reduce__(self) -> Any:
        return int, ("no number",)
