"""Repeats go where they are needed: a sure response is asked once or twice, a doubtful one until its mean is known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fake_server import Answer, Body, good, responses, serve
from rows import turns, workspace

import curate
from curate.errors import CurateError, PartlyDoneError
from curate.judge.settle import half_width
from curate.judge.verdict import Verdict

pytestmark = pytest.mark.usefixtures("quick")

NAMES = ("correct", "follows", "complete", "clear")


def test_the_interval_is_worked_by_hand() -> None:
    assert half_width(Verdict("ok", 0.5, samples=1), 0.01) == pytest.approx(0.196)
    assert half_width(Verdict("ok", 0.5, samples=1, doubt=0.0), 0.01) == 0, "probabilities say that it is sure"
    assert half_width(Verdict("ok", 0.5, samples=2, spread=0.0), 0.01) == pytest.approx(1.96 * (0.005 / 2) ** 0.5)
    far = half_width(Verdict("ok", 0.5, samples=4, spread=0.5), 0.01)
    assert far == pytest.approx(1.96 * ((0.01 + 1) / 4 / 4) ** 0.5)


def run(path: Path, asked: Counter[str], **options: Any) -> Any:
    def script(body: Body, _: int) -> Answer:
        (text,) = responses(body)
        asked[text] += 1
        level = 4 * (asked[text] % 2) if text.startswith("doubtful") else 3
        return good(**dict.fromkeys(NAMES, level))

    with serve(script) as server:
        more: dict[str, Any] = {"judge": "m", "base_url": server.base_url, "rubric": "general", "quiet": True}
        return curate.score(path, concurrency=1, **more, **options)


def test_only_the_doubtful_are_asked_up_to_the_most_and_a_second_run_asks_nothing(tmp_path: Path) -> None:
    sure, doubtful = [f"sure {i}" for i in range(70)], [f"doubtful {i}" for i in range(2)]
    ws = workspace(tmp_path, [turns(f"{text}?", text) for text in (*sure, *doubtful)])
    asked: Counter[str] = Counter()
    result = run(tmp_path, asked, repeats=6, settle=0.15)
    assert result.statuses["ok"] == 72
    assert {asked[text] for text in doubtful} == {6}
    assert max(asked[text] for text in sure) <= 3
    assert sum(asked.values()) < 72 * 3.5, "every response six times would be 432"
    rows = ws.read("scores", 0).to_dicts()
    assert {row["samples"] for row in rows[-2:]} == {6}
    assert {row["reward"] for row in rows[-2:]} == {0.5}
    before = dict(asked)
    assert run(tmp_path, asked, repeats=6, settle=0.15).calls == 0
    assert asked == before


def test_repeats_stay_within_the_cap_and_what_is_known_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curate.judge.run.is_local", lambda _: False)
    ws = workspace(tmp_path, [turns(f"{i}?", f"doubtful {i}") for i in range(6)])
    asked: Counter[str] = Counter()
    with pytest.raises(PartlyDoneError, match="cap on cost"):
        run(tmp_path, asked, repeats=20, settle=0.01, price=(10.0, 20.0), max_cost=0.3)
    assert 6 < sum(asked.values()) < 120
    assert sum(asked.values()) * (700 * 10 + 50 * 20) / 1e6 <= 0.3
    assert ws.read("scores", 0)["status"].to_list() == ["ok"] * 6


@pytest.mark.parametrize("options", [{"settle": 0.1}, {"settle": 0, "repeats": 3}, {"settle": 1.5, "repeats": 3}])
def test_what_cannot_settle_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    workspace(tmp_path, [turns("a?", "a!")])
    with pytest.raises(CurateError, match="`settle`"):
        curate.score(tmp_path, judge="m", base_url="http://127.0.0.1:9/v1", quiet=True, **options)
