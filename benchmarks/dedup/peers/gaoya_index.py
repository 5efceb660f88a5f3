"""gaoya: parallel bulk insertion and query of MinHashStringIndex with its default 20 bands of 5; the first stays.

As in its notebook deduplication_scholarly_articles_gaoya.ipynb, with word 5-grams in place of characters. The
container `smallvec` is the one its documentation advises where near duplicates are few. Which of two goes is left to
the caller: here a document goes when one that stayed is similar by its signature.
"""

from __future__ import annotations

from pathlib import Path

from gaoya.minhash import MinHashStringIndex
from measure import main, read


def removed(documents: Path, threshold: float, cores: int) -> set[int]:
    ids, texts = read(documents)
    index = MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=threshold,
        num_bands=20,
        band_size=5,
        analyzer="word",
        lowercase=True,
        ngram_range=(5, 5),
        id_container="smallvec",
    )
    index.par_bulk_insert_docs(ids, texts)
    gone: set[int] = set()
    for key, similar in zip(ids, index.par_bulk_query(texts), strict=True):
        if any(other < key and other not in gone for other in similar):
            gone.add(key)
    return gone


if __name__ == "__main__":
    main(removed)
