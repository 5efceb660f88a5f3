"""`curate.dedup` on a workspace of ingested conversations: the whole stage, reading and writing included."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import polars as pl
from measure import Found, main

import curate


def prepare(workspace: Path) -> Path:
    """The conversations alone, as after `curate ingest`, where nothing of an earlier run can be found again."""
    copy = Path(tempfile.mkdtemp(dir=workspace.parent))
    shutil.copytree(workspace / "conversations", copy / "conversations", copy_function=os.link)
    return copy


def removed(workspace: Path, threshold: float, cores: int) -> Found:
    curate.dedup(workspace, threshold=threshold, quiet=True)
    duplicates = pl.scan_parquet(workspace / "duplicates" / "*.parquet")
    gone = duplicates.drop_nulls("removed_by").select("key", contained=pl.col("kind") == "prefix").collect()
    shutil.rmtree(workspace)
    return Found(*(gone.filter(pl.col("contained") == value)["key"].to_list() for value in (False, True)))


if __name__ == "__main__":
    main(removed, prepare)
