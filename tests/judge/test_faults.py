"""A provider at its worst: nothing is lost, nothing is bought twice, and the limit is used."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import JSON, Answer, Body, chat, error, good, serve
from rows import turns, workspace

import curate
from curate.errors import PartlyDoneError
from curate.judge.call import Call
from curate.judge.cost import Budget
from curate.judge.rates import Rates
from curate.judge.schedule import Scheduler
from curate.judge.store import Judgement, Store
from curate.judge.wire import AgainError, BusyError, RowError


class Provider:
    """A backend with a token bucket of `rate` calls a second on a clock that the event loop does not wait for."""

    address = "nowhere"
    reached = True

    def __init__(self, rate: float, retry_after: float | None) -> None:
        self.rate, self.retry_after = rate, retry_after
        self.bucket, self.at = rate / 4, 0.0
        self.answers: dict[str, int] = {}
        self.rates = Rates()
        self.refused = 0

    def worst_in(self, call: Call) -> int:
        return 10

    def worst_out(self, call: Call) -> int:
        return 10

    async def ask(self, call: Call) -> Judgement:
        now = asyncio.get_running_loop().time()
        self.at = self.at or now
        self.bucket = min(self.rate / 4, self.bucket + (now - self.at) * self.rate)
        self.at = now
        if self.bucket < 1:
            self.refused += 1
            raise BusyError(self.retry_after)
        self.bucket -= 1
        await asyncio.sleep(0.2)
        self.answers[call.key] = self.answers.get(call.key, 0) + 1
        return Judgement(call.key, "chat", "m", content="{}")


class Loop(asyncio.SelectorEventLoop):
    """Time that jumps to the next event instead of passing."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        pending = [handle for handle in self._scheduled if not handle._cancelled]  # type: ignore[attr-defined]
        if pending and not self._ready:  # type: ignore[attr-defined]
            self.now = max(self.now, min(handle._when for handle in pending))
        super()._run_once()  # type: ignore[misc]


class Memory:
    """A store that commits at once."""

    def __getattr__(self, _: str) -> Any:
        from concurrent.futures import Future

        def done(*_: object) -> Future[None]:
            future: Future[None] = Future()
            future.set_result(None)
            return future

        return done


def calls(count: int) -> Iterator[Call]:
    return (Call(str(i), {str(i): "r1"}, None, "s", "u", 10) for i in range(count))


@pytest.mark.parametrize("retry_after", [0.25, 1.0, None])
def test_a_limit_of_n_per_second_is_used_to_85_percent_and_nothing_is_asked_twice(
    monkeypatch: pytest.MonkeyPatch, retry_after: float | None
) -> None:
    loop = Loop()
    monkeypatch.setattr("curate.judge.schedule.monotonic", loop.time)
    provider = Provider(40, retry_after)
    scheduler = Scheduler(provider, 64, Budget(None), Memory(), lambda _: None)  # type: ignore[arg-type]
    loop.run_until_complete(scheduler.run(calls(4_000)))
    loop.close()
    assert set(provider.answers.values()) == {1}
    assert len(provider.answers) == 4_000
    assert scheduler.outcome.failed == {}
    assert 4_000 / loop.now >= 0.85 * 40, f"{4_000 / loop.now:.1f}/s, {provider.refused} refusals"


class Metered(Provider):
    """Counts prompt and longest reply of each call against `limit` tokens a minute, as a bucket or by the minute."""

    def __init__(self, limit: float, *, says: bool, window: bool) -> None:
        super().__init__(1e9, None)
        self.limit, self.says, self.window = limit, says, window
        self.left = limit

    def worst_out(self, call: Call) -> int:
        return 100

    async def ask(self, call: Call) -> Judgement:
        now = asked = asyncio.get_running_loop().time()
        self.at = self.at or now
        if self.window:
            if now // 60 > self.at // 60:
                self.left = self.limit
        else:
            self.left = min(self.limit, self.left + (now - self.at) * self.limit / 60)
        self.at = now
        cost = call.tokens_in + 100
        served = self.left >= cost
        self.left -= cost * served
        reset = 60 - now % 60 if self.window else (self.limit - self.left) / self.limit * 60
        headers = {"x-ratelimit-limit-tokens": f"{self.limit:.0f}", "x-ratelimit-remaining-tokens": f"{self.left:.0f}"}
        await asyncio.sleep(0.05)
        if self.says:
            headers["x-ratelimit-reset-tokens"] = f"{int(reset // 60)}m{reset % 60:.2f}s"
            self.rates.hear(headers, asyncio.get_running_loop().time(), asked)
        if not served:
            self.refused += 1
            raise BusyError(None)
        await asyncio.sleep(1.0)
        self.answers[call.key] = self.answers.get(call.key, 0) + 1
        return Judgement(call.key, "chat", "m", content="{}")


