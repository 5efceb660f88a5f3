"""A node dies while a stage is at work: the cluster does its share again, and no byte is another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import curate

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("ray", reason="the extra `ray` is not installed: make test-engine")


@pytest.mark.parametrize(
    ("stage", "when"),
    [
        ("clean", ["flags/part-*.parquet", "3"]),
        ("dedup", ["signatures/part-*.parquet", "3"]),
        # Daft's own worker of the node is at its first query.
        ("dedup", [".dedup/links/part-*.parquet", "40", "RaySwordfishActor"]),
        ("dedup", [".dedup/group-texts", "1"]),
    ],
    ids=["clean", "signatures", "query", "gather"],
)
def test_a_lost_node_changes_nothing(
    twins: Callable[..., list[Path]], tree: Any, stage: str, when: list[str]
) -> None:
    local, ray = twins(1200, 30)
    getattr(curate, stage)(local, quiet=True)
    script = Path(__file__).with_name("lose_a_node.py")
    folder = Path(curate.__file__).parent.parent
    run = subprocess.run(
        [sys.executable, script, ray, stage, *when],
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    assert run.returncode == 0, run.stderr
    assert "1 of 2 nodes live" in run.stdout, run.stdout
    assert tree(ray) == tree(local)
