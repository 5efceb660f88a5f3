"""GPT-4's own replies of arena_bench_v1, judged again by way of a server: its published means come out."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

import curate

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
    shown_as_published(tmp_path)


def shown_as_published(workspace: Path) -> None:
    """The histogram of these scores, by class: what lmarena published, and what a weight by class alone gets wrong."""
    curate.label(workspace, quiet=True)
    two = "model IN ('gpt-4-0314', 'gpt-3.5-turbo')"
    found = curate.hist(workspace, column="score", where=f"{two} AND score <> 9.5")
    assert [(group.name, round(group.mean or 0, 2)) for group in found.groups] == [("gpt-4", 8.55), ("gpt-3.5", 6.76)]
    gpt4, gpt35 = found.groups
    shares = [[round(100 * count / group.scored, 1) for count in group.counts] for group in (gpt4, gpt35)]
    assert shares == [
        [2.7, 3.0, 0.7, 0.3, 0.3, 1.0, 9.1, 12.5, 32.0, 38.4],
        [9.7, 10.7, 4.7, 1.3, 1.3, 3.7, 10.4, 19.4, 19.1, 19.7],
    ]
    assert found.compared
    assert (round(found.compared.auc, 2), found.compared.median) == (0.68, 9.0)
    assert round(found.compared.at_or_above, 2) == 0.39
    assert gpt4.interval
    assert gpt35.interval
    assert gpt35.interval[1] < gpt4.interval[0], "the classes differ beyond chance"
