"""Duplicates that a cluster finds are those that one machine finds, row by row and count by count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.dedup import across

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize(
    ("unit", "part"), [("conversation", 50), ("prompts", 100_000), ("responses", 20)], ids=lambda value: str(value)
)
def test_duplicates_are_the_same(
    twins: Callable[..., list[Path]], tree: Any, unit: str, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(across, "PART_TEXTS", part)
    local, ray = twins(600, 60)
    results = []
    for path, engine in ((local, "local"), (ray, "ray")):
        curate.clean(path, quiet=True)
        curate.label(path, quiet=True)
        curate.dedup(path, engine=engine, quiet=True)
        curate.restore(path, [next(iter(_removed(path)))], quiet=True)
        results.append(curate.dedup(path, unit=unit, engine=engine, quiet=True))
    assert results[0] == results[1]
    assert results[0].exact > 10
    assert results[0].near > 3 or unit == "prompts"
    assert results[0].prefix > 3 or unit != "conversation"
    assert tree(ray) == tree(local)


def test_a_shuffle_through_disks_is_the_same(
    twins: Callable[..., list[Path]], tree: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATE_SHUFFLE_DIRS", str(tmp_path / "disk"))
    local, ray = twins()
    results = [curate.dedup(path, engine=engine, quiet=True) for path, engine in ((local, "local"), (ray, "ray"))]
    assert results[0] == results[1]
    assert tree(ray) == tree(local)


def test_one_conversation_has_no_duplicate(workspace: Callable[..., Any]) -> None:
    ws = workspace({"messages": [{"role": "user", "content": "Hi"}]})
    assert curate.dedup(ws.path, engine="ray", quiet=True).kept == 1


def _removed(path: Path) -> list[int]:
    import polars as pl

    return pl.read_parquet(path / "duplicates/*.parquet").drop_nulls("removed_by")["key"].to_list()
