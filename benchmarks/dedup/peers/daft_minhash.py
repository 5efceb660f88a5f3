"""Daft's `minhash` and the recipe of its tutorial: docs/examples/minhash-dedupe.md of Daft.

Its parameters: 64 permutations with xxhash, word 5-grams, 8 bands of 8 for 0.7; connected components by igraph, which
the tutorial validates its own star contraction with and which is the faster of the two; the smallest id of a
component stays. For another threshold the bands are those that its `optimal_param` would choose among the ones that
use all permutations, which the tutorial asks for.
"""

from __future__ import annotations

from pathlib import Path

import daft
import igraph
import numpy as np
from daft import col
from measure import main

PERMUTATIONS = 64


def values_per_band(threshold: float) -> int:
    """The least sum of the areas of false positives and false negatives."""
    similarity = (np.arange(1000) + 0.5) / 1000

    def error(values: int) -> float:
        found = 1 - (1 - similarity**values) ** (PERMUTATIONS // values)
        return float(np.where(similarity < threshold, found, 1 - found).mean())

    return min((values for values in range(1, PERMUTATIONS + 1) if PERMUTATIONS % values == 0), key=error)


@daft.func()
def numbers(bands: list[list[int]]) -> list[int]:
    return list(range(len(bands)))


def removed(documents: Path, threshold: float, cores: int) -> list[int]:
    text = col("text").normalize(remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    hashes = text.minhash(num_hashes=PERMUTATIONS, ngram_size=5, seed=42, hash_function="xxhash")
    edges = (
        daft.read_parquet(str(documents))
        .select(col("id"), hashes.chunk(values_per_band(threshold)).alias("band"))
        .with_column("number", numbers(col("band")))
        .explode("band", "number")
        .groupby("number", "band")
        .agg(col("id").list_agg().alias("ids"))
        .where(col("ids").list_count() > 1)
        .with_column("least", col("ids").list_min())
        .explode("ids")
        .where(col("ids") != col("least"))
        .select("least", "ids")
        .distinct()
        .to_arrow()
    )
    pairs = np.column_stack([edges["least"].to_numpy(), edges["ids"].to_numpy()])
    nodes, ends = np.unique(pairs, return_inverse=True)
    graph = igraph.Graph(n=len(nodes), edges=ends.reshape(-1, 2))
    component = np.array(graph.connected_components().membership, int)
    _, first = np.unique(component, return_index=True)
    return np.delete(nodes, first).tolist()


if __name__ == "__main__":
    main(removed)
