"""Killed while a judge answers: the same table as undisturbed, and nothing is paid twice but what was in flight."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
import zlib
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from fake_batches import Batches
from fake_server import GOOD, JSON, Answer, Body, completion, data, serve
from rows import turns, workspace
from scenes import Zygote, files

from curate.judge.store import FILE

RESPONSES = 60
PARTLY = 3


def named(body: Body) -> str:
    """Grades that say in their evidence which question they answer, so that the bill can be laid beside the store."""
    chat = data(body)["chat"]
    asked = chat[0]["text"]
    return json.dumps({message["grade"]: GOOD | {"evidence": asked} for message in chat if "grade" in message})


def question(body: Body) -> str:
    return str(data(body)["chat"][0]["text"])


def bought(folder: Path) -> dict[str, str]:
    """What is in the store: question to the key of its call."""
    with closing(sqlite3.connect(folder / "ws" / FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT key, content FROM judgements").fetchall()
    return {json.loads(zlib.decompress(content))["r1"]["evidence"]: key for key, content in rows}


def in_flight(folder: Path) -> set[str]:
    path = folder / "ws" / FILE
    if not path.exists():
        return set()
    with closing(sqlite3.connect(path)) as connection:
        try:
            return {key for (key,) in connection.execute("SELECT call FROM inflight")}
        except sqlite3.OperationalError:
            return set()  # killed before the tables were made


def tables(folder: Path) -> dict[str, bytes]:
    return {name: value for name, value in files(folder).items() if FILE not in name}


def make(folder: Path) -> Path:
    half = RESPONSES // 2
    folder.mkdir()
    shards = [[turns(f"What is {i} + 1?", f"{i + 1}") for i in range(first, first + half)] for first in (0, half)]
    workspace(folder / "ws", *shards)
    return folder


def argv(base_url: str, *more: str) -> list[str]:
    return ["score", "-w", "ws", "-q", "--judge", "m", "--base-url", base_url, "--rubric", "general", *more]


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_killed_at_any_moment_it_pays_twice_only_for_what_was_in_flight(
    zygote: Zygote, tmp_path: Path, pause: float
) -> None:
    """The answers come at once, or so late that the kills meet many calls in flight."""
    billed: Counter[str] = Counter()

    def answer(body: Body, _: int) -> Answer:
        billed[question(body)] += 1
        time.sleep(pause)
        return 200, JSON, completion(named(body))

    with serve(answer) as server:
        whole = make(tmp_path / "whole")
        undisturbed = zygote.run(argv(server.base_url), whole)
        assert undisturbed.code == 0, undisturbed.stderr
        assert billed == Counter(dict.fromkeys(billed, 1))
        assert len(billed) == RESPONSES
        folder, moments = make(tmp_path / "scene"), random.Random(int(pause * 100))
        billed.clear()
        cut: Counter[str] = Counter()
        kills = 0
        for number in range(12):
            at = moments.uniform(0.1, 0.8) * undisturbed.seconds
            end = zygote.run(argv(server.base_url, "--concurrency", "4"), folder, signals=[[at, signal.SIGKILL]])
            if end.code == 0 and kills:
                break
            if end.code == 0:  # it was quicker than the kill
                folder = make(tmp_path / f"scene-{number}")
                billed.clear()
                continue
            kills += 1
            cut.update(in_flight(folder))
        end = zygote.run(argv(server.base_url), folder)
        assert end.code == 0, end.stderr
        assert kills
    kept = bought(folder)
    assert len(kept) == RESPONSES
    # Exactly: a question is billed once, and once more at most for each kill that met it in flight.
    for asked, count in billed.items():
        assert count - 1 <= cut[kept[asked]], asked
    assert sum(billed.values()) - RESPONSES <= sum(cut.values())
    assert tables(folder) == tables(whole)
    with closing(sqlite3.connect(folder / "ws" / FILE)) as connection:
        lost = connection.execute("SELECT call FROM attempts WHERE what = 'lost'").fetchall()
    assert Counter(call for (call,) in lost) == cut, "each that was cut off is written down"


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_is_wrong_by_years_keeps_nobody_waiting_for_years(
    zygote: Zygote, tmp_path: Path, years: int
) -> None:
    """A server that names the date from which on it takes calls again means its own clock, which it tells."""

    def answer(body: Body, count: int) -> Answer:
        if count <= 2:
            later = {"Retry-After": formatdate(time.time() + 2, usegmt=True)}
            return 429, JSON | later, b"{}"
        reset = datetime.fromtimestamp(time.time() + 1, UTC).isoformat()
        limits = {"limit": "60", "remaining": "59", "reset": reset}
        headers = {f"anthropic-ratelimit-requests-{name}": value for name, value in limits.items()}
        return 200, JSON | headers, completion(named(body))

    folder = make(tmp_path / "scene")
    with serve(answer) as server:
        end = zygote.run(argv(server.base_url), folder, fault={"clock": years * 365 * 86_400})
        assert end.code == 0, end.stderr
        assert len(bought(folder)) == RESPONSES
        again = zygote.run(argv(server.base_url), folder)
        assert again.code == 0, again.stderr
        assert len(server.bodies) == RESPONSES + 2, "and nothing is bought again when the clock is right"


def test_killed_while_a_batch_is_handed_in_or_fetched_no_line_is_in_two_batches(
    zygote: Zygote, tmp_path: Path
) -> None:
    def line(given: dict[str, Any]) -> dict[str, Any]:
        body = json.loads(completion(named(given["body"])))
        return {"custom_id": given["custom_id"], "response": {"status_code": 200, "body": body}}

    folders = {}
    for name, moments in (("whole", None), ("scene", random.Random(0))):
        folder = folders[name] = make(tmp_path / name)
        with serve(lambda *_: (500, JSON, b"{}")) as server:
            server.batches = batches = Batches(lambda lines: ([line(one) for one in lines], []))
            kills = 0
            for number in range(12):
                at = moments.uniform(0.1, 1.2) if moments and number < 8 else 1_000
                end = zygote.run(argv(server.base_url, "--backend", "batch"), folder, signals=[[at, signal.SIGKILL]])
                kills += end.code == -signal.SIGKILL
                assert end.code in (0, PARTLY, -signal.SIGKILL), end.stderr
                if end.code == 0:
                    break
                if number % 3 == 2 or moments is None:
                    batches.end()
            assert end.code == 0, end.stderr
            submitted = Counter(one["custom_id"] for one in batches.submitted())
            assert set(submitted.values()) == {1}
            assert len(submitted) == RESPONSES
            assert bool(kills) == bool(moments)
    assert tables(folders["scene"]) == tables(folders["whole"])
    assert len(bought(folders["scene"])) == RESPONSES
