"""The kernels read text as their docstring says, and sign it as datasketch does."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup import minhash
from curate.dedup.texts import characters, texts
from curate.schema import TABLES

MESSAGES = TABLES["conversations"].arrow.field("messages").type
LONG = " ".join(f"word{i}" for i in range(60))


def column(*conversations, calls=None):
    rows = [[{"role": role, "content": text, "tool_calls": calls} for role, text in c] for c in conversations]
    return pa.array(rows, MESSAGES)


def hashes(conversation, calls=None):
    data, offsets, roles, rows = texts(column(conversation, calls=calls)).arrays
    a, b = minhash.permutations(5)
    _, totals = minhash.band_keys(data, offsets, roles, rows, a, b, 5)
    return minhash.shingle_hashes(data, offsets, roles, rows[0], rows[1], totals[0])


def same(left, right):
    return np.array_equal(hashes([("user", left)]), hashes([("user", right)]))


conversations = st.lists(
    st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text("ab Z_9.-\n漢字かな，", max_size=80)),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(conversations)
def test_shingles_are_those_of_a_plain_python_reading(plain_shingles, conversation):
    assert len(set(hashes(conversation).tolist())) == len(plain_shingles(conversation))


@settings(max_examples=50, deadline=None)
@given(conversations, conversations)
def test_jaccard_is_that_of_the_plain_sets(plain_shingles, left, right):
    one, two = plain_shingles(left), plain_shingles(right)
    expected = len(one & two) / len(one | two) if one | two else 1.0
    assert minhash.jaccard(np.unique(hashes(left)), np.unique(hashes(right)), 0.0) == pytest.approx(expected)


@given(st.sets(st.integers(0, 60), max_size=40), st.sets(st.integers(0, 60), max_size=40), st.floats(0.01, 1))
def test_giving_up_early_never_changes_the_answer(left, right, threshold):
    one, two = (np.array(sorted(numbers), np.uint64) for numbers in (left, right))
    truth = minhash.jaccard(one, two, 0.0)
    assert minhash.jaccard(one, two, threshold) in ({truth} if truth >= threshold else {truth, 0.0})


@pytest.mark.parametrize("num_perm", [16, 125, 128])
def test_signature_and_estimate_equal_datasketch(num_perm):
    from datasketch import MinHash

    a, b = minhash.permutations(num_perm)
    pair = [hashes([("user", LONG)]), hashes([("user", LONG + " and a little more at the end of it all")])]
    theirs = [MinHash(num_perm, seed=1, hashfunc=lambda h: h & 0xFFFFFFFF, scheme="affine32") for _ in pair]
    for values, sketch in zip(pair, theirs, strict=True):
        for value in values.tolist():
            sketch.update(value)
        assert np.array_equal(minhash.signature(values, a, b), sketch.hashvalues)
    ours = [minhash.signature(values, a, b) for values in pair]
    assert np.mean(ours[0] == ours[1]) == theirs[0].jaccard(theirs[1])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Hello, World! How are you?", "hello world how are you"),
        ("ÉCOLE ΑΘΗΝΑ МОСКВА is the rest", "école αθηνα москва is the rest"),
        ("“quoted” — and… so on and on", '"quoted" - and... so on and on'),
        ("many    spaces\n\n\tand lines here", "many spaces and lines here"),
        ("漢字、かな。文章です", "漢字 かな 文章です"),
        ("wide\u3000space\u00a0and no-break", "wide space and no break"),
    ],
)
def test_case_punctuation_and_white_space_do_not_count(left, right):
    assert same(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("one two three four", "one two three five"),
        ("one two three four", "four three two one"),
        ("漢字かな文章", "漢字かな文書"),
        ("naïve café tables", "naive cafe tables"),
        ("well done my friend 😀", "well done my friend 😡"),
    ],
)
def test_words_order_and_accents_count(left, right):
    assert not same(left, right)


def test_each_ideograph_syllable_and_emoji_is_a_token():
    for text, tokens in (("漢字かな", 4), ("한국어다", 4), ("สวัสดี", 6), ("😀😀😀", 3), ("日本abc語", 4)):
        assert len(hashes([("user", text)])) == 1 + tokens - 2


def test_a_role_is_no_word_and_counts():
    assert not np.array_equal(hashes([("user", LONG)]), hashes([("assistant", LONG)]))
    assert not np.array_equal(hashes([("user", LONG)]), hashes([("user", "user " + LONG)]))


def test_where_a_message_ends_counts():
    assert not np.array_equal(hashes([("user", LONG + " end")]), hashes([("user", LONG), ("user", "end")]))


def test_tool_calls_count():
    assert not np.array_equal(hashes([("assistant", LONG)], '{"n": 1}'), hashes([("assistant", LONG)], '{"n": 2}'))


def test_short_texts_have_shorter_shingles():
    short, long = " ".join(["w"] * 38), " ".join(["w"] * 39)
    assert (len(hashes([("user", short)])), len(hashes([("user", long)]))) == (39 - 2, 40 - 4)


@pytest.mark.parametrize("repeat", [200, 205, 1000, 50_000])
def test_blocks_join_without_a_seam(repeat, plain_shingles):
    conversation = [("user", " ".join(f"w{i}" for i in range(repeat))), ("assistant", "yes, " * 7)]
    assert len(set(hashes(conversation).tolist())) == len(plain_shingles(conversation))


@given(st.binary(max_size=60))
def test_invalid_utf8_reads_no_byte_outside_its_message(content):
    padded = np.frombuffer(content + b"\x80\x80\x80", np.uint8)
    exact = np.frombuffer(content, np.uint8)
    found = []
    for data in (padded, exact):
        offsets, roles, rows = np.array([0, len(content)]), np.zeros(1, np.uint8), np.array([0, 1])
        a, b = minhash.permutations(5)
        found.append(minhash.band_keys(data, offsets, roles, rows, a, b, 5)[0])
    assert np.array_equal(*found)


def test_slices_of_a_column_read_as_whole_ones():
    whole = column([("user", "first of them")], [("user", LONG), ("assistant", "ünï")], [("user", "漢字")])
    part = texts(whole.slice(1, 2))
    a, b = minhash.permutations(10)
    all_keys, _ = minhash.band_keys(*texts(whole).arrays, a, b, 5)
    assert np.array_equal(minhash.band_keys(*part.arrays, a, b, 5)[0], all_keys[:, 1:])
    assert characters(whole.slice(1, 2)).tolist() == [len(LONG) + 3, 2]
    assert characters(column([])).tolist() == [0]
