"""An export appears whole or not at all, is never put over foreign files, and a rerun changes no byte."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curate.errors import CurateError
from curate.export import export

from .workspaces import conversation, make, talk

ROWS = [conversation(talk(f"Question {n}", f"Answer {n}"), **{"class": "gpt-4"}) for n in range(30)]


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: data for name, (data, _) in snapshot(folder).items()}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make(tmp_path / "ws", ROWS, shard=7).path


def run(workspace: Path, out: Path, **options: Any) -> Any:
    return export(workspace, out, quiet=True, **options)


def test_a_rerun_changes_no_byte(workspace: Path, tmp_path: Path) -> None:
    first = run(workspace, tmp_path / "out")
    before = snapshot(tmp_path / "out")
    again = run(workspace, tmp_path / "out")
    assert snapshot(tmp_path / "out") == before
    assert again.unchanged
    assert (again.rows, again.classes, again.files) == (first.rows, first.classes, first.files)
    run(workspace, tmp_path / "elsewhere")
    assert contents(tmp_path / "elsewhere") == contents(tmp_path / "out")


def test_other_options_or_other_tables_replace_the_export(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(workspace, out)
    assert not run(workspace, out, seed=1).unchanged
    assert not run(workspace, out, format="openchat-jsonl").unchanged
    assert not (out / "data").exists(), "nothing of the earlier export is left"
    relabelled = make(tmp_path / "other", [{**row, "class": "human"} for row in ROWS], shard=7)
    for index in relabelled.shards("labels"):
        relabelled.shard("labels", index).replace(workspace / "labels" / f"part-{index:05}.parquet")
    assert run(workspace, out, format="openchat-jsonl").conditions == {"Human": len(ROWS)}


def test_a_damaged_export_is_made_anew(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(workspace, out)
    good = contents(out)
    shard = next((out / "data").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1])
    assert not run(workspace, out).unchanged
    assert contents(out) == good


def test_foreign_files_are_never_replaced(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(CurateError, match="not empty and not an export"):
        run(workspace, out)
    (out / "thesis.txt").unlink()
    run(workspace, out)
    (out / "checkpoint.bin").write_text("mine")
    with pytest.raises(CurateError, match=r"did not write: `checkpoint\.bin`"):
        run(workspace, out, seed=1)
    assert (out / "checkpoint.bin").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CurateError, match="is a file"):
        run(workspace, tmp_path / "file")


@pytest.mark.parametrize("place", [".", "..", "scores", "scores/new", "manifest.json", "judgements.sqlite"])
def test_the_tables_of_the_workspace_are_no_place_for_an_export(workspace: Path, place: str) -> None:
    before = contents(workspace)
    with pytest.raises(CurateError, match="among the workspace's own files"):
        run(workspace, workspace / place)
    assert contents(workspace) == before
    assert run(workspace, workspace / "exports" / "one").rows == len(ROWS)


def test_what_curate_did_not_make_is_not_removed_from_beside_the_export(workspace: Path, tmp_path: Path) -> None:
    mine, in_the_way = tmp_path / ".out.tmp", tmp_path / ".out.replaced"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    assert run(workspace, tmp_path / "out").rows == len(ROWS)
    assert contents(mine) == {"thesis.txt": b"mine"}
    assert {path.name for path in tmp_path.iterdir()} == {"ws", "out", ".out.tmp"}
    mine.rename(in_the_way)
    with pytest.raises(CurateError, match="in the way") as caught:
        run(workspace, tmp_path / "out", seed=1)
    assert caught.value.where == str(in_the_way)
    assert contents(in_the_way) == {"thesis.txt": b"mine"}


def test_an_empty_folder_is_filled(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run(workspace, tmp_path / "out").rows == len(ROWS)
    assert {path.name for path in tmp_path.iterdir()} == {"ws", "out"}


def test_a_full_disk_leaves_the_earlier_export_and_nothing_else(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(workspace, out)
    before = snapshot(out)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
    try:
        with pytest.raises(CurateError, match="the export cannot be written") as caught:
            run(workspace, out, seed=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.hint
    assert snapshot(out) == before
    assert {path.name for path in tmp_path.iterdir()} == {"ws", "out"}


def test_a_killed_export_is_made_whole_by_the_next_run(workspace: Path, tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib\n"
        "from curate.export.formats import crlft\n"
        "from curate.export import export\n"
        "write = crlft.card.render\n"
        "def die(job):\n"
        "    pathlib.Path(sys.argv[3]).touch()\n"
        "    os.kill(os.getpid(), 9)\n"
        "crlft.card.render = die\n"
        "export(sys.argv[1], sys.argv[2], quiet=True)\n"
    )
    out, reached = tmp_path / "out", tmp_path / "reached"
    killed = subprocess.run([sys.executable, "-c", script, str(workspace), str(out), str(reached)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert reached.exists()
    assert not out.exists()
    run(workspace, out)
    run(workspace, tmp_path / "untouched")
    assert contents(out) == contents(tmp_path / "untouched")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_kill_between_the_two_renames_loses_nothing(workspace: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(workspace, out)
    before = snapshot(out)
    out.rename(tmp_path / ".out.replaced")
    assert run(workspace, out).unchanged
    assert snapshot(out) == before


def test_the_workspace_manifest_records_the_export_without_places_or_times(workspace: Path, tmp_path: Path) -> None:
    run(workspace, tmp_path / "out")
    text = (workspace / "manifest.json").read_text()
    assert str(tmp_path) not in text
    assert time.strftime("%Y-%m-%d") not in text
    assert '"exported": 30' in text
