"""What dedup keeps of a text is little, however many there are."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.console import Silent
from curate.dedup import Options, policy
from curate.dedup.search import search
from curate.dedup.sieve import BITS, Sieve
from curate.dedup.signing import sign

# Bytes of memory for each further text; 28 are the corpus, the rest is rank, keeper and verdict.
MOST = 120


def peak(workspace, count):
    """Bytes that the search takes at the most, for so many conversations in shards of 2,000."""
    source = random.Random(7)
    words = ["".join(source.choices("abcdefghijklmnoprstuvw", k=6)) for _ in range(5000)]
    talks = [
        [(role, " ".join(source.choices(words, k=12))) for role in ("user", "assistant", "user", "assistant")]
        for _ in range(count)
    ]
    ws, options, keep = workspace(talks, shard_rows=2000, name=str(count)), Options(), policy.load("keep.toml")
    sign(ws, options.unit, options.num_perm, lambda _: None)
    tracemalloc.start()
    result, _, _ = search(ws, options, keep, (), None, Silent())
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.kept == count
    return found


def test_a_further_text_takes_little_memory(workspace):
    peak(workspace, 100)  # whatever is loaded on first use
    few, many = 8_000, 24_000
    assert (peak(workspace, many) - peak(workspace, few)) / (many - few) < MOST


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50))
def test_a_sieve_lets_pass_what_was_put_in_and_little_else(numbers):
    hashes = np.array(numbers, np.uint64)
    sieve = Sieve(len(hashes))
    assert not sieve.add(hashes[:1]).any()
    assert sieve.add(hashes)[:1].all()
    assert sieve.has(hashes).all()
    others = np.random.default_rng(len(numbers)).integers(0, 2**64, 4000, np.uint64)
    assert sieve.has(others).mean() <= 2 / BITS
