"""β is solved for what was asked, rules weigh, bounds hold, and a dry run says what an export will do."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import output, rules
from curate.errors import CurateError, RuleError
from curate.export import ExportResult, export
from curate.export.weights import bf16

from .vocabularies import mistral
from .workspaces import conversation, make, talk

GPT4, GPT35 = {"class": "gpt-4"}, {"class": "gpt-3.5"}
HELLO = talk("Hi", "Hello there")


def run(tmp_path: Path, rows: list[dict[str, Any]], judge: str = "some-model", **options: Any) -> ExportResult:
    make(tmp_path / "ws", rows, judge=judge)
    return export(tmp_path / "ws", tmp_path / "out", quiet=True, **options)


def weights(result: ExportResult) -> list[float]:
    rows = pl.read_parquet(result.out / "data" / "*.parquet")
    rows = rows.with_columns(key=pl.col("meta").str.json_path_match("$.key").cast(pl.Int64)).sort("key")
    return [message["weight"] for messages in rows["messages"] for message in messages if message["weight"]]


def share(result: ExportResult, of: str, value: str) -> float:
    assert result.preview
    return float(next(row["share"] for row in result.preview["by"][of] if row["value"] == value))


CLASSES = [conversation(HELLO, **GPT4)] + [conversation(HELLO, **GPT35) for _ in range(9)]
JUDGED = [conversation(HELLO, **GPT4, reward=reward) for reward in (1.0, 0.75, 0.5, 0.25, 0.0)]


@pytest.mark.parametrize("ratio", [2.0, 10.0, 400.0])
def test_beta_for_a_ratio(tmp_path: Path, ratio: float) -> None:
    found = weights(run(tmp_path, JUDGED, weighting="judge", solve=f"ratio={ratio}"))
    assert found[0] == 1
    assert max(found) / min(found) == pytest.approx(ratio, rel=1e-5)


@pytest.mark.parametrize("weighting", ["coarse", "mixed"])
def test_beta_for_the_share_of_a_class(tmp_path: Path, weighting: str) -> None:
    rows = [entry | {"reward": 1.0 if entry["class"] == "gpt-4" else 0.2} for entry in CLASSES]
    result = run(tmp_path, rows, weighting=weighting, solve="share:gpt-4=0.6")
    assert share(result, "class", "gpt-4") == pytest.approx(0.6, abs=1e-5)


def test_beta_for_an_effective_sample_size(tmp_path: Path) -> None:
    result = run(tmp_path, JUDGED, weighting="judge", solve="ess=0.5")
    found = np.array(weights(result))
    assert found.sum() ** 2 / (found**2).sum() == pytest.approx(2.5, rel=1e-4)
    assert result.effective_sample_size == pytest.approx(2.5, rel=1e-4)


def test_what_no_beta_reaches_is_an_error_with_the_range(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match=r"no beta gives the share of `gpt-4` 0.05.* from 0.1"):
        run(tmp_path, CLASSES, weighting="coarse", solve="share:gpt-4=0.05")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"solve": "ratio"},
        {"solve": "ratio=1"},
        {"only": ["gpt4"]},
        {"solve": "ratio=nan"},
        {"solve": "share=0.5"},
        {"solve": "share:gpt-4=1.5"},
        {"solve": "ess=0"},
        {"solve": "ess:gpt-4=0.5"},
        {"solve": "share:nobody=0.5"},
        {"solve": "ratio=10", "beta": 0.3},
        {"floor": -1.0},
        {"floor": math.nan},
        {"ceiling": math.inf},
        {"floor": 0.5, "ceiling": 0.1},
        {"per": "word"},
        {"rounding": "fp8"},
        {"mixture": "both"},
        {"caps": ["none"]},
        {"caps": ["0"]},
        {"caps": ["nowhere=3"]},
        {"shares": ["maths=0.5"]},
        {"shares": ["task:maths=nan"]},
        {"shares": ["class:gpt-4=0.7", "class:gpt-3.5=0.7"]},
        {"shares": ["class:nobody=0.7"]},
        {"validation": 1.0},
        {"validation": 0.5},
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_way_out(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(CurateError) as caught:
        run(tmp_path, CLASSES, weighting="coarse", **options)
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_floor_and_ceiling_go_before_those_of_the_file(tmp_path: Path) -> None:
    found = weights(run(tmp_path, JUDGED, weighting="judge", floor=0.25, ceiling=0.5))
    assert found == pytest.approx([0.5, 0.5, 10**-0.5, 0.25, 0.25])


def test_per_response_each_response_has_the_same_mass(tmp_path: Path) -> None:
    rows = [conversation(talk("Hi", "x" * length), **GPT4) for length in (4, 400)]
    result = run(tmp_path, rows, per="response")
    short, long = weights(result)
    assert short / long == pytest.approx((400 / 4 + 1) / (4 / 4 + 1))
    assert result.preview
    assert result.preview["loss_mass"] == pytest.approx(2)
    assert result.preview["effective_sample_size"] == pytest.approx(2)


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=50))
def test_bf16_rounds_to_the_nearest_and_stays(values: list[float]) -> None:
    found = bf16(pl.Series(values, dtype=pl.Float32))
    again = bf16(found)
    bits = found.to_numpy().view(np.uint32)
    assert (bits & 0xFFFF == 0).all()
    assert found.to_list() == again.to_list()
    for value, rounded in zip(values, found.to_list(), strict=True):
        assert rounded == pytest.approx(value, rel=2**-8, abs=1e-38)


def test_weights_for_bf16_have_known_values(tmp_path: Path) -> None:
    assert weights(run(tmp_path, CLASSES[:2], weighting="coarse", rounding="bf16")) == [1.0, 0.10009765625]


RULES = """\
schema = 1
kind = "weights"
[[rule]]
name = "good_maths"
why = "test"
when = "task = 'maths' AND reward >= 0.9"
weight = 3.0
case = [{ task = "maths", reward = 1.0, fires = true }, { task = "maths", reward = 0.1, fires = false }]
[classes]
"gpt-4" = 1.0
"gpt-3.5" = 0.1
"""


def test_a_rule_weighs_in_place_of_the_class(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text(RULES)
    rows = [
        conversation(HELLO, **GPT35, task="maths", reward=1.0),
        conversation(HELLO, **GPT35, task="maths", reward=0.5),
        conversation(HELLO, **GPT4, task="code", reward=1.0),
    ]
    assert weights(run(tmp_path, rows, weighting="coarse", weights=str(file))) == pytest.approx([3, 0.1, 1])
    checked = rules.check(str(file))
    assert (checked.rules, checked.cases) == (1, 2)


@pytest.mark.parametrize("weight", ["-1", "nan", "inf", "true", '"x"'])
def test_a_rule_with_an_impossible_weight_is_refused(tmp_path: Path, weight: str) -> None:
    file = tmp_path / "w.toml"
    file.write_text(RULES.replace("weight = 3.0", f"weight = {weight}"))
    with pytest.raises(RuleError, match="`weight` is"):
        rules.check(str(file))


def test_the_cases_of_a_weights_rule_are_run(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text(RULES.replace("reward = 1.0, fires = true", "reward = 0.5, fires = true"))
    with pytest.raises(RuleError, match="answers False, expected True"):
        rules.check(str(file))


def test_weights_that_are_all_zero_are_an_error(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text('schema = 1\nkind = "weights"\nunknown = 0\n[classes]\n"gpt-4" = 0\n"gpt-3.5" = 0\n')
    with pytest.raises(CurateError, match="every weight is zero"):
        run(tmp_path, CLASSES, weighting="coarse", weights=str(file))
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_it_all_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [*CLASSES, conversation(talk("Hi"), **GPT4)]
    rows[0] = conversation(HELLO, **GPT4, task="maths\x1b[31m", source="[red]=cmd")
    result = run(tmp_path, rows, weighting="coarse", dry_run=True)
    assert not (tmp_path / "out").exists()
    output.export(result)
    shown = capsys.readouterr().out
    for part in ("supervised tokens, estimated", "effective sample size 3", "1 conversations dropped: no_response"):
        assert part in shown
    assert "\x1b" not in shown
    assert "[red]=cmd" in shown
    preview = json.loads(json.dumps(result.preview, allow_nan=False))
    masses = {row["value"]: row["loss_mass"] for row in preview["by"]["class"]}
    assert masses["gpt-4"] / masses["gpt-3.5"] == pytest.approx(1 / 0.9)
    for rows_of in preview["by"].values():
        assert sum(row["share"] for row in rows_of) == pytest.approx(1)
        assert sum(row["responses"] for row in rows_of) == 10


def test_a_dry_run_of_nothing_to_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(tmp_path, [conversation(talk("Hi"), **GPT4)], weighting="coarse", dry_run=True)
    output.export(result)
    assert "0 supervised tokens" in capsys.readouterr().out


def test_a_tokenizer_counts_exactly_and_per_response_is_openchats(tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    rows = [conversation(talk("Hi", "word " * length), **GPT4) for length in (3, 50)]
    result = run(tmp_path, rows, per="response", tokenizer=str(mistral(folder)))
    assert result.preview
    assert result.preview["tokens"] == "exact"
    assert result.preview["supervised_tokens"] == result.supervised_tokens
    # `--per-sequence-loss` of OpenChat: w / (tokens of the content and its end of turn).
    for row in pl.read_parquet(result.out / "data" / "*.parquet").to_dicts():
        weights = [weight for weight in row["loss_weights"] if weight]
        assert sum(weights) == pytest.approx(1, rel=1e-5)


def test_shares_are_of_real_tokens_with_a_tokenizer(tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    texts = {"gpt-4": "x y z " * 30, "gpt-3.5": "internationally " * 30}
    rows = [conversation(talk("Hi", text), **{"class": name}) for name, text in texts.items()]
    asked: list[dict[str, Any]] = [{"solve": "share:gpt-4=0.7"}, {"shares": ["class:gpt-4=0.7"]}]
    for options in asked:
        options |= {"weighting": "coarse", "tokenizer": str(mistral(folder))}
        result = run(tmp_path / next(iter(options)), rows, **options)
        assert share(result, "class", "gpt-4") == pytest.approx(0.7, abs=1e-5)


def test_rules_of_weights_can_be_explained_on_a_workspace(tmp_path: Path) -> None:
    from curate.explain import explain

    make(tmp_path / "ws", [conversation(HELLO, **GPT4, task="maths", reward=1.0)])
    file = tmp_path / "w.toml"
    file.write_text(RULES)
    (found,) = explain(str(file), tmp_path / "ws", quiet=True)
    assert found.rules[0].hits == 1
