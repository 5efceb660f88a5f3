"""Why a text goes, as numbers for kernels and as the words of the tables."""

from __future__ import annotations

KINDS = (None, "exact", "prefix", "near", "semantic")
KEPT, EXACT, PREFIX, NEAR, SEMANTIC = range(5)
