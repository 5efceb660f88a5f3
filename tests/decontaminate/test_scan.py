"""The kernel finds what plain Python finds, wherever it lies in a text and however the texts are cut."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.decontaminate import index, items
from curate.decontaminate.lists import find
from curate.decontaminate.places import passages
from curate.decontaminate.scan import stretches
from tests.decontaminate.conftest import grams, tokens

if TYPE_CHECKING:
    from pathlib import Path

    from curate.decontaminate.index import Index

# Few words, so that texts repeat themselves and each other.
TEXTS = st.lists(st.sampled_from(["ha", "ho", "x1", "Yes", "no"]), max_size=40).map(" ".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lists")


def indexed(folder: Path, *texts: str) -> tuple[items.Items, Index]:
    path = folder / "list.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    found = items.read(find([path]))
    return found, index.build(found)


def scanned(messages: list[str], of: Index) -> tuple[np.ndarray, list[str]]:
    """Stretches, and the passage of each."""
    _, offsets, data = pa.array(messages, pa.large_string()).buffers()
    text = np.frombuffer(data or b"", np.uint8), np.frombuffer(offsets, np.int64)[: len(messages) + 1]
    found = stretches(*text, of)
    message, _, _, count, place = found.T
    begins, ends = passages(*text, message, place, count)
    return found, [messages[m][b:e] for m, b, e in zip(message, begins, ends, strict=True)]


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS.filter(lambda text: bool(text.split())), min_size=1, max_size=4), st.lists(TEXTS, max_size=4))
def test_it_finds_what_plain_python_finds(folder: Path, texts: list[str], messages: list[str]) -> None:
    known, of = indexed(folder, *texts)
    found, shown = scanned(messages, of)
    listed = [tokens(texts[row]) for row in known.rows]
    for (_, part, first, count, _), passage in zip(found.tolist(), shown, strict=True):
        assert tokens(passage) == listed[part][first : first + count]
    for number, message in enumerate(map(tokens, messages)):
        for part, item in enumerate(listed):
            mine = [(f, n) for m, p, f, n, _ in found.tolist() if (m, p) == (number, part)]
            whole = any(message[i : i + len(item)] == item for i in range(len(message)))
            if len(item) < 5:
                assert bool(mine) == (message == item)
            elif len(item) < 8:
                assert bool(mine) == whole
            else:
                assert ((0, len(item)) in mine) == whole
                shared = set().union(*(grams(item[f : f + n], 8) for f, n in mine))
                assert shared == grams(item, 8) & grams(message, 8)


def test_a_passage_is_found_across_blocks_and_beside_other_scripts(folder: Path) -> None:
    item = " ".join(f"w{n}" for n in range(300))
    _, of = indexed(folder, item)
    around = "Ünïcödé, 😀 и другое; " * 150
    found, shown = scanned([around + item.upper() + "! " + around, item], of)
    assert shown == [item.upper(), item]
    assert found[:, 3].tolist() == [300, 300]


def test_very_long_runs_keep_their_places(folder: Path) -> None:
    item = "so " * 3 + "ab" * 1000 + " one two three four five six seven eight"
    _, of = indexed(folder, item)
    for before in ("", "é" * 1999 + " ", "x" * 4097 + "—"):
        assert item in scanned([before + item + " behind"], of)[1]


def test_ideographs_count_half(folder: Path) -> None:
    """A phrase of 8 to 15 ideographs is a few words: it is looked for as a whole, and longer ones by 16 of them."""
    text = "".join(chr(0x4E00 + n) for n in random.Random(1).sample(range(20_000), 60))
    known, of = indexed(folder, text[:12], text[20:60], text[15:19])
    assert known.dense.tolist() == [True, True, True]
    assert of.kinds.tolist() == [3, 1, 4]
    found = [scanned([message], of)[0][:, 1].tolist() for message in (text[:11], text[:12], text[20:35], text[20:36])]
    assert found == [[], [0], [], [1]]
    assert scanned([text[15:19], text[14:19]], of)[0][:, :2].tolist() == [[0, 2]]


def test_what_stands_in_many_items_finds_none(folder: Path) -> None:
    head = "Which one of the following statements can be properly inferred from the passage above"
    many = [f"{head} about {'x' * (n + 1)} and nothing else" for n in range(index.TEMPLATE + 1)]
    known, of = indexed(folder, *many)
    assert len(known.ids) == index.TEMPLATE + 1
    assert len(scanned([head], of)[0]) == 0
    found, shown = scanned([f"{many[7]}."], of)
    assert [7, 0, len(tokens(many[7]))] in found[:, 1:4].tolist()
    assert many[7] in shown


def test_a_text_that_repeats_itself_takes_no_time(folder: Path) -> None:
    """An item of one word, 20,000 times, in a message of that word, a million times: comparisons are bounded."""
    _, of = indexed(folder, "ha " * 20_000, "ha " * 100 + "end of it all")
    found, _ = scanned(["ha " * 1_000_000 + "end of it all"], of)
    assert len(found) < 100
    assert 20_000 in found[:, 3]
