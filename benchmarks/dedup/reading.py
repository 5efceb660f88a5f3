"""Reading alone: the conversations of a workspace as `curate dedup` reads them, once."""

from __future__ import annotations

from pathlib import Path

from measure import main

from curate.dedup.texts import batches
from curate.workspace import Workspace


def removed(workspace: Path, threshold: float, cores: int) -> list[int]:
    ws = Workspace(workspace)
    for index in ws.shards("conversations"):
        for _ in batches(ws, index, ("key", "content_hash")):
            pass
    return []


if __name__ == "__main__":
    main(removed)
