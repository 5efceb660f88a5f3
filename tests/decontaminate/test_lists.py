"""Benchmark lists as people have them: any container, any column, and a clear word when one cannot be read."""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.decontaminate import items
from curate.decontaminate.lists import find
from curate.errors import CurateError, InputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ITEMS = [{"task_id": f"T/{n}", "prompt": f"What is {n} plus {n}?", "answer": str(2 * n)} for n in range(3)]
LINES = "".join(json.dumps(item) + "\n" for item in ITEMS).encode()


def texts(*paths: object, column: str | None = None) -> list[list[str]]:
    return [text for one in find([str(path) for path in paths], column) for _, _, text in one.items()]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.json", "a.parquet", "a.csv", "a.tsv"])
def test_any_container_gives_the_same_items(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    header = ["task_id", "prompt", "answer"]
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(ITEMS), path)
    elif name.endswith(("csv", "tsv")):
        rows = [header, *([item[key] for key in header] for item in ITEMS)]
        path.write_text("\n".join((","if name.endswith("csv") else "\t").join(row) for row in rows))
    else:
        pack: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstd.compress}
        data = json.dumps(ITEMS).encode() if name.endswith("json") else LINES
        path.write_bytes(pack.get(name.rpartition(".")[2], bytes)(data))
    (one,) = find([path])
    assert (one.benchmark, one.column) == ("a", "prompt")
    assert list(one.items()) == [(n, f"T/{n}", [f"What is {n} plus {n}?"]) for n in range(3)]


def test_a_column_is_chosen_per_list_or_for_all(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    assert texts(f"{tmp_path}/a.jsonl:answer") == [["0"], ["2"], ["4"]]
    assert texts(f"{tmp_path}/a.jsonl", column="answer") == [["0"], ["2"], ["4"]]
    assert len(texts(f"{tmp_path}/a.jsonl", f"{tmp_path}/a.jsonl:answer")) == 6


def test_a_column_is_found_whatever_its_case(tmp_path: Path) -> None:
    (tmp_path / "TruthfulQA.csv").write_text("Type,Question,Source\nAdversarial,Where do dragons sleep?,http://x\n")
    assert texts(tmp_path / "TruthfulQA.csv") == [["Where do dragons sleep?"]]
    assert texts(tmp_path / "TruthfulQA.csv", column="question") == [["Where do dragons sleep?"]]


@pytest.mark.parametrize(
    ("record", "column", "expected"),
    [
        ({"turns": ["Write a poem.", "Now shorter."]}, None, ["Write a poem.", "Now shorter."]),
        ({"choices": [{"turns": ["One."]}, {"turns": ["Two."]}]}, "choices.turns", ["One.", "Two."]),
        ({"question": "", "text": "Used instead."}, None, ["Used instead."]),
        ({"question": None, "answer": 42}, "answer", ["42"]),
        ({"canary": "x", "examples": [{"input": "In a list in an object."}]}, None, ["In a list in an object."]),
    ],
)
def test_texts_are_found_where_they_are(
    tmp_path: Path, record: dict[str, Any], column: str | None, expected: list[str]
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(record))
    assert texts(tmp_path / "a.json", column=column) == [expected]


def test_a_benchmark_is_called_as_its_file_unless_named(tmp_path: Path) -> None:
    for folder in ("mt_bench", "vicuna"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "question.jsonl").write_bytes(LINES)
    (tmp_path / "gsm.jsonl").write_bytes(LINES)
    assert [one.benchmark for one in find([tmp_path])] == ["gsm", "mt_bench/question", "vicuna/question"]
    assert [one.benchmark for one in find([f"GSM8K={tmp_path}/gsm.jsonl:prompt"])] == ["GSM8K"]


def test_equal_texts_are_looked_for_once_and_counted(tmp_path: Path) -> None:
    records = [{"id": 1, "question": "Is it so?"}, {"id": 1, "question": "Or so?"}, {"id": 2, "question": "is it SO"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in [*records, {"question": "?!"}, {"x": 1}]))
    found = items.read(find([tmp_path / "a.jsonl"]))
    assert found.ids == ["1", "1#1"]
    assert found.items == [2]
    assert found.ignored == [Counter({"duplicate": 1, "no token": 1, "no text": 1})]


def test_records_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"question": "caf\xe9 or tea"}\n{"question": "What is tea?"}\n{"question": \n')
    (one,) = find([tmp_path / "a.jsonl"])
    unread: Counter[str] = Counter()
    assert [text for _, _, text in one.items(unread)] == [["What is tea?"]]
    assert unread == {"invalid_utf8": 1, "invalid_json": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"[]", "the list has no items"),
        (b'{"questoin": "a", "b": "c"}\n', "no column of the list has a well-known name; it has `questoin`, `b`"),
        (b'{"question": "caf\xe9"}\n', "no record of the list can be read: byte 0xe9"),
        (b"<html>", "a page is no list"),
        (b'{"question": "?"}\n', "nothing of the list can be looked for: 1 no token"),
    ],
)
def test_a_list_without_items_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(InputError) as caught:
        items.read(find([tmp_path / "a.jsonl"]))
    assert caught.value.what.startswith(message)
    assert caught.value.where == str(tmp_path / "a.jsonl")


def test_a_wrong_column_names_a_near_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    with pytest.raises(InputError) as caught:
        find([tmp_path / "a.jsonl"], "promt")
    assert caught.value.what == "the list has no text in a column `promt`; it has `task_id`, `prompt`, `answer`"
    assert caught.value.hint == "did you mean `prompt`?"


@pytest.mark.parametrize("lists", [[], ["-"], ["nowhere.jsonl"], ["nowhere.jsonl:question"]])
def test_a_list_that_is_not_there_is_an_error(lists: list[str]) -> None:
    with pytest.raises(CurateError):
        find(lists)
