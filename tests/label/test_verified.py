"""What people checked can have a condition of its own, and what people wrote has a condition and a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

import curate
from curate import rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curate.workspace import Workspace

CHECKED = """
[[rule]]
name = "checked"
why = "People checked it."
when = "verified AND class = 'gpt-4'"
condition = "GPT4 Checked"
  [[rule.case]]
  verified = true
  class = "gpt-4"
  fires = true
  [[rule.case]]
  verified = false
  class = "gpt-4"
  fires = false
"""


def test_a_condition_may_ask_for_checked_conversations(
    workspace: Callable[..., Workspace], talk: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    head, first, rest = rules.locate("conditions.toml").read_text("utf-8").partition("[[rule]]")
    (tmp_path / "mine.toml").write_text(head + CHECKED + first + rest)
    ws = workspace(talk("gpt-4", marks=["verified"]), talk("gpt-4", marks=[]), talk("human", marks=["verified"]))
    curate.label(ws.path, quiet=True)

    curate.export(ws.path, tmp_path / "out", conditions=str(tmp_path / "mine.toml"), quiet=True)

    rows = pl.read_parquet(tmp_path / "out" / "data" / "*.parquet").sort(pl.col("id").str.extract(r"-(\d+)$"))
    assert rows["condition"].to_list() == ["GPT4 Checked", "GPT4", "Human"]
    assert rows["weight"].to_list() == [1.0, 1.0, 1.0]
