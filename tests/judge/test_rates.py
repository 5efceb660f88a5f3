"""What a server says of its limits is understood, in every way in which they say it, and kept to before it refuses."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fake_server import JSON, Answer, Body, completion, error, grades, serve
from rows import turns, workspace

import curate
from curate.errors import PartlyDoneError
from curate.judge.rates import Rates, duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("12ms", 0.012),
        ("1h2m3.5s", 3_723.5),
        ("0s", 0),
        ("7.66s", 7.66),
        ("59.7", 59.7),
        ("1970-01-01T00:01:40Z", 90),
        ("1970-01-01T00:01:40+00:00", 90),
        ("1970-01-01T00:00:01Z", 0),
        ("", None),
        ("soon", None),
        ("5 parsecs", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_times_are_read_as_they_are_written(text: str, seconds: float | None) -> None:
    assert duration(text, now=10) == (None if seconds is None else pytest.approx(seconds))


OPENAI = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "30",
    "x-ratelimit-reset-requests": "30s",
    "x-ratelimit-limit-tokens": "6000",
    "x-ratelimit-remaining-tokens": "1000",
    "x-ratelimit-reset-tokens": "50s",
}


def test_a_call_waits_until_what_it_takes_has_come_back() -> None:
    rates = Rates()
    assert rates.wait(1_000_000, 0, 0) == 0, "nothing is known yet"
    rates.hear(OPENAI, 100)
    assert rates.wait(900, 100, 100) == 0
    assert rates.wait(1_000, 500, 100) == pytest.approx(5), "100 tokens come back a second"
    rates.take(900, 100, 100)
    assert rates.wait(900, 100, 100) == pytest.approx(10)
    assert rates.wait(900, 100, 110) == 0
    rates.hear(OPENAI | {"x-ratelimit-remaining-tokens": "9"}, 111)
    assert rates.wait(900, 100, 111) > 5, "the server's own word counts"


def test_requests_count_as_well_as_tokens_and_both_names_are_known() -> None:
    rates = Rates()
    rates.hear(OPENAI | {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0s"}, 0)
    assert rates.wait(1, 1, 0) == pytest.approx(1)
    anthropic = {
        "anthropic-ratelimit-input-tokens-limit": "6000",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60)),
    }
    rates = Rates()
    rates.hear(anthropic, 0)
    assert rates.wait(1_000, 0, 0) == pytest.approx(10, rel=0.1)


def test_a_call_larger_than_the_limit_is_sent_all_the_same_and_nonsense_is_ignored() -> None:
    rates = Rates()
    full = OPENAI | {"x-ratelimit-remaining-tokens": "6000"}
    rates.hear(full, 0)
    assert rates.wait(50_000, 0, 0) == 0
    rates = Rates()
    rates.hear({name: "many" for name in OPENAI} | {"x-ratelimit-remaining-requests": "-1"}, 0)
    assert rates.wait(50_000, 0, 0) == 0
    rates.hear({"x-ratelimit-remaining-tokens": "5"}, 0)
    assert 0 < rates.wait(100, 0, 0) <= 1, "without a time it is asked again soon"


@pytest.mark.usefixtures("quick")
def test_a_limit_of_the_day_that_is_used_up_ends_the_run_and_says_so(tmp_path: Path) -> None:
    workspace(tmp_path, [turns(f"{i}?", f"{i}!") for i in range(6)])

    def script(body: Body, count: int) -> Answer:
        headers = {"x-ratelimit-limit-requests": "50", "x-ratelimit-reset-requests": "8h0m0s"}
        left = {"x-ratelimit-remaining-requests": str(max(0, 40 - 15 * count))}
        return 200, JSON | headers | left, completion(grades(body))

    options: dict[str, Any] = {"judge": "m", "rubric": "general", "quiet": True, "concurrency": 1}
    with serve(script) as server:
        with pytest.raises(PartlyDoneError, match=r"asks to wait .* answers are stored"):
            curate.score(tmp_path, base_url=server.base_url, **options)
        assert 3 <= len(server.bodies) < 6


@pytest.mark.usefixtures("quick")
def test_over_the_wire_a_limit_is_kept_to_before_it_is_refused(tmp_path: Path) -> None:
    workspace(tmp_path, [turns(f"{i}?", f"{i}!") for i in range(24)])
    state: dict[str, Any] = {"left": 8.0, "at": time.monotonic(), "refused": 0}

    def script(body: Body, _: int) -> Answer:
        now = time.monotonic()
        state["left"] = min(8.0, state["left"] + 8 * (now - state["at"]))
        state["at"] = now
        state.setdefault("first", now)
        allowed = state["left"] >= 1
        state["left"] -= allowed
        state["refused"] += not allowed
        headers = {"x-ratelimit-limit-requests": "8", "x-ratelimit-remaining-requests": str(int(state["left"]))}
        headers["x-ratelimit-reset-requests"] = f"{1000 * (8 - state['left']) / 8:.0f}ms"
        return (200, JSON | headers, completion(grades(body))) if allowed else error(429, "slow down", **headers)

    with serve(script) as server:
        result = curate.score(tmp_path, judge="m", base_url=server.base_url, rubric="general", quiet=True)
        assert result.statuses["ok"] == 24
        assert state["refused"] <= 4
        assert state["at"] - state["first"] < 6, "24 calls at 8 a second"
