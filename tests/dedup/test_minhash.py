"""The kernels read text as their docstring says, and sign it as datasketch does."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup import minhash
from curate.dedup.texts import texts
from curate.schema import TABLES

MESSAGES = TABLES["conversations"].arrow.field("messages").type
LONG = " ".join(f"word{i}" for i in range(60))


def column(*conversations, calls=None):
    rows = [[{"role": role, "content": text, "tool_calls": calls} for role, text in c] for c in conversations]
    return pa.array(rows, MESSAGES)


def signed(arrays, num_perm=10):
    return minhash.signatures(*arrays, *minhash.permutations(num_perm))


def hashes(conversation, calls=None):
    """Distinct shingles, sorted."""
    arrays = texts(column(conversation, calls=calls)).arrays
    return minhash.shingle_sets(*arrays, np.array([0]), signed(arrays)[1])[0]


def length(conversation):
    """Shingles, repeats included."""
    return minhash.shingles_of(signed(texts(column(conversation)).arrays)[1])[0]


def same(left, right):
    return np.array_equal(hashes([("user", left)]), hashes([("user", right)]))


conversations = st.lists(
    st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text("ab Z_9.-\n漢字かな，", max_size=80)),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(conversations)
def test_shingles_are_those_of_a_plain_python_reading(plain_shingles, conversation):
    assert len(hashes(conversation)) == len(plain_shingles(conversation))


@settings(max_examples=50, deadline=None)
@given(conversations, conversations)
def test_jaccard_is_that_of_the_plain_sets(plain_shingles, left, right):
    one, two = plain_shingles(left), plain_shingles(right)
    expected = len(one & two) / len(one | two) if one | two else 1.0
    assert minhash.jaccard(hashes(left), hashes(right), 0.0) == pytest.approx(expected)


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
        assert length([("user", text)]) == 1 + tokens - 2


def test_a_role_is_no_word_and_counts():
    assert not np.array_equal(hashes([("user", LONG)]), hashes([("assistant", LONG)]))
    assert not np.array_equal(hashes([("user", LONG)]), hashes([("user", "user " + LONG)]))


def test_where_a_message_ends_counts():
    assert not np.array_equal(hashes([("user", LONG + " end")]), hashes([("user", LONG), ("user", "end")]))


def test_tool_calls_count():
    assert not np.array_equal(hashes([("assistant", LONG)], '{"n": 1}'), hashes([("assistant", LONG)], '{"n": 2}'))


def test_short_texts_have_shorter_shingles():
    short, long = " ".join(["w"] * 38), " ".join(["w"] * 39)
    assert (length([("user", short)]), length([("user", long)])) == (39 - 2, 40 - 4)


@pytest.mark.parametrize("repeat", [200, 205, 1000, 50_000])
def test_blocks_join_without_a_seam(repeat, plain_shingles):
    conversation = [("user", " ".join(f"w{i}" for i in range(repeat))), ("assistant", "yes, " * 7)]
    assert len(set(hashes(conversation).tolist())) == len(plain_shingles(conversation))


@given(st.binary(max_size=60))
def test_invalid_utf8_reads_no_byte_outside_its_message(content):
    padded = np.frombuffer(content + b"\x80\x80\x80", np.uint8)
    exact = np.frombuffer(content, np.uint8)
    rest = np.array([0, len(content)]), np.zeros(1, np.uint8), np.array([0, 1])
    found = [signed((data, *rest)) for data in (padded, exact)]
    assert all(np.array_equal(left, right) for left, right in zip(*found, strict=True))


def test_slices_of_a_column_read_as_whole_ones():
    whole = column([("user", "first of them")], [("user", LONG), ("assistant", "ünï")], [("user", "漢字")])
    part = texts(whole.slice(1, 2))
    assert np.array_equal(signed(part.arrays)[0], signed(texts(whole).arrays)[0][1:])
    assert part.characters().tolist() == [len(LONG) + 3, 2]
    assert texts(column([])).characters().tolist() == [0]


@settings(deadline=None)
@given(st.text("aZ é漢😀 ", min_size=1, max_size=30), st.integers(1, 400), st.integers(1, 3000))
def test_where_a_block_ends_changes_no_token(piece, repeat, before):
    whole = signed(texts(column([("user", piece * repeat)])).arrays)
    moved = signed(texts(column([("user", "," * before + piece * repeat)])).arrays)
    assert all(np.array_equal(left, right) for left, right in zip(whole, moved, strict=True))


def test_a_run_without_an_end_gives_a_token_for_every_64_bytes():
    for text, tokens in (("x" * 64, 1), ("x" * 65, 2), ("x" * 100_000, 1563), ("é" * 64, 2), ("ﬀ" * 64, 4)):
        assert signed(texts(column([("user", text)])).arrays)[1][0] == 1 + tokens


def test_digests_tell_which_text_begins_another():
    first, second = [("user", LONG), ("assistant", "yes, of course")], ("user", "go on " * 3000)
    both = texts(column(first, [*first, second], [("user", LONG), ("assistant", "yes, of no course")]))
    _, tokens, ends = signed(both.arrays)
    assert ends[1] == ends[3] != ends[6]
    assert ends[0] == ends[2] == ends[5]
    places = np.array([tokens[0], tokens[1]])
    assert minhash.digests_at(*both.arrays, np.array([1]), np.array([0, 2]), places).tolist() == [ends[1], ends[4]]
