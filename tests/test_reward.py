"""Weights follow the formulas of C-RLFT, are finite, and never rise where they must not."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import reward
from curate.errors import CurateError, RuleError

rewards = st.floats(0, 1)
betas = st.floats(0.01, 100)
weights = st.floats(1e-6, 10)


def value(expression: pl.Expr, **columns: float | None) -> float:
    frame = pl.DataFrame({name: [number] for name, number in columns.items()}, schema_overrides={"r": pl.Float64})
    return float(frame.select(expression).item())


def test_default_beta_spans_ten_to_one() -> None:
    best = value(reward.judge_weight(pl.col("r")), r=1.0)
    worst = value(reward.judge_weight(pl.col("r")), r=0.0)
    assert best == 1.0
    assert worst == pytest.approx(0.1)
    assert pytest.approx(0.434, abs=1e-3) == reward.DEFAULT_BETA


@given(rewards, rewards, betas)
def test_a_better_reward_never_weighs_less(a: float, b: float, beta: float) -> None:
    low, high = sorted((a, b))
    assert value(reward.judge_weight(pl.col("r"), beta), r=low) <= value(reward.judge_weight(pl.col("r"), beta), r=high)


@given(weights, rewards, betas, st.floats(0, 1))
def test_mixed_weight_is_the_exponential_of_the_mixed_reward(w: float, r: float, beta: float, mix: float) -> None:
    mixed = mix * reward.class_reward(w, beta) + (1 - mix) * r
    found = value(reward.mixed_weight(pl.lit(w), pl.col("r"), beta, mix), r=r)
    assert found == pytest.approx(math.exp((mixed - 1) / beta), rel=1e-6, abs=1e-300)


@given(st.floats(0, 10), rewards)
def test_the_local_judge_only_lowers(w: float, r: float) -> None:
    assert 0 <= value(reward.local_weight(pl.lit(w), pl.col("r")), r=r) <= w


@given(
    st.floats(0, 10),
    st.none() | rewards,
    st.sampled_from(["coarse", "judge", "mixed", "local"]),
    st.floats(1e-4, 100),
    st.floats(0, 1),
)
def test_every_weight_is_finite_and_not_negative(
    w: float, r: float | None, weighting: str, beta: float, mix: float
) -> None:
    found = value(reward.response_weight(pl.lit(w), pl.col("r"), weighting, beta, mix), r=r)
    assert math.isfinite(found)
    assert found >= 0
    if r is None:
        assert found == w


def test_a_class_of_weight_zero_stays_out_of_the_mix() -> None:
    assert value(reward.mixed_weight(pl.lit(0.0), pl.col("r")), r=1.0) == 0


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=20), st.floats(0.1, 10))
def test_effective_sample_size_is_at_most_the_number_and_knows_no_scale(values: list[float], scale: float) -> None:
    size = reward.effective_sample_size(sum(values), sum(w * w for w in values))
    scaled = reward.effective_sample_size(scale * sum(values), sum((scale * w) ** 2 for w in values))
    assert 1 - 1e-9 <= size <= len(values) + 1e-9
    assert scaled == pytest.approx(size)


def test_the_published_classes_have_a_third_of_their_effective_size() -> None:
    # 6k expert responses of weight 1 and 64k of weight 0.1.
    size = reward.effective_sample_size(6000 + 6400, 6000 + 640)
    assert size / 70000 == pytest.approx(0.33, abs=0.01)


@pytest.mark.parametrize(
    ("weighting", "judge", "expected"),
    [
        ("auto", None, "coarse"),
        ("auto", "local", "local"),
        ("auto", "gpt-5", "mixed"),
        ("coarse", "gpt-5", "coarse"),
        ("judge", "gpt-5", "judge"),
    ],
)
def test_auto_follows_the_judge(weighting: str, judge: str | None, expected: str) -> None:
    assert reward.choose_weighting(weighting, judge) == expected


@pytest.mark.parametrize(
    ("weighting", "judge", "says"),
    [
        ("judge", "local", "finds defects"),
        ("mixed", "local", "finds defects"),
        ("mixed", None, "needs rewards"),
        ("local", "gpt-5", "for the local judge"),
        ("corse", None, "unknown weighting"),
    ],
)
def test_a_weighting_that_does_not_suit_the_scores_is_refused(weighting: str, judge: str | None, says: str) -> None:
    with pytest.raises(CurateError, match=says) as caught:
        reward.choose_weighting(weighting, judge)
    assert caught.value.hint


def test_shipped_weights_are_the_published_ones() -> None:
    found = reward.read_weights("weights.toml")
    assert found.classes["gpt-4"] == 1.0
    assert found.classes["gpt-3.5"] == 0.1
    assert found.unknown == min(found.classes.values())
    names = pl.DataFrame({"class": ["gpt-4", None, "other"]})
    assert names.select(found.of_class(pl.col("class"))).to_series().to_list() == [1.0, 0.1, None]


def test_floor_and_ceiling_spare_zero(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text('schema = 1\nkind = "weights"\nfloor = 0.2\nceiling = 0.5\n[classes]\na = 1.0\n')
    found = reward.read_weights(str(file))
    values = pl.DataFrame({"w": [0.0, 0.01, 0.3, 1.0]}).select(found.bounded(pl.col("w"))).to_series().to_list()
    assert values == [0.0, 0.2, 0.3, 0.5]
    assert found.unknown == 1.0


@pytest.mark.parametrize("number", ["1e39", "inf", "-1", "nan", "1" + "0" * 400, "1000001"])
@pytest.mark.parametrize("key", ["unknown", "floor", "ceiling", "[classes]\na"])
def test_a_weight_that_no_float32_holds_is_refused(tmp_path: Path, key: str, number: str) -> None:
    file = tmp_path / "w.toml"
    line = f"{key} = {number}\n"
    file.write_text('schema = 1\nkind = "weights"\n' + (line if "[" in key else f"{line}[classes]\na = 1.0\n"))
    with pytest.raises(RuleError, match="not a number from 0 to 1,000,000"):
        reward.read_weights(str(file))


def test_all_mistakes_of_a_weights_file_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text('schema = 1\nkind = "weights"\nunknwon = 0.1\nfloor = nan\n[classes]\n"gpt-4" = -1\nhuman = true\n')
    with pytest.raises(RuleError) as caught:
        reward.read_weights(str(file))
    for part in ("4 mistakes", "`unknown`", "`floor`", "`classes.gpt-4`", "`classes.human`"):
        assert part in caught.value.what
