"""The made-up corpus of benchmarks/dedup is what its description says."""

import re
from collections import Counter

import corpora
import numpy as np
import orjson
import polars as pl
import pytest
from copies import KINDS
from corpus import BASES, BLOCK, LARGEST_CLUSTER, block, write


@pytest.fixture(scope="module")
def rows():
    return block(1, 0)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    first = write(tmp_path / "first.jsonl", 300, seed=1)
    assert write(tmp_path / "again.jsonl", 300, seed=1) == first
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "first.jsonl").read_bytes()
    assert write(tmp_path / "other.jsonl", 300, seed=2) != first


def test_fewer_rows_are_a_prefix_of_more(tmp_path):
    write(tmp_path / "more.jsonl", BLOCK + 20, seed=1)
    write(tmp_path / "fewer.jsonl", 300, seed=1)
    more, fewer = ((tmp_path / name).read_bytes() for name in ("more.jsonl", "fewer.jsonl"))
    assert more.count(b"\n") == BLOCK + 20
    assert fewer.count(b"\n") == 300
    assert more.startswith(fewer)


def test_three_rows_in_ten_are_copies_of_every_kind_in_clusters_of_2_to_61(rows):
    kinds = Counter(row.kind for row in rows)
    assert kinds.pop("base") == BASES
    assert set(kinds) == set(KINDS)
    assert max(kinds, key=kinds.get) == "words"
    clusters = Counter(row.base for row in rows if row.kind != "base")
    assert 5 < max(clusters.values()) < LARGEST_CLUSTER
    assert all(rows[base].kind == "base" and rows[base].base == base for base in clusters)


def test_sizes_are_those_of_chats(rows):
    sizes = [sum(len(text.encode()) for _, text in row.messages) for row in rows if row.kind == "base"]
    low, middle, high = np.percentile(sizes, [5, 50, 95]) / 1000
    assert 0.9 < low < 1.4
    assert 2.2 < middle < 2.8
    assert 4.2 < high < 5.2


def test_every_conversation_is_alternating_and_has_text(rows):
    for row in rows:
        roles = [role for role, _ in row.messages]
        assert roles == [("human", "gpt")[turn % 2] for turn in range(len(roles))]
        assert all(text.strip() for _, text in row.messages)


def test_copies_that_only_look_different_have_the_same_words_as_a_relative(rows):
    texts = [" ".join(re.findall("[a-zA-Zéü0-9]+", " ".join(text for _, text in row.messages))).lower() for row in rows]
    for position, row in enumerate(rows):
        if row.kind in ("exact", "formatting"):
            family = [other for other, relative in enumerate(rows) if relative.base == row.base and other != position]
            assert any(texts[other] == texts[position] for other in family), row.kind


def test_peers_read_the_texts_that_curate_ingested(tmp_path):
    corpus = corpora.planted(tmp_path, 300)
    lines = [orjson.loads(line) for path in tmp_path.glob("*.jsonl") for line in path.read_bytes().splitlines()]
    documents = pl.read_parquet(corpus.documents)
    assert documents["id"].to_list() == list(range(300)) == corpus.ids
    assert documents["text"].to_list() == ["\n".join(turn["value"] for turn in line["conversations"]) for line in lines]
    few = corpora.sample(corpus, 0.1)
    assert 10 < few.rows < 60
    assert few.megabytes <= 0.1
    assert pl.read_parquet(few.documents).equals(documents.head(few.rows))
