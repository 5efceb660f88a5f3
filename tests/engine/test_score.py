"""Scores: shards of the local judge by the cluster; a model's answers stay in one store, bought once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import curate

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.filterwarnings("default")]


def test_the_local_judge_is_the_same(twins: Callable[..., list[Path]], tree: Any) -> None:
    local, ray = twins()
    for path, engine in ((local, "local"), (ray, "ray")):
        assert curate.score(path, limit=200, engine=engine, quiet=True).statuses["ok"] == 200
    assert tree(ray) == tree(local)


def test_a_model_is_asked_once_whatever_the_engine(twins: Callable[..., list[Path]], monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "judge"))
    from fake_server import good, serve

    monkeypatch.setenv("OPENAI_API_KEY", "none")
    local, ray = twins(60, 20)
    with serve(lambda *_: good()) as fake:
        how: dict[str, Any] = {"judge": "some-model", "rubric": "general", "base_url": fake.base_url, "quiet": True}
        for path, engine in ((local, "local"), (ray, "ray")):
            curate.score(path, engine=engine, **how)
        asked = len(fake.bodies)
        again = curate.score(ray, engine="ray", **how)
        assert len(fake.bodies) == asked
    assert again.calls == 0
    read = [sorted(curate.scan(path).select("key", "turn", "reward").collect().rows()) for path in (local, ray)]
    assert read[0] == read[1]
