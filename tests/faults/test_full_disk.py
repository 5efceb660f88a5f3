"""A file system that is really full, of bytes or of names, or read-only: said, nothing half written, and mended."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_server import good, serve
from mounts import PAGE, Mount, mounted
from scenes import STAGES, Scene, Zygote, ends_as_ever, files

import curate
from curate.judge import store

stages = pytest.mark.parametrize("stage", STAGES)
SHARES = (0.0, 0.4, 0.9)
ROOMY = "size=64m,nr_inodes=10000"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Mount]:
    with mounted(tmp_path / "disk") as mount:
        yield mount


def pages(sizes: list[int]) -> int:
    return sum(math.ceil(size / PAGE) * PAGE for size in sizes)


def half_written(scene: Scene, folder: Path) -> list[str]:
    """Files that are neither as they were nor as they will be."""
    before, there = files(scene.before), files(folder)
    return sorted(name for name in there if there[name] not in (before.get(name), scene.after.get(name)))


def told(stderr: str) -> bool:
    """What, where, and how to go on."""
    words = " ".join(stderr.split())
    return "No space left on device" in words and "--> " in words and "hint: " in words and "make room" in words


def told_and_mended(zygote: Zygote, scene: Scene, small: Mount, folder: Path) -> int:
    """The exit code on a disk that may be full; what went wrong was told, and with room it ends as ever."""
    end = zygote.run(scene.argv, folder)
    assert end.code in (0, 2), end.stderr
    assert end.code == 0 or told(end.stderr), end.stderr
    assert end.code == 0 or half_written(scene, folder) == []
    small.change(ROOMY)
    ends_as_ever(zygote, scene, folder)
    return end.code


@stages
def test_a_disk_that_runs_full_is_told_and_with_room_the_same_command_ends_as_ever(
    zygote: Zygote, flow: dict[str, Scene], small: Mount, stage: str
) -> None:
    scene = flow[stage]
    before, codes = files(scene.before), []
    written = [len(data) for name, data in scene.after.items() if before.get(name) != data]
    for share in SHARES:
        small.change(ROOMY)
        folder = scene.place(small.path / "scene")
        small.change(f"size={small.used()[0] + max(PAGE, int(pages(written) * share)) // PAGE * PAGE}")
        codes.append(told_and_mended(zygote, scene, small, folder))
    assert 2 in codes


@stages
def test_a_disk_without_room_for_another_name_is_told_and_the_rerun_ends_as_ever(
    zygote: Zygote, flow: dict[str, Scene], small: Mount, stage: str
) -> None:
    scene = flow[stage]
    new, codes = len(scene.after) - len(files(scene.before)), []
    for spare in (0, 1, 2, max(3, new // 2)):
        small.change(ROOMY)
        folder = scene.place(small.path / "scene")
        small.change(f"nr_inodes={small.used()[1] + spare}")
        codes.append(told_and_mended(zygote, scene, small, folder))
    assert 2 in codes


@stages
def test_a_file_system_that_is_read_only_is_named_and_nothing_is_touched(
    zygote: Zygote, flow: dict[str, Scene], small: Mount, stage: str
) -> None:
    scene = flow[stage]
    folder = scene.place(small.path / "scene")
    small.change("ro")
    end = zygote.run(scene.argv, folder)
    assert end.code == 2, end.stderr
    assert "cannot be written: Read-only file system" in end.stderr
    assert re.search("--> .*(ws|shards)", end.stderr)
    small.change("rw")
    assert files(folder) == files(scene.before)
    ends_as_ever(zygote, scene, folder)


READING = (
    ["hist", "-w", "ws"],
    ["report", "-w", "ws"],
    ["doctor", "-w", "ws", "--json"],
    ["show", "0", "-w", "ws"],
    ["verify", "shards", "--fail-on", "never"],
    ["browse", "-w", "ws", "--json"],
    ["diff", "ws", "ws"],
)


def test_what_lies_on_a_read_only_file_system_can_be_looked_at(
    zygote: Zygote, flow: dict[str, Scene], small: Mount
) -> None:
    """A data base of judgements among it, which others may not write either."""
    folder = flow["export"].place(small.path / "scene")
    with serve(lambda *_: good()) as server:
        options = ["--judge", "m", "--base-url", server.base_url, "--rubric", "general", "-q"]
        assert zygote.run(["score", "-w", "ws", *options], folder).code == 0
        assert zygote.run([*STAGES["export"]], folder).code == 0
        writable = [zygote.run(argv, folder) for argv in READING]
        # `doctor` finds that a disk of 64 MB has no room for a rerun; nothing else is wrong.
        assert [end.code for end in writable] == [int(argv[0] == "doctor") for argv in READING]
        there = files(folder)
        small.change("ro")
        for argv, before in zip(READING, writable, strict=True):
            end = zygote.run(argv, folder)
            assert (end.code, end.stderr) == (before.code, before.stderr), argv
        # Nothing is asked again either: what was judged is read from there.
        end = zygote.run(["score", "-w", "ws", *options, "--dry-run"], folder)
        assert end.code == 0, end.stderr
        small.change("rw")
        assert files(folder) == there


def test_judgements_that_do_not_fit_on_the_disk_are_told_and_none_that_was_kept_is_bought_again(
    zygote: Zygote, flow: dict[str, Scene], small: Mount, tmp_path: Path
) -> None:
    scene = flow["score"]
    with serve(lambda *_: good()) as server:
        argv = ["score", "-w", "ws", "-q", "--judge", "m", "--base-url", server.base_url, "--rubric", "general"]
        whole = scene.place(tmp_path / "whole")
        assert zygote.run(argv, whole).code == 0
        calls = len(server.bodies)
        for spare in (1, 16, 40, 56):
            small.change(ROOMY)
            folder = scene.place(small.path / "scene")
            server.bodies.clear()
            small.change(f"size={small.used()[0] + spare * PAGE}")
            end = zygote.run(argv, folder)
            assert end.code in (2, 3), end.stderr
            assert "Traceback" not in end.stderr
            assert "internal error" not in end.stderr
            assert "judgements.sqlite" in end.stderr
            assert "make room" in " ".join(end.stderr.split())
            small.change(ROOMY)
            kept, asked = len(store.usage(folder / "ws" / store.FILE)), len(server.bodies)
            end = zygote.run(argv, folder)
            assert end.code == 0, end.stderr
            assert len(server.bodies) == asked + calls - kept
            assert table(folder) == table(whole)


def table(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in files(folder).items() if "judgements.sqlite" not in name}


def test_the_room_that_doctor_asks_for_is_told_before_it_is_missing(
    flow: dict[str, Scene], small: Mount
) -> None:
    folder = flow["export"].place(small.path / "scene")
    small.change(f"size={small.used()[0] + 16 * PAGE}")
    (check,) = [check for check in curate.doctor(folder / "ws").checks if check.name == "disk"]
    assert check.status == "problem"
    assert "make room" in str(check.hint)
