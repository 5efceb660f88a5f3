"""Batches: half the price, and nothing lost or paid twice when one expires, fails in part, or is forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_batches import Batches, Line
from fake_server import Fake, completion, good, grades, serve
from rows import turns, workspace

import curate
from curate.errors import CurateError, PartlyDoneError


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    monkeypatch.setattr("curate.judge.batch.POLL", 0.01)


def answered(line: Line, status: int = 200, body: Any = None) -> Line:
    reply = json.loads(completion(grades(line["body"]))) if body is None else body
    return {"custom_id": line["custom_id"], "response": {"status_code": status, "body": reply}}


def all_good(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    return [answered(line) for line in lines][::-1], []


def run(path: Path, server: Fake, **options: Any) -> Any:
    more = {"judge": "m", "base_url": server.base_url, "backend": "batch", "rubric": "general", "quiet": True}
    return curate.score(path, **{**more, **options})


def five(path: Path) -> None:
    workspace(path, [turns(f"{i}?", f"{i}!") for i in range(5)])


def test_a_batch_is_submitted_and_the_same_command_collects_it(tmp_path: Path) -> None:
    five(tmp_path)
    with serve(lambda *_: good()) as server:
        server.batches = Batches(all_good)
        for _ in range(2):
            with pytest.raises(PartlyDoneError, match="has not ended"):
                run(tmp_path, server)
        assert len(server.batches.submitted()) == 5, "what waits is not submitted again"
        server.batches.end()
        assert run(tmp_path, server).statuses["ok"] == 5
        assert run(tmp_path, server).statuses["ok"] == 5
        assert len(server.batches.batches) == 1
        assert curate.score(tmp_path, judge="m", base_url=server.base_url, rubric="general", quiet=True).calls == 0
        assert server.bodies == [], "chat and batch share what is stored"


def test_wait_comes_back_with_the_scores(tmp_path: Path) -> None:
    five(tmp_path)
    with serve(lambda *_: good()) as server:
        server.batches = Batches(all_good)
        get = server.batches.get

        def polled(path: str) -> Any:
            if "/batches/" in path:
                server.batches.end()
            return get(path)

        server.batches.get = polled
        assert run(tmp_path, server, wait=True).statuses["ok"] == 5


def test_an_expired_batch_keeps_what_it_brought_and_the_rest_is_asked_again(tmp_path: Path) -> None:
    def partly(lines: list[Line]) -> tuple[list[Line], list[Line]]:
        error = {"custom_id": lines[2]["custom_id"], "response": None, "error": {"code": "batch_expired"}}
        broken = answered(lines[3], body={"choices": None})
        stranger = {"custom_id": "nobody asked for this", "response": {"status_code": 200, "body": {}}}
        return [answered(lines[0]), broken, stranger], [error, answered(lines[1], 400, {"error": "no"})]

    five(tmp_path)
    with serve(lambda *_: good()) as server:
        server.batches = Batches(partly)
        with pytest.raises(PartlyDoneError):
            run(tmp_path, server)
        server.batches.end("expired")
        with pytest.raises(PartlyDoneError):
            run(tmp_path, server)
        first, second = list(server.batches.batches.values())
        ids = [[line["custom_id"] for line in server.batches._lines(b["input_file_id"])] for b in (first, second)]
        assert set(ids[1]) == {ids[0][2], ids[0][3], ids[0][4]}
        server.batches.work = all_good
        server.batches.end()
        with pytest.raises(PartlyDoneError, match="set aside: the server rejects it"):
            run(tmp_path, server)
        assert run(tmp_path, server, retry=True, backend="chat").statuses["ok"] == 5
        assert len(server.bodies) == 1


def test_a_batch_whose_creation_was_not_answered_is_found_again_and_not_paid_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curate.judge.batch.TRIES", 1)
    five(tmp_path)
    with serve(lambda *_: good()) as server:
        server.batches = Batches(all_good)
        server.batches.lost = [500]
        get = server.batches.get
        server.batches.get = lambda path: (500, {}, b"{}")
        with pytest.raises(CurateError, match="cannot be reached"):
            run(tmp_path, server)
        server.batches.get = get
        server.batches.end()
        assert run(tmp_path, server).statuses["ok"] == 5
        assert len(server.batches.batches) == 1


@pytest.mark.parametrize("lost", [[500], [503], [408, 500, 502], ["silence"]])
def test_a_batch_that_was_created_is_not_created_again_when_the_server_answers_with_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: list[Any]
) -> None:
    monkeypatch.setattr("curate.judge.wire.TIMEOUT", 0.5)
    five(tmp_path)
    with serve(lambda *_: good()) as server:
        server.batches = Batches(all_good)
        server.batches.lost = list(lost)
        for _ in range(2):
            with pytest.raises(PartlyDoneError, match="has not ended"):
                run(tmp_path, server)
        assert len(server.batches.batches) == 1
        assert len(server.batches.submitted()) == 5, "paid once"
        server.batches.end()
        assert run(tmp_path, server).statuses["ok"] == 5


def test_lines_that_go_back_after_a_batch_expired_are_not_mistaken_for_that_batch(tmp_path: Path) -> None:
    five(tmp_path)
    with serve(lambda *_: good()) as server:
        server.batches = Batches(lambda lines: ([], []))
        with pytest.raises(PartlyDoneError, match="has not ended"):
            run(tmp_path, server)
        server.batches.end("expired")
        server.batches.work = all_good
        post, failures = server.batches.post, iter([(500, {}, b"{}")])
        server.batches.post = lambda path, body: (
            next(failures, None) or post(path, body) if path.endswith("/batches") else post(path, body)
        )
        with pytest.raises(PartlyDoneError, match="has not ended"):
            run(tmp_path, server)
        first, second = server.batches.batches.values()
        assert first["metadata"] == second["metadata"]
        server.batches.end()
        assert run(tmp_path, server).statuses["ok"] == 5


def test_an_upload_that_never_became_a_batch_is_submitted_again(tmp_path: Path) -> None:
    five(tmp_path)
    with serve(lambda *_: good()) as server:
        server.batches = Batches(all_good)
        post = server.batches.post
        server.batches.post = lambda path, body: (400, {}, b"{}") if path.endswith("/batches") else post(path, body)
        with pytest.raises(CurateError, match="rejects the batch"):
            run(tmp_path, server)
        server.batches.post = post
        with pytest.raises(PartlyDoneError, match="has not ended"):
            run(tmp_path, server)
        assert len(server.batches.submitted()) == 5


def test_the_cap_holds_for_a_batch_and_its_price_is_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    five(tmp_path)
    monkeypatch.setattr("curate.judge.run.is_local", lambda _: False)
    with serve(lambda *_: good()) as server:
        server.batches = Batches(all_good)
        run(tmp_path, server, backend="chat", limit=1, max_cost=1, price=(10, 20))
        dry = {
            backend: run(tmp_path, server, backend=backend, price=(10, 20), dry_run=True)
            for backend in ("batch", "chat")
        }
        assert dry["batch"].estimate.cost == pytest.approx(dry["chat"].estimate.cost / 2)
        each = dry["batch"].estimate.most / 4
        with pytest.raises(PartlyDoneError, match="cap on cost"):
            run(tmp_path, server, max_cost=3 * each, price=(10, 20))
        assert 1 <= len(server.batches.submitted()) <= 3
