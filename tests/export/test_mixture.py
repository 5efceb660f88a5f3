"""A mixture has the shares that were asked for, by weight or by sample, and caps hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.errors import CurateError
from curate.export import ExportResult, export

from .workspaces import conversation, make, talk

GPT4, GPT35 = {"class": "gpt-4"}, {"class": "gpt-3.5"}


def rows(count: int = 60) -> list[dict[str, Any]]:
    """Twice as much code as maths, three sources, every fourth of GPT-4."""
    return [
        conversation(
            talk("Hi", f"Hello {number:03}"),
            **(GPT4 if number % 4 == 0 else GPT35),
            task="maths" if number % 3 == 0 else "code",
            source="abc"[number % 3],
        )
        for number in range(count)
    ]


def run(tmp_path: Path, made: list[dict[str, Any]], *, shard: int = 7, **options: Any) -> ExportResult:
    make(tmp_path / "ws", made, shard=shard)
    return export(tmp_path / "ws", tmp_path / "out", quiet=True, **options)


def share(result: ExportResult, of: str, value: str) -> float:
    assert result.preview
    return float(next(row["share"] for row in result.preview["by"][of] if row["value"] == value))


def keys(result: ExportResult) -> set[int]:
    data = pl.read_parquet(result.out / "data" / "*.parquet")
    return set(data["meta"].str.json_path_match("$.key").cast(pl.Int64))


def test_shares_by_weight_in_two_dimensions_at_once(tmp_path: Path) -> None:
    result = run(tmp_path, rows(), shares=["task:maths=0.5", "class:gpt-4=0.25"])
    assert share(result, "task", "maths") == pytest.approx(0.5, abs=1e-5)
    assert share(result, "class", "gpt-4") == pytest.approx(0.25, abs=1e-5)
    assert result.exported == 60
    assert result.preview
    (maths,) = [row for row in result.preview["mixture"] if row["value"] == "maths"]
    assert (maths["before"], maths["after"], maths["target"]) == pytest.approx((1 / 3, 0.5, 0.5), abs=1e-6)


def test_shares_by_sample_keep_the_weights(tmp_path: Path) -> None:
    options: dict[str, Any] = {"shares": ["task:maths=0.5"], "mixture": "sample"}
    result = run(tmp_path / "a", rows(1200), shard=500, seed=1, **options)
    assert share(result, "task", "maths") == pytest.approx(0.5, abs=0.06)
    assert result.classes["gpt-4"].mean == 1
    assert result.dropped["sampled_out"] + result.exported == 1200
    other = run(tmp_path / "b", rows(1200), shard=90, seed=1, **options)
    assert keys(other) == keys(result), "shards change nothing"
    third = run(tmp_path / "c", rows(1200), shard=500, seed=2, **options)
    assert keys(third) != keys(result)


def test_targets_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CurateError, match="contradict each other"):
        # All of the source `a` is maths, and nothing else is.
        run(tmp_path, rows(), shares=["task:maths=0.9", "source:a=0.1"])


def test_a_cap_keeps_so_many_of_each_source(tmp_path: Path) -> None:
    result = run(tmp_path / "a", rows(), caps=["10", "b=3"])
    assert result.dropped == {"over_cap": 37}
    counts = {row["value"]: row["responses"] for row in result.preview["by"]["source"]} if result.preview else {}
    assert counts == {"a": 10, "b": 3, "c": 10}
    assert keys(run(tmp_path / "b", rows(), shard=20, caps=["10", "b=3"])) == keys(result)


def test_only_gpt4_is_the_set_of_openchat_v1(tmp_path: Path) -> None:
    mixed = conversation(talk("a", "b", "c", "d"), **{"class": ["gpt-4", "gpt-3.5"]})
    made = [*rows(20), mixed, conversation(talk("x", "y"), **{"class": None})]
    result = run(tmp_path, made, only=["gpt-4"])
    assert result.conditions == {"GPT4": 6}
    assert result.dropped == {"only": 16}
    assert result.masked == {"only": 1}
    assert keys(result) == {0, 4, 8, 12, 16, 20}
