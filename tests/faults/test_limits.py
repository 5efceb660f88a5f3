"""A full disk, no more open files, a second writer: a message that says so, and a rerun that ends as ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from scenes import STAGES, Scene, Zygote

import curate
from curate.errors import CurateError

stages = pytest.mark.parametrize("stage", STAGES)
BUG = ("Traceback", "internal error")


@stages
def test_a_disk_that_is_full_is_named_and_nothing_is_kept_of_what_did_not_fit(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    scene = flow[stage]
    folder = scene.place(tmp_path / "scene")
    largest = max(map(len, scene.after.values()))
    for size in (0, 100, 9_000, largest // 2):
        end = zygote.run(scene.argv, folder, fault={"file_size": size})
        assert end.code in (0, 2), end.stderr
        assert not any(word in end.stderr for word in BUG), end.stderr
        assert end.code == 0 or "error: " in end.stderr
        assert not list(folder.rglob("*.tmp"))
    end = zygote.run(scene.argv, folder)
    assert end.code == 0, end.stderr
    assert scene.differences(folder) == []


@stages
def test_no_more_open_files_is_an_error_and_no_bug(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    scene = flow[stage]
    folder = scene.place(tmp_path / "scene")
    codes = []
    for handles in (6, 7, 9, 12, 16, 20):
        end = zygote.run(scene.argv, folder, fault={"handles": handles})
        assert not any(word in end.stderr for word in BUG), f"{handles}: {end.stderr}"
        codes.append(end.code)
    assert set(codes) <= {0, 2}
    assert 2 in codes
    end = zygote.run(scene.argv, folder)
    assert end.code == 0, end.stderr
    assert scene.differences(folder) == []


@stages
def test_a_clock_that_goes_backwards_changes_nothing(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    scene = flow[stage]
    folder = scene.place(tmp_path / "scene")
    for path in folder.rglob("*"):
        os.utime(path, (4_000_000_000, 4_000_000_000))  # everything that is there was made in the future
    end = zygote.run(scene.argv, folder, fault={"clock": -10 * 365 * 86_400})
    assert end.code == 0, end.stderr
    assert scene.differences(folder) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@stages
def test_a_folder_that_cannot_be_written_is_named(flow: dict[str, Scene], tmp_path: Path, stage: str) -> None:
    folder = flow[stage].place(tmp_path / "scene")
    for path in (folder / "ws", folder):
        if path.exists():
            path.chmod(0o500)
    with pytest.raises(CurateError, match="cannot be written"):
        getattr(curate, stage)(*([[folder / "dump"]] if stage == "ingest" else []), workspace=folder / "ws")
    for path in (folder, folder / "ws"):
        if path.exists():
            path.chmod(0o700)


@stages
def test_a_second_curate_is_told_and_the_first_ends_as_ever(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    scene = flow[stage]
    folder = scene.place(tmp_path / "scene")
    with curate.Workspace(folder / "ws", create=True).lock():
        end = zygote.run(scene.argv, folder)
        assert end.code == 2
        assert "another curate is writing to this workspace" in end.stderr
        assert "wait for it" in end.stderr
    end = zygote.run(scene.argv, folder)
    assert end.code == 0, end.stderr
    assert scene.differences(folder) == []
