"""rensa's rho pipeline, the one of its published comparison: 128 slots, 8 bands, flags in one shot.

It flags every document that shares a band with another, the first included, and its benchmark keeps the unflagged
ones (benchmarks/full_benchmark.py of rensa); so do we.
"""

from __future__ import annotations

from pathlib import Path

from measure import main, read, shingles
from rensa import RMinHash, RMinHashLSH


def removed(documents: Path, threshold: float, cores: int) -> list[int]:
    ids, texts = read(documents)
    matrix = RMinHash.digest_matrix_from_token_sets_rho(map(shingles, texts), num_perm=128, seed=42)
    lsh = RMinHashLSH(threshold=threshold, num_perm=128, num_bands=8)
    flags = lsh.query_duplicate_flags_matrix_one_shot(matrix)
    return [key for key, flagged in zip(ids, flags, strict=True) if flagged]


if __name__ == "__main__":
    main(removed)
