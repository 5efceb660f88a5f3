"""The kernel of `curate dedup` alone: texts that lie in memory to signatures, one thread per processor."""

from __future__ import annotations

from pathlib import Path

from measure import main

from curate.dedup import Options, minhash
from curate.dedup.texts import Texts, batches, in_order, texts
from curate.workspace import Workspace


def prepare(workspace: Path) -> list[Texts]:
    ws = Workspace(workspace)
    return [texts(batch["messages"]) for index in ws.shards("conversations") for batch in batches(ws, index)]


def removed(loaded: list[Texts], threshold: float, cores: int) -> list[int]:
    a, b = minhash.permutations(Options().num_perm)
    for _ in in_order(lambda batch: minhash.signatures(*batch.arrays, a, b), loaded):
        pass
    return []


if __name__ == "__main__":
    main(removed, prepare)