def metered(monkeypatch: pytest.MonkeyPatch, count: int, **options: bool) -> tuple[float, int]:
    """Share of 60,000 tokens a minute that calls of 600 use, the first filling apart, and the refusals."""
    loop = Loop()
    monkeypatch.setattr("curate.judge.schedule.monotonic", loop.time)
    provider = Metered(60_000, **options)
    made = (Call(str(i), {str(i): "r1"}, None, "s", "x" * 1_792, 100) for i in range(count))
    scheduler = Scheduler(provider, 64, Budget(None), Memory(), lambda _: None)  # type: ignore[arg-type]
    loop.run_until_complete(scheduler.run(made))
    loop.close()
    assert set(provider.answers.values()) == {1}
    assert len(provider.answers) == count
    return (count * 600 - 60_000) / (loop.now / 60) / 60_000, provider.refused


@pytest.mark.parametrize("window", [False, True])
def test_a_server_that_says_what_is_left_is_used_to_85_percent_and_hardly_ever_refuses(
    monkeypatch: pytest.MonkeyPatch, window: bool
) -> None:
    share, refused = metered(monkeypatch, 1_000, says=True, window=window)
    before_share, before = metered(monkeypatch, 1_000, says=False, window=window)
    assert share >= 0.85, f"{share:.2f}, silent {before_share:.2f}"
    assert refused <= 5, f"{refused}, silent {before}"
    assert refused < before / 2


FAULTS: list[Answer] = [
    error(429, "slow down", **{"Retry-After": "0.02"}),
    error(429, "slow down"),
    error(503),
    error(500),
    error(502),
    (200, {"Content-Type": "text/html"}, b"<html>bad gateway</html>"),
    (200, {**JSON, "Content-Length": "9000"}, b'{"choices": ['),
    (200, JSON, b'{"choices": []}'),
    (200, JSON, b"null"),
]


@pytest.mark.usefixtures("quick")
def test_through_every_fault_each_response_is_judged_and_no_answer_bought_twice(tmp_path: Path) -> None:
    workspace(tmp_path, [turns(f"What is {i} + 1?", f"It is {i + 1}.") for i in range(120)])
    chance, lock = random.Random(7), threading.Lock()

    def script(_: Body, count: int) -> Answer:
        with lock:
            return chance.choice(FAULTS) if count > 1 and chance.random() < 0.3 else good()

    with serve(script) as server:
        for _ in range(5):
            try:
                result = curate.score(tmp_path, judge="m", base_url=server.base_url, rubric="general", quiet=True)
            except PartlyDoneError:
                continue
            break
        assert result.statuses["ok"] == 120
        assert len(server.asked) == 121
        # A cut body was sent as 200; only answers that arrived whole count as bought.
        assert curate.score(tmp_path, judge="m", base_url=server.base_url, rubric="general", quiet=True).calls == 0


@pytest.mark.usefixtures("quick")
def test_what_is_wrong_with_one_response_stays_with_that_response(tmp_path: Path) -> None:
    answers = {
        "empty": chat(""),
        "filtered": chat(None, finish="content_filter"),
        "refused": chat(None, refusal="no"),
        "schema": chat('{"r1": {"evidence": "x", "correct": "high"}}'),
        "rejected": error(400, "this content is not allowed"),
        "fine": good(),
    }
    ws = workspace(tmp_path, [turns(name, "x") for name in answers])

    def script(body: Body, _: int) -> Answer:
        return next(answer for name, answer in answers.items() if f'"{name}"' in body["messages"][-1]["content"])

    with serve(script) as server, pytest.raises(PartlyDoneError, match="5 responses could not be judged"):
        curate.score(tmp_path, judge="m", base_url=server.base_url, rubric="general", quiet=True)
    rows = ws.read("scores", 0).to_dicts()
    assert [row["status"] for row in rows] == ["unparsed", "refused", "refused", "unparsed", "failed", "ok"]
    assert all(row["rationale"] for row in rows)
    assert [row["reward"] is None for row in rows] == [True] * 5 + [False]


def test_a_breaker_pauses_before_it_gives_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("curate.judge.schedule.FIRST_WAIT", 0.001)
    monkeypatch.setattr("curate.judge.schedule.PAUSE", 0.3)

    class Down(Provider):
        began = 0.0

        async def ask(self, call: Call) -> Judgement:
            self.began = self.began or time.monotonic()
            self.refused += 1
            if self.refused > 1 and time.monotonic() - self.began < 0.2:
                raise AgainError("down")
            if call.key == "13":
                raise RowError("never")
            return Judgement(call.key, "chat", "m", content="{}")

    provider = Down(40, None)
    with Store(tmp_path / "j.sqlite") as store:
        scheduler = Scheduler(provider, 8, Budget(None), store, lambda _: None)
        asyncio.run(scheduler.run(calls(60)))
    outcome = scheduler.outcome
    assert outcome.answered + len(outcome.failed) + len(outcome.rejected) == 60
    assert outcome.answered >= 40, "the run outlives a server that comes back"
    assert outcome.rejected == {"13": "never"}
