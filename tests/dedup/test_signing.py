"""Signatures are made once: for new conversations, never for another threshold."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from curate.dedup import dedup


@pytest.fixture
def signed(monkeypatch):
    """How many texts were signed."""
    from curate.dedup import minhash

    counts, plain = [], minhash.signatures

    def counted(*arguments):
        found = plain(*arguments)
        counts.append(len(found[1]))
        return found

    monkeypatch.setattr(minhash, "signatures", counted)
    return counts


def test_another_threshold_or_policy_signs_nothing(workspace, words, signed):
    ws = workspace([[("user", words(i % 4, 60) + " more" * (i % 3))] for i in range(9)])
    first = dedup(ws.path, threshold=0.6, quiet=True)
    assert sum(signed) == 9
    tightened = dedup(ws.path, threshold=0.99, quiet=True)
    assert sum(signed) == 9
    assert tightened.kept > first.kept


def test_new_conversations_alone_are_signed(workspace, words, signed):
    rows = [[("user", words(i, 60))] for i in range(6)]
    dedup(workspace(rows[:3]).path, quiet=True)
    ws = workspace(rows)
    dedup(ws.path, quiet=True)
    assert sum(signed) == 6


def test_the_table_is_what_datasketch_would_make(workspace, words):
    from datasketch import MinHash

    ws = workspace([[("user", words(i, 60))] for i in range(3)])
    dedup(ws.path, quiet=True)
    frame = ws.scan("signatures").collect()
    assert frame["key"].to_list() == [0, 1, 2]
    assert frame["tokens"].to_list() == [61] * 3
    assert frame["chars"].to_list() == [len(words(i, 60)) for i in range(3)]
    values = [np.frombuffer(value, "<u4") for value in frame["signature"]]
    sketches = [MinHash(seed=1, scheme="affine32", hashvalues=value, num_perm=64) for value in values]
    assert sketches[0].jaccard(sketches[0]) == 1
    assert sketches[0].jaccard(sketches[1]) == np.mean(values[0] == values[1]) < 0.1


def test_datasketch_finds_the_same_candidates(workspace, words):
    """Bands of one width over the same signatures: who shares one with whom."""
    from datasketch import MinHash, MinHashLSH

    from curate.dedup.buckets import buckets
    from curate.dedup.lsh import bands
    from curate.dedup.minhash import band_keys

    texts = [words(i % 5, 80).split() for i in range(25)]
    for i, text in enumerate(texts):
        text[i :: 17] = [f"changed{i}"] * len(text[i::17])
    ws = workspace([[("user", " ".join(text))] for text in texts])
    dedup(ws.path, quiet=True)
    signatures = np.array([np.frombuffer(value, "<u4") for value in ws.scan("signatures").collect()["signature"]])
    count, values = bands(0.7, 64, 25)
    lsh = MinHashLSH(num_perm=64, params=(count, values))
    sketches = [MinHash(seed=1, scheme="affine32", hashvalues=row) for row in signatures]
    for key, sketch in enumerate(sketches):
        lsh.insert(key, sketch)
    theirs = {(key, other) for key, sketch in enumerate(sketches) for other in lsh.query(sketch) if key != other}
    shared = buckets(band_keys(signatures, count, values), np.arange(25), count)
    pairs = pl.DataFrame({"row": np.repeat(shared.rows, np.diff(shared.starts)), "bucket": shared.numbers})
    ours = pairs.join(pairs, on="bucket").filter(pl.col("row") != pl.col("row_right"))
    assert {*ours.select("row", "row_right").iter_rows()} == theirs
    assert theirs
