"""Shards made side by side: the same bytes as one after the other, and no process left behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import curate
from curate.engine.processes import Processes, processes
from curate.errors import CurateError
from curate.memory import allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STAGES: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (curate.clean, {"redact": True}),
    (curate.label, {"assume": "gpt-3.5"}),
    (curate.score, {}),
]


@pytest.fixture
def raw(tmp_path: Path, chat: Callable[..., Any], dump: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of many shards."""
    monkeypatch.setattr(import_module("curate.ingest.table"), "SHARD_BYTES", 4_000)
    records = [chat(f"Question {i}: mail me at a{i}@example.org", f"Answer {i}. " * 40) for i in range(60)]
    ws = tmp_path / "raw"
    curate.ingest([dump(tmp_path / "dump.json", records)], ws, quiet=True)
    return ws


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if "curate.engine.worker" in one.cmdline()]


def test_tables_have_the_same_bytes_however_many_processes(
    raw: Path, tree: Callable[[Path], dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    left, started = [], []
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **more: started.append(args) or start(*args, **more))
    for count in ("1", "3"):
        assert not started
        monkeypatch.setenv("CURATE_PROCESSES", count)
        ws = raw.with_name(f"ws-{count}")
        shutil.copytree(raw, ws)
        for stage, options in STAGES:
            stage(ws, quiet=True, **options)
        left.append(tree(ws))
    assert len([name for name in left[0] if name.startswith("labels/part")]) >= 4
    assert left[0] == left[1]
    assert len(started) == 3 * 4, "for flags, tasks, labels and scores"
    assert not children()


def test_workers_do_the_work_in_the_order_of_the_items_and_take_few_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    def made(number: int) -> tuple[int, int]:
        time.sleep(0.05 if number % 2 else 0)
        print("this is no answer")
        return number, os.getpid()

    results = Processes(2).map(made, items())
    first = next(results)
    assert len(taken) <= 4
    found = [first, *results]
    assert [number for number, _ in found] == list(range(20))
    assert len({process for _, process in found}) == 2
    assert os.getpid() not in {process for _, process in found}
    assert not children()


def test_one_item_starts_no_process() -> None:
    assert list(Processes(4).map(lambda _: os.getpid(), [1])) == [os.getpid()]


def test_an_error_of_a_worker_is_the_error_of_the_stage() -> None:
    def fail(number: int) -> int:
        if number == 2:
            raise CurateError("the shard is damaged", where="part-2", hint="delete it")
        return number

    results = Processes(2).map(fail, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(CurateError, match="the shard is damaged") as error:
        next(results)
    assert (error.value.where, error.value.hint) == ("part-2", "delete it")
    assert not children()


def test_what_cannot_be_sent_is_an_error_with_its_traceback() -> None:
    def fail(number: int) -> int:
        class Odd(Exception):
            def __reduce__(self) -> Any:
                raise TypeError

        raise Odd(number)

    with pytest.raises(RuntimeError, match=r"in fail\n.*Odd: 0"):
        list(Processes(2).map(fail, range(5)))


def test_an_error_that_cannot_be_unpacked_is_told_all_the_same() -> None:
    def fail(number: int) -> int:
        raise UnicodeDecodeError("utf-8", b"x", 0, 1, "no text") if number else Odder(1, 2)

    with pytest.raises(RuntimeError, match="Odder: 1 and 2"):
        list(Processes(2).map(fail, range(5)))


class Odder(Exception):
    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def test_a_worker_that_is_killed_is_told_with_a_hint() -> None:
    def die(number: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(CurateError, match="a worker process is gone, exit code -9") as error:
        list(Processes(2).map(die, range(5)))
    assert "CURATE_PROCESSES=1" in str(error.value.hint)
    assert not children()


def test_whoever_stops_asking_leaves_no_worker() -> None:
    results = Processes(2).map(lambda number: number, range(100))
    next(results)
    assert children()
    results.close()
    assert not children()


def test_a_module_beside_the_data_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "polars.py").write_text("raise SystemExit('taken from the current folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])

    def version(_: int) -> str:
        import polars

        return polars.__version__

    assert len(set(Processes(2).map(version, range(2)))) == 1


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5"])
def test_a_number_of_processes_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    monkeypatch.setenv("CURATE_PROCESSES", number)
    with pytest.raises(CurateError, match="no number of processes"):
        processes(0)


def test_little_data_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.engine.processes.processors", lambda: 8)
    monkeypatch.setattr("curate.engine.processes.allowed", lambda: 6 << 30)
    assert [processes(megabytes << 20) for megabytes in (0, 7, 8, 20, 1000)] == [1, 1, 2, 5, 6]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_any_moment_no_worker_stays_and_a_rerun_ends_as_ever(
    raw: Path, tree: Callable[[Path], dict[str, bytes]], how: signal.Signals
) -> None:
    chance, environment = random.Random(how), {**os.environ, "CURATE_PROCESSES": "2"}

    def label(ws: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "curate", "label", "-w", str(ws), "--assume", "gpt-4", "-q"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=environment, start_new_session=True, **quiet)

    whole = raw.with_name("whole")
    shutil.copytree(raw, whole)
    began = time.monotonic()
    process = label(whole)
    process.communicate()
    assert process.returncode == 0
    took = time.monotonic() - began
    ws = raw.with_name("stopped")
    shutil.copytree(raw, ws)
    met = 0
    for _ in range(3):
        process, workers = label(ws), []
        while process.poll() is None and not workers:
            with suppress(psutil.NoSuchProcess):
                workers = psutil.Process(process.pid).children()
        met += bool(workers)
        time.sleep(took * chance.choice([0, 0.1, 0.5]) * chance.random())
        os.killpg(process.pid, how)  # as a terminal does
        _, told = process.communicate()
        assert b"Traceback" not in told, told
        _, left = psutil.wait_procs(workers, timeout=20)
        assert not left
    assert met
    process = label(ws)
    process.communicate()
    assert process.returncode == 0
    assert tree(ws) == tree(whole)


def test_no_worker_outlives_an_end_in_the_middle_of_an_item() -> None:
    code = (
        "from curate.engine.processes import Processes\n"
        "for _ in Processes(2).map(len, (bytes(60 << 20) for _ in range(1000))):\n"
        "    pass\n"
    )
    for delay in (0, 0.05, 0.2, 0.5):
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
        workers: list[psutil.Process] = []
        while len(workers) < 2:
            workers = psutil.Process(process.pid).children()
        time.sleep(delay)
        process.kill()
        assert process.stderr
        process.stderr.close()  # nobody reads what they say
        process.wait()
        assert not psutil.wait_procs(workers, timeout=20)[1]


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/", {"memory.max": "4096"}, 4096),
        ("0::/a/b", {"memory.max": "max", "a/memory.max": "8192", "a/b/memory.max": "max"}, 8192),
        ("4:cpu:/x\n3:memory:/host/only", {"memory/memory.limit_in_bytes": "2048"}, 2048),
        ("1:cpu:/", {"memory.max": "1"}, None),
        ("0::/", {}, None),
    ],
)
def test_memory_is_what_the_container_allows(
    tmp_path: Path, groups: str, files: dict[str, str], expected: int | None
) -> None:
    (tmp_path / "of").write_text(groups)
    for name, text in files.items():
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    found = allowed(tmp_path / "of", tmp_path / "root")
    assert found == (expected or psutil.virtual_memory().total)
