"""rensa: RMinHashDeduplicator with LSH, fed in bulk, as under "Keep unique documents" in its README.

Its defaults: 128 permutations, its own choice of bands, candidates checked by their signatures, the first stays.
"""

from __future__ import annotations

from pathlib import Path

from measure import main, read, shingles
from rensa import RMinHashDeduplicator


def removed(documents: Path, threshold: float, cores: int) -> list[int]:
    ids, texts = read(documents)
    deduplicator = RMinHashDeduplicator(threshold=threshold, num_perm=128, use_lsh=True)
    kept = deduplicator.add_pairs((str(key), shingles(text)) for key, text in zip(ids, texts, strict=True))
    return [key for key, stays in zip(ids, kept, strict=True) if not stays]


if __name__ == "__main__":
    main(removed)
