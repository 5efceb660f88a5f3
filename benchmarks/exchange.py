"""What `curate dedup` on a cluster sends between machines, counted on this one: links, their bytes, and groups.

    python benchmarks/exchange.py WORKSPACE...      # each with the table of signatures, of several sizes

Every shard's links and texts are written as its worker writes them; who shares a link is found with polars, where the
cluster asks Daft. So nothing here is a model; docs/scale.md multiplies it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl

from curate.dedup import Options, policy
from curate.dedup.lsh import bands
from curate.workspace import Workspace

across = import_module("curate.dedup.across")


def edges(links: pl.LazyFrame) -> pl.DataFrame:
    """Pairs of linked texts, as `Exchange.edges` has them."""
    first, wanted = (column.over("link") for column in (pl.col("text").min(), pl.col("wanted").max()))
    pairs = links.with_columns(first=first, linked=wanted).filter(pl.col("text") != pl.col("first"), linked=1)
    return pairs.select("text", "first").unique().collect()


def row(workspace: Path) -> Iterator[str]:
    ws, options = Workspace(workspace), Options()
    keep = policy.load(options.policy)
    shards = ws.shards("conversations")
    shape = bands(options.threshold, options.num_perm, ws.rows("signatures"))
    with tempfile.TemporaryDirectory() as folder:
        spill, first = Path(folder), 0
        for index in shards:
            first += across._tell(ws, options, keep, spill, index, first, shape)["texts"]
        sizes = {name: sum(path.stat().st_size for path in (spill / name).iterdir()) for name in ("links", "texts")}
        links = pl.scan_parquet(spill / "links" / "*.parquet")
        count = links.select(pl.len()).collect().item()
        pairs = edges(links).to_arrow()
    texts, places = np.unique(np.c_[pairs["text"].to_numpy(), pairs["first"].to_numpy()], return_inverse=True)
    groups = across.first_rows(len(texts), places.reshape(-1, 2))
    yield f"{first:,}"
    yield f"{count / first:.1f}"
    yield from (f"{size / first:.0f}" for size in sizes.values())
    yield f"{len(texts) / first:.0%}"
    yield f"{np.bincount(groups).max(initial=0):,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspaces", nargs="+", type=Path)
    names = "conversations", "links a text", "bytes of links", "of its numbers", "texts in groups", "largest group"
    print(f"| {' | '.join(names)} |\n|{'---:|' * len(names)}")
    for workspace in parser.parse_args().workspaces:
        print(f"| {' | '.join(row(workspace))} |", flush=True)


if __name__ == "__main__":
    main()
