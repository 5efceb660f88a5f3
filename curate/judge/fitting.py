"""`curate judges fit` and `apply`: bring a judge's rewards onto the scale of labels, and say which column counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curate.corrections import store
from curate.errors import CurateError, InputError, did_you_mean
from curate.judge.calibration import LEAST, USES, Calibration, isotonic, load, save
from curate.schema import TABLES
from curate.workspace import Workspace, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FOLDS = 5


def fit(
    workspace: str | Path, labels: str | Path | None = None, scale: tuple[float, float] | None = None
) -> Calibration:
    """Fit the curve from the raw rewards of the workspace's judge to labels; what weights use stays as it is.

    Args:
        workspace: Folder of the workspace.
        labels: CSV, JSON Lines or Parquet with `key`, `turn` and `label` (or `reward`: a table `scores` of a
            stronger judge); None = the scores that were corrected by hand in the workspace.
        scale: Worst and best label; None = the least and the greatest there are, of corrections 0 and 1.

    Raises:
        InputError: The labels cannot be read.
        CurateError: Fewer than `LEAST` labels are for scored responses, or they are all the same.
    """
    ws = Workspace(workspace)
    if labels is None:
        labels, wanted, scale = ws.path / "corrections", store.labels(ws), scale or (0.0, 1.0)
    else:
        wanted = _labels(Path(labels))
    scores = ws.scan("scores").select("key", "turn", "raw", "judge").collect()
    judge = str(scores["judge"][0])
    joined = scores.join(wanted, on=["key", "turn"]).drop_nulls(["raw", "label"])
    if len(joined) < LEAST:
        raise CurateError(
            f"{len(joined):,} labels are for responses that `{judge}` scored; a curve needs {LEAST}",
            where=labels,
            hint="label more, or use `curate judges apply --use percentile`, which needs none",
        )
    given = joined["label"].to_numpy()
    low, high = scale or (float(given.min()), float(given.max()))
    if not low < high:
        raise CurateError("all labels are the same", where=labels, hint="give the scale: --scale 1,10")
    rewards = joined["raw"].cast(pl.Float64).to_numpy()
    goals = np.clip((given - low) / (high - low), 0, 1)
    error, error_raw = _held_out(rewards, goals, joined["key"].to_list())
    corners = isotonic(rewards.tolist(), goals.tolist())
    known = load(ws, judge) or Calibration(judge)
    found = replace(
        known, rewards=corners[0], labels=corners[1], count=len(joined), error=error, error_raw=error_raw
    )
    save(ws, found)
    return found


def apply(workspace: str | Path, use: str) -> Calibration:
    """Write the columns `calibrated` and `reward` of the table anew; later runs of `score` do the same.

    Args:
        workspace: Folder of the workspace.
        use: raw, percentile or calibrated: what `reward`, and with it every weight, takes.

    Raises:
        CurateError: There is no such column, or nothing in it.
    """
    if use not in USES:
        raise CurateError(f"unknown column `{use}`", hint=did_you_mean(use, USES))
    ws = Workspace(workspace)
    with ws.lock():
        judge = str(ws.scan("scores").select("judge").head(1).collect().item())
        found = replace(load(ws, judge) or Calibration(judge), use=use)
        if use == "calibrated" and not found.rewards:
            raise CurateError(f"nothing is fitted for `{judge}`", hint="run `curate judges fit LABELS` first")
        tables = {shard: _with_columns(ws.read("scores", shard), found) for shard in ws.shards("scores")}
        if use != "raw" and not any(table["reward"].is_not_null().any() for table in tables.values()):
            raise CurateError(f"no response has a `{use}`", hint="ranks need 20 responses of a rubric and task")
        save(ws, found)
        for shard, table in tables.items():
            stamp = ws.stamp("scores", shard)
            arrow = table.to_arrow().cast(TABLES["scores"].arrow)
            ws.write("scores", shard, arrow, {"fingerprint": fingerprint(stamp.get("fingerprint"), found.fingerprint)})
    return found


def _with_columns(scores: pl.DataFrame, found: Calibration) -> pl.DataFrame:
    curve = pl.Series("calibrated", [found.of(raw) for raw in scores["raw"]], pl.Float32)
    return scores.with_columns(curve).with_columns(reward=pl.col(found.use).cast(pl.Float32)).select(scores.columns)


def _labels(path: Path) -> pl.DataFrame:
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".csv": pl.read_csv,
        ".jsonl": pl.read_ndjson,
        ".parquet": pl.read_parquet,
    }
    if path.suffix not in readers:
        raise InputError("labels are a CSV, JSON Lines or Parquet file", where=path)
    try:
        frame = readers[path.suffix](path)
        label = "label" if "label" in frame.columns else "reward"
        columns = [pl.col("key").cast(pl.UInt64), pl.col("turn").cast(pl.Int32), pl.col(label).cast(pl.Float64)]
        return frame.select(columns).rename({label: "label"}).unique(["key", "turn"])
    except (OSError, pl.exceptions.PolarsError) as error:
        hint = "it needs the columns `key`, `turn` and `label`"
        raise InputError(f"the labels cannot be read: {str(error).splitlines()[0]}", where=path, hint=hint) from error


def _held_out(rewards: np.ndarray, labels: np.ndarray, keys: Sequence[int]) -> tuple[float, float]:
    """Mean absolute error of curves on the conversations they were not fitted on, and that of the raw reward."""
    fold = np.asarray([int(fingerprint(key)[:8], 16) % FOLDS for key in keys])
    errors = []
    for part in range(FOLDS):
        inside, outside = fold != part, fold == part
        if inside.any() and outside.any():
            corners = isotonic(rewards[inside].tolist(), labels[inside].tolist())
            errors += np.abs(np.interp(rewards[outside], *corners) - labels[outside]).tolist()
    return float(np.mean(errors)), float(np.abs(rewards - labels).mean())
