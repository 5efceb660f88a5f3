"""The kernel of `curate dedup` alone: texts that lie in memory to band keys, one thread per processor."""

from __future__ import annotations

from pathlib import Path

from measure import main

from curate.dedup import minhash
from curate.dedup.lsh import bands
from curate.dedup.texts import Texts, batches, in_order, texts
from curate.workspace import Workspace


def prepare(workspace: Path) -> list[Texts]:
    ws = Workspace(workspace)
    return [texts(batch["messages"]) for index in ws.shards("conversations") for batch in batches(ws, index)]


def removed(loaded: list[Texts], threshold: float, cores: int) -> list[int]:
    count, values = bands(threshold, 128, 0)
    a, b = (half[: count * values] for half in minhash.permutations(128))
    for _ in in_order(lambda batch: minhash.band_keys(*batch.arrays, a, b, values), loaded):
        pass
    return []


if __name__ == "__main__":
    main(removed, prepare)
