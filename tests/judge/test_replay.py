"""GPT-4's own replies of arena_bench_v1, judged again by way of a server: its published means come out."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.real

DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[3] / "shared" / "data") / "arena_bench_v1"


@pytest.fixture
def bench() -> ModuleType:
    if not DATA.is_dir():
        pytest.skip("arena_bench_v1 is not here: name the folder above it in CURATE_DATA")
    path = Path(__file__).parents[2] / "benchmarks" / "judge_replay.py"
    spec = importlib.util.spec_from_file_location("judge_replay", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_published_means_come_out_and_what_is_no_rating_stays_none(tmp_path: Path, bench: ModuleType) -> None:
    found = bench.replay(DATA, tmp_path)
    means = {model: round(part["score"].mean(), 2) for (model,), part in found.group_by("model")}
    assert means["gpt-4-0314"] == 8.55
    assert means["gpt-3.5-turbo"] == 6.76
    both = found.drop_nulls(["score", "published"])
    assert (both["score"] == both["published"]).all()
    assert len(both) == 1_189
    unread = found.filter(found["score"].is_null())
    assert set(unread["status"]) == {"unparsed"}
    assert len(unread) == 10
    halves = found.filter(found["score"] % 1 != 0)
    assert halves["score"].to_list() == [9.5], "FastChat knows no halves, and lost it"
