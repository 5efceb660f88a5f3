"""semhash: SemHash on whole texts with a static model, its default threshold of 0.9; the first of each kind stays.

Its default model would be downloaded; ours is distilled from all-MiniLM-L6-v2 by model2vec, as its documentation
describes (environments.py). It looks for the same meaning, not the same words: the threshold is cosine similarity and
the truth of this benchmark is not its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from measure import main, read
from model2vec import StaticModel
from semhash import SemHash

MODEL = StaticModel.from_pretrained(os.environ["SEMHASH_MODEL"])


def removed(documents: Path, threshold: float, cores: int) -> list[int]:
    ids, texts = read(documents)
    records = [{"id": str(key), "text": text} for key, text in zip(ids, texts, strict=True)]
    result = SemHash.from_records(records, columns=["text"], model=MODEL).self_deduplicate()
    return [int(duplicate.record["id"]) for duplicate in result.filtered]


if __name__ == "__main__":
    main(removed)
