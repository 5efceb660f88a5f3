"""Labelled answers as a workspace of their own, and what a judge says of them there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from curate.errors import PartlyDoneError, WorkspaceError
from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.judge.audit.shapes import LabelledSet


@dataclass(frozen=True)
class Judged:
    """A judge's rewards, by answer of all sets one after the other; nan = unscored."""

    judge: str
    rubric: str
    rewards: np.ndarray
    spreads: np.ndarray
    samples: np.ndarray


def judge(sets: Sequence[LabelledSet], workspace: str | Path, options: dict[str, Any]) -> Judged:
    """Judge every answer, each by itself; what is stored in the workspace is not bought again.

    Args:
        sets: The labelled answers.
        workspace: Folder for them; its store keeps the judgements.
        options: Arguments for `curate.score`.

    Raises:
        WorkspaceError: The folder holds other conversations than those of an audit.
        CurateError: What `curate.score` raises, but for single answers that cannot be scored.
    """
    import curate

    ws = _workspace(sets, workspace)
    try:
        curate.score(workspace, **options)
    except PartlyDoneError:
        # Unscored answers are a finding here; a run that scored nothing is an error.
        if not ws.shards("scores") or ws.scan("scores").filter(status="ok").collect().is_empty():
            raise
    scores = ws.read("scores", 0)
    last = scores.group_by("key", maintain_order=True).last().sort("key")
    names = scores.filter(pl.col("status") == "ok")
    rubric = ", ".join(sorted(names["rubric"].unique()))
    rewards, spreads = (last[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in ("raw", "spread"))
    samples = last["samples"].fill_null(0).to_numpy()
    return Judged(scores["judge"][0], rubric, rewards, spreads, samples)


def _workspace(sets: Sequence[LabelledSet], folder: str | Path) -> Workspace:
    ws = Workspace(folder, create=True)
    if ws.manifest.get("stages", {}).get("ingest"):
        hint = "name another folder with -w: an audit keeps its answers and judgements there"
        raise WorkspaceError("this workspace holds conversations of its own", where=folder, hint=hint)
    rows: list[dict[str, Any]] = []
    for found in sets:
        for turns in found.turns:
            empty = {"model": None, "name": None, "tool_calls": None, "weight": None}
            messages = [{"role": role, "content": text, **empty} for role, text in _known(turns)]
            row = {"key": len(rows), "source": found.name, "source_file": found.name, "source_row": len(rows)}
            lists: dict[str, Any] = {"edits": [], "marks": [], "joined_rows": []}
            rows.append({**row, **lists, "messages": messages, "content_hash": fingerprint(messages)})
    table = pa.Table.from_pylist(rows, schema=TABLES["conversations"].arrow)
    ws.write("conversations", 0, table, {"fingerprint": fingerprint([row["content_hash"] for row in rows])})
    return ws


def _known(turns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Roles as the workspace knows them."""
    return [(role if role in ("system", "user", "assistant", "tool") else "user", text) for role, text in turns]
