"""Whatever ends a stage, and wherever: the same command again leaves the bytes of a run that nobody disturbed."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest
from scenes import STAGES, Scene, Zygote, ends_as_ever

stages = pytest.mark.parametrize("stage", STAGES)


@stages
def test_killed_before_any_change_of_the_disk(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    """One after the other, so that what one kill left behind meets the next."""
    scene = flow[stage]
    folder = scene.place(tmp_path / "scene")
    for point in random.Random(stage).sample(range(1, scene.changes + 1), 2):
        end = zygote.run(scene.argv, folder, fault={"kill": point})
        assert end.code in (-signal.SIGKILL, 0), end.stderr  # less is left to do each time
    ends_as_ever(zygote, scene, folder)


@stages
def test_killed_at_any_moment(zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str) -> None:
    scene, moments = flow[stage], random.Random(stage)
    folder = scene.place(tmp_path / "scene")
    for _ in range(2):
        zygote.run(scene.argv, folder, signals=[[moments.uniform(0, scene.seconds), signal.SIGKILL]])
    ends_as_ever(zygote, scene, folder)


@stages
def test_the_power_goes_and_what_was_not_flushed_is_gone(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    scene = flow[stage]
    moments = random.Random(stage)
    for number, point in enumerate(moments.sample(range(1, scene.changes + 1), 2)):
        folder = scene.place(tmp_path / "scene")
        disk = tmp_path / f"disk-{number}"
        end = zygote.run(scene.argv, folder, fault={"cut": point, "disk": str(disk)})
        assert end.code == -signal.SIGKILL, end.stderr
        end = zygote.run(scene.argv, disk)
        assert end.code == 0, end.stderr
        assert scene.differences(disk) == []


@stages
def test_what_a_stage_says_is_done_outlives_the_power(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    scene = flow[stage]
    folder = scene.place(tmp_path / "scene")
    end = zygote.run(scene.argv, folder, fault={"cut": 0, "disk": str(tmp_path / "disk")})
    assert end.code == 0, end.stderr
    assert scene.differences(folder) == []
    assert scene.differences(tmp_path / "disk") == []


@stages
def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    scene = flow[stage]
    folder = scene.place(tmp_path / "scene")
    end = zygote.run(scene.argv, folder, fault={"stop": scene.changes // 2})
    assert end.code == 130, end.stderr
    assert "Traceback" not in end.stderr
    assert not list(folder.rglob("*.tmp"))
    ends_as_ever(zygote, scene, folder)


@stages
def test_ctrl_c_twice_is_no_traceback_and_loses_nothing(
    zygote: Zygote, flow: dict[str, Scene], tmp_path: Path, stage: str
) -> None:
    scene, moments = flow[stage], random.Random(stage)
    folder = scene.place(tmp_path / "scene")
    for gap in (0.0, 0.005, 0.05):
        first = moments.uniform(0.05, max(0.1, scene.seconds * 0.8))
        signals = [[first, signal.SIGINT], [first + gap, signal.SIGINT]]
        end = zygote.run(scene.argv, folder, signals=signals)
        assert end.code in (130, -signal.SIGINT, 0), end.stderr
        assert "Traceback" not in end.stderr
    ends_as_ever(zygote, scene, folder)
