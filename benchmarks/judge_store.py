"""Whether a store loses what it acknowledged when its process is killed, again and again.

    python benchmarks/judge_store.py [--kills 10] [--seconds 1.0]

A child process writes judgements and prints each key after its write was acknowledged; it is killed with -9 at a random
moment. Then every printed key must be there, whole, and the data base must be sound.
"""

from __future__ import annotations

import argparse
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from time import process_time

from curate.judge.store import Judgement, Store, known


def write(path: Path, first: int) -> None:
    """Write until killed, eight at a time as eight calls in flight would; print what is acknowledged."""
    with Store(path) as store:
        number = first
        while True:
            waiting = []
            for _ in range(8):
                key = f"{number:09}"
                store.intend(key, 900, 100)
                reply = '{"r1": {"evidence": "' + "x" * 120 + '", "correct": 4, "flags": []}}'
                judgement = Judgement(key, "chat", "m", content=reply, tokens_in=900, tokens_out=60)
                waiting.append((key, store.keep(judgement, {f"id-{key}": "r1"})))
                number += 1
            for key, written in waiting:
                written.result()
                sys.stdout.write(key + "\n")
            sys.stdout.flush()


def killed(path: Path, first: int, seconds: float) -> list[str]:
    """The keys that a child acknowledged before it was killed."""
    command = [sys.executable, __file__, "--write", str(path), "--first", str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        begun = process.stdout.readline()
        time.sleep(random.uniform(0.2, seconds))
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    return [line for line in (begun + rest).split("\n")[:-1] if len(line) == 9]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    if options.write:
        write(options.write, options.first)
        return
    random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path, acknowledged = Path(folder) / "judgements.sqlite", []
        for kill in range(options.kills):
            acknowledged += killed(path, kill * 1_000_000, options.seconds)
        there = known(path)
        lost = [key for key in acknowledged if f"id-{key}" not in there]
        with closing(sqlite3.connect(path)) as connection:
            sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
        with Store(path) as store:
            whole = len(store.read(acknowledged))
            cut_off = store.lost()[0]
            begun, count = process_time(), 5_000
            for number in range(count):
                store.keep(Judgement(f"speed {number}", "chat", "m", content="{}"), {f"s{number}": "r1"})
        spent = process_time() - begun
        print(
            f"{options.kills} kills: {len(acknowledged):,} judgements acknowledged, {len(lost)} lost, {whole:,} whole"
        )
        print(f"integrity {sound}; {cut_off} calls known to be cut off")
        print(f"{1_000 * spent / count:.3f} ms of processor per judgement kept")
        if lost or whole != len(acknowledged) or sound != "ok":
            raise SystemExit(1)


if __name__ == "__main__":
    main()
