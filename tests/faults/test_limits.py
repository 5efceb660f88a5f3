"""A full disk, no more open files, a second writer: a message that says so, and a rerun that ends as ever."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest
from scenes import STAGES, Scene, Zygote, ends_as_ever, files

import curate
from curate.export.folder import held

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
    ends_as_ever(zygote, scene, folder)


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
    ends_as_ever(zygote, scene, folder)


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


@stages
def test_a_folder_that_cannot_be_written_is_named(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    """For root as well: it gives up its right to write everywhere."""
    scene = flow[stage]
    folder = scene.place(tmp_path / "scene")
    closed = [path for path in (folder, *folder.rglob("*")) if path.is_dir()]
    for path in closed:
        path.chmod(0o500)
    end = zygote.run(scene.argv, folder, fault={"unprivileged": True})
    for path in closed:
        path.chmod(0o700)
    assert end.code == 2, end.stderr
    assert "cannot be written: Permission denied" in end.stderr
    assert re.search("--> .*(ws|shards)", end.stderr)
    assert files(folder) == files(scene.before), "and nothing was touched"
    ends_as_ever(zygote, scene, folder)


@stages
def test_no_room_for_the_next_change_is_an_error_that_names_the_file(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    """At opening, renaming, making a folder and flushing, one after the other."""
    scene = flow[stage]
    folder = scene.place(tmp_path / "scene")
    for point in random.Random(stage).sample(range(1, scene.changes + 1), 2):
        end = zygote.run(scene.argv, folder, fault={"full": point})
        assert end.code in (0, 2), end.stderr  # less is left to do each time
        assert not any(word in end.stderr for word in BUG), end.stderr
        assert end.code == 0 or ("No space left on device" in end.stderr and "--> " in end.stderr), end.stderr
        assert not list(folder.rglob("*.tmp"))
    ends_as_ever(zygote, scene, folder)


def test_two_exports_of_two_workspaces_into_one_folder_are_one_whole_export(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path
) -> None:
    """The second removed the folder that the first was still writing to."""
    scene = flow["export"]
    folder = scene.place(tmp_path / "scene")
    with held((folder / "shards").resolve()):
        end = zygote.run(scene.argv, folder)
        assert end.code == 2
        assert "another curate is writing this export" in end.stderr
        assert "wait for it" in end.stderr
        assert not (folder / "shards").exists()
    (folder / ".shards.lock").touch()  # left by one that was killed
    ends_as_ever(zygote, scene, folder)


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
    ends_as_ever(zygote, scene, folder)
