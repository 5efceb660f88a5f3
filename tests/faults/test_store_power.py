"""The power goes while judgements are kept: what the store has said is kept is on the disk, flushed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import curate
from curate.judge import store

HERE = Path(__file__).parent
SECTOR = 512
PROGRAM = """
import sys
from pathlib import Path
from curate.judge.store import Judgement, Store
with Store(Path(sys.argv[1])) as kept:
    for number in range(int(sys.argv[2]), 100_000):
        key = f"k{number}"
        kept.intend(key, 900, 100, 0.1).result()
        print("sent", key, flush=True)
        kept.keep(Judgement(key, "chat", "m", content="x" * (number % 3_000)), {f"i{number}": "r1"}).result()
        print("kept", key, flush=True)
"""


@pytest.fixture(scope="module")
def flushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that copies each file as it is when it is flushed, SQLite's own calls among them."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to watch SQLite flush with")
    library = tmp_path_factory.mktemp("flushed") / "flushed.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "flushed.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def after_the_cut(folder: Path, disk: Path, to: Path, chance: random.Random) -> None:
    """What may be left: all that was flushed, and of what was written since any sectors."""
    to.mkdir()
    for path in folder.iterdir():
        if path.name.endswith("-shm"):
            continue  # shared memory in a file: never flushed, and made anew
        sure = (disk / path.name).read_bytes() if (disk / path.name).exists() else b""
        written = path.read_bytes()
        left = bytearray(sure)
        for at in range(0, len(written), SECTOR):
            if chance.random() < 0.5 and written[at : at + SECTOR] != sure[at : at + SECTOR]:
                left.extend(b"\0" * (at + SECTOR - len(left)))
                left[at : at + SECTOR] = written[at : at + SECTOR].ljust(SECTOR, b"\0")
        (to / path.name).write_bytes(left)


def test_what_the_store_has_said_is_kept_outlives_the_power(flushed: Path, tmp_path: Path) -> None:
    folder, disk, chance = tmp_path / "ws", tmp_path / "disk", random.Random(0)
    folder.mkdir()
    disk.mkdir()
    watched = {"LD_PRELOAD": str(flushed), "FLUSHED_OF": str(folder), "FLUSHED_TO": str(disk)}
    environment = {**os.environ, "PYTHONPATH": str(Path(curate.__file__).parents[1]), **watched}
    path, said, number = folder / store.FILE, "", 0
    for cut in range(2):
        command = [sys.executable, "-c", PROGRAM, str(path), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout
            said += process.stdout.readline()  # it has begun
            time.sleep(chance.uniform(0.02, 0.6))
            process.send_signal(signal.SIGKILL)
            said += process.stdout.read()
        lines = [line.split() for line in said.splitlines() if line.startswith(("sent k", "kept k"))]
        kept = {key for what, key in lines if what == "kept"}
        sent = {key for what, key in lines if what == "sent"}
        number = 1 + max(int(key[1:]) for key in sent)
        left = tmp_path / f"left-{cut}"
        after_the_cut(folder, disk, left, chance)
        with closing(sqlite3.connect(left / store.FILE)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            there = {key for (key,) in connection.execute("SELECT key FROM judgements")}
            known = {key for (key,) in connection.execute("SELECT call FROM inflight UNION SELECT call FROM attempts")}
        assert kept <= there, "nothing that was acknowledged is lost"
        assert sent <= known, "and nothing that may have been sent is unknown"
    assert len(kept) > 20
