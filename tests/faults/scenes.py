"""A flow on the sample data in small shards, stage by stage: what each finds, and what it leaves undisturbed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHARD_BYTES = 120_000
STAGES: dict[str, list[str]] = {
    "ingest": ["ingest", "dump", "-w", "ws", "-q"],
    "clean": ["clean", "-w", "ws", "-q", "--redact"],
    "label": ["label", "-w", "ws", "-q"],
    "dedup": ["dedup", "-w", "ws", "-q"],
    "score": ["score", "-w", "ws", "-q"],
    "export": ["export", "-w", "ws", "-o", "shards", "-q"],
}


@dataclass
class End:
    """How a command ended: its exit code (negative: the signal), seconds, those of a CPU, and what stderr got."""

    code: int
    seconds: float
    cpu: float
    stderr: str


class Zygote:
    """Runs commands in children of a process that has curate loaded."""

    def __init__(self) -> None:
        command = [sys.executable, str(HERE / "zygote.py")]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def run(self, argv: list[str], cwd: Path, *, shard_bytes: int = SHARD_BYTES, **more: Any) -> End:
        """Run `curate ARGV…`; `fault`, `signals` and `env` as `zygote.py` takes them."""
        request = {"argv": argv, "cwd": str(cwd), "shard_bytes": shard_bytes, **more}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return End(**json.loads(self._line()))

    def close(self) -> None:
        """End it."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@dataclass
class Scene:
    """What a stage finds and what it leaves.

    Attributes:
        stage: Its name.
        before: A folder as the stage finds it.
        after: Every file of that folder as the undisturbed stage leaves it; the lock aside.
        seconds: How long the stage takes.
        cpu: How long a CPU works for it.
        changes: How often it changes the file system.
    """

    stage: str
    before: Path
    after: dict[str, bytes] = field(repr=False, default_factory=dict)
    seconds: float = 0.0
    cpu: float = 0.0
    changes: int = 0

    @property
    def argv(self) -> list[str]:
        """The command."""
        return STAGES[self.stage]

    @staticmethod
    def remove(folder: Path) -> None:
        """Remove a folder, if it is there."""
        shutil.rmtree(folder, ignore_errors=True)

    def place(self, folder: Path) -> Path:
        """A fresh copy of what the stage finds."""
        self.remove(folder)
        shutil.copytree(self.before, folder)
        return folder

    def differences(self, folder: Path) -> list[str]:
        """Names of files that are missing, too many, or not byte for byte those of an undisturbed stage."""
        there = files(folder)
        return sorted(name for name in there.keys() | self.after.keys() if there.get(name) != self.after.get(name))


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes; the lock aside."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def copied(finished: Path, folder: Path) -> tuple[Path, dict[str, bytes]]:
    """A copy below a folder, and its files."""
    copy = folder / "scene"
    shutil.copytree(finished, copy)
    return copy, files(copy)


def ends_as_ever(zygote: Zygote, scene: Scene, folder: Path) -> None:
    """Run a stage, and hold what it leaves to the bytes of an undisturbed run."""
    end = zygote.run(scene.argv, folder)
    assert end.code == 0, end.stderr
    assert scene.differences(folder) == []


def scenes(zygote: Zygote, folder: Path) -> dict[str, Scene]:
    """Every stage of the flow, each after those before it."""
    here = folder / "flow"
    shutil.copytree(ROOT / "sample_data", here / "dump", ignore=shutil.ignore_patterns("*.py", "*.md", "*.toml", "__*"))
    found = {}
    for stage, argv in STAGES.items():
        scene = Scene(stage, folder / f"before-{stage}")
        shutil.copytree(here, scene.before)
        seconds, cpu = [], []
        for _ in range(2):  # the first one warms up what is cached
            scene.place(folder / "timed")
            counted = folder / "changes.txt"
            end = zygote.run(argv, folder / "timed", fault={"count": str(counted)})
            assert end.code == 0, end.stderr
            seconds.append(end.seconds)
            cpu.append(end.cpu)
            scene.changes = int(counted.read_text())
        scene.seconds, scene.cpu = min(seconds), min(cpu)
        end = zygote.run(argv, here)
        assert end.code == 0, end.stderr
        scene.after = files(here)
        assert not scene.differences(folder / "timed"), "the stage is not the same twice"
        found[stage] = scene
    return found
