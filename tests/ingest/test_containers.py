"""Parquet, CSV, archives, lists in an object, prompts in another file: every record comes out or is counted."""

from __future__ import annotations

import gzip
import json
import zipfile
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import curate
from curate.errors import CurateError, InputError
from curate.ingest import table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Chat


def rows(ws: Path, name: str = "conversations") -> list[dict[str, Any]]:
    return curate.Workspace(ws).scan(name).collect().to_dicts()


def answers(ws: Path) -> list[str]:
    return [row["messages"][-1]["content"] for row in rows(ws)]


def parquet(path: Path, records: list[Any], **options: Any) -> Path:
    pq.write_table(pa.Table.from_pylist(records), path, **options)
    return path


def test_parquet_rows_are_records(tmp_path: Path) -> None:
    turns = [[{"from": "human", "value": "q"}, {"from": "gpt", "value": f"a{n}"}] for n in range(9)]
    records = [{"id": str(n), "conversations": turns[n]} for n in range(9)]
    records[4]["conversations"] = []
    result = curate.ingest([parquet(tmp_path / "a.parquet", records, row_group_size=2)], tmp_path / "ws", quiet=True)
    assert (result.records, result.rejects) == (9, {"empty": 1})
    assert answers(tmp_path / "ws") == [f"a{n}" for n in range(9) if n != 4]
    (reject,) = rows(tmp_path / "ws", "rejects")
    assert (reject["source_row"], reject["byte_offset"]) == (4, None)
    assert json.loads(reject["raw"])["id"] == "4"


def test_a_damaged_row_group_costs_no_other(tmp_path: Path) -> None:
    records = [{"instruction": "q", "output": f"answer {n} " + "x" * 200} for n in range(30)]
    path = parquet(tmp_path / "a.parquet", records, row_group_size=10, write_page_checksum=True, compression="none")
    data = bytearray(path.read_bytes())
    place = data.index(b"answer 15 ")
    data[place] ^= 255
    path.write_bytes(data)
    result = curate.ingest([path], tmp_path / "ws", quiet=True)
    assert result.conversations == 20
    assert result.rejects == {"damaged": 1}
    assert "rows 10 to 19" in rows(tmp_path / "ws", "rejects")[0]["detail"]


def test_a_parquet_file_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", [{"instruction": "q", "output": "a"}])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="Parquet"):
        curate.ingest([path], tmp_path / "ws", quiet=True)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz"])
def test_a_table_of_texts_with_a_column_map(tmp_path: Path, suffix: str) -> None:
    mark = "\t" if suffix == "tsv" else ","
    lines = [["q", "a", "engine"], ["One?", '"Yes,\n""no"""', "gpt-4"], ["Two?", "Sure"], ["Three?", "é", ""]]
    text = "\r\n".join(mark.join(line) for line in lines) + "\r\n"
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    columns = {"user": "q", "assistant": "a", "model": "engine"}
    result = curate.ingest([path], tmp_path / "ws", columns=columns, quiet=True)
    assert answers(tmp_path / "ws") == ['Yes,\n"no"', "é"]
    assert [row["model"] for row in rows(tmp_path / "ws")] == ["gpt-4", None]
    assert (result.records, result.rejects) == (3, {"wrong_columns": 1})


def test_a_table_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"prompt,response\nok,fine\nbad,\xff\n")
    result = curate.ingest([tmp_path / "x.csv"], tmp_path / "ws", quiet=True)
    assert (result.conversations, result.rejects) == (1, {"invalid_utf8": 1})


def test_a_quote_that_never_closes_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('prompt,response\nok,fine\nbad,"never closed\nmore,rows\n')
    result = curate.ingest([tmp_path / "x.csv"], tmp_path / "ws", quiet=True)
    assert (result.conversations, result.rejects) == (2, {"invalid_row": 1})
    (reject,) = rows(tmp_path / "ws", "rejects")
    assert reject["raw"] == 'bad,"never closed'
    assert answers(tmp_path / "ws") == ["fine", "rows"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"question": "q"}}, "names `question`"),
        ({"columns": {"user": "q"}, "format": "alpaca"}, "goes with"),
        ({"branches": "some"}, "branches"),
        ({"fragments": "drop"}, "fragments"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, chat: Chat, options: dict[str, Any], message: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps([chat("q", "a")]))
    with pytest.raises(CurateError, match=message):
        curate.ingest([tmp_path / "a.json"], tmp_path / "ws", quiet=True, **options)
    assert not (tmp_path / "ws" / "conversations").exists()


def test_an_archive_is_searched_for_data(tmp_path: Path, chat: Chat) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/chats.json", json.dumps([chat("q", "in the archive")]))
        archive.writestr("user.json", '{"email": "somebody"}')
        archive.writestr("chat.html", "<html></html>")
    result = curate.ingest([tmp_path / "export.zip"], tmp_path / "ws", quiet=True)
    assert answers(tmp_path / "ws") == ["in the archive"]
    assert [name.rpartition("/")[2] for name in result.skipped] == ["user.json", "chat.html"]
    again = curate.ingest([tmp_path / "export.zip"], tmp_path / "ws", quiet=True)
    assert (again.conversations, len(again.known)) == (0, 1)


def test_an_archive_that_is_damaged_says_where_it_ends(tmp_path: Path, chat: Chat) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chats.jsonl", "\n".join(json.dumps(chat(f"question {n}", str(n) * n)) for n in range(3000)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    result = curate.ingest([path], tmp_path / "ws", quiet=True)
    assert result.truncated
    assert result.records == result.conversations + sum(result.rejects.values())


def test_files_of_a_folder_that_hold_nothing_for_us_are_left_out_and_named(tmp_path: Path, chat: Chat) -> None:
    (tmp_path / "a.json").write_text(json.dumps([chat("q", "a")]))
    (tmp_path / "b.json").write_text('{"version": 3}')
    (tmp_path / "c.csv").write_text("x,y\n1,2\n")
    result = curate.ingest([tmp_path], tmp_path / "ws", quiet=True)
    assert result.conversations == 1
    assert [name.rpartition("/")[2] for name in result.skipped] == ["b.json", "c.csv"]
    with pytest.raises(InputError):
        curate.ingest([tmp_path / "b.json"], tmp_path / "ws", quiet=True)


QUESTIONS = [{"question_id": n, "category": "writing", "turns": [f"question {n}"]} for n in range(3)]
ANSWERS = [
    {"question_id": n, "answer_id": f"a{n}", "model_id": "gpt-4", "choices": [{"index": 0, "turns": [f"answer {n}"]}]}
    for n in (2, 0, 7)
]


def jsonl(path: Path, records: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize("how", ["beside", "above", "named", "option"])
def test_answers_find_their_questions(tmp_path: Path, how: str) -> None:
    folder = {"beside": "x", "above": ".", "named": "y", "option": "y"}[how]
    questions = jsonl(tmp_path / folder / ("question.jsonl" if folder != "y" else "prompts.jsonl"), QUESTIONS)
    paths = [jsonl(tmp_path / "x" / "gpt-4.jsonl", ANSWERS)] + ([questions] if how == "named" else [])
    prompts = [questions] if how == "option" else []
    result = curate.ingest(paths, tmp_path / "ws", prompts=prompts, quiet=True)
    found = rows(tmp_path / "ws")
    texts = [[message["content"] for message in row["messages"]] for row in found]
    assert texts == [["question 2", "answer 2"], ["question 0", "answer 0"]]
    assert result.rejects == {"no_prompt": 1}
    assert result.prompts == {str(questions): 3}


def test_prompts_without_answers_are_an_error_that_says_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="answers lie in another file"):
        curate.ingest([jsonl(tmp_path / "question.jsonl", QUESTIONS)], tmp_path / "ws", quiet=True)


def test_two_files_with_different_prompts_under_one_key_are_not_guessed_between(tmp_path: Path) -> None:
    other = [{**QUESTIONS[2], "turns": ["another question"]}]
    files = {"x.jsonl": ANSWERS, "p.jsonl": QUESTIONS, "q.jsonl": other}
    paths = [jsonl(tmp_path / name, records) for name, records in files.items()]
    result = curate.ingest(paths, tmp_path / "ws", quiet=True)
    assert (result.conversations, result.rejects) == (1, {"ambiguous_prompt": 1, "no_prompt": 1})


def test_a_conversation_that_is_nothing_but_an_advert_is_set_aside(tmp_path: Path, chat: Chat) -> None:
    advert = "*This chat conversation is shared from [**TypingMind.com**](https://typingmind.com)*"
    records = [chat("q", "a"), {"id": "x", "conversations": [{"from": "system", "value": advert}]}]
    (tmp_path / "a.json").write_text(json.dumps(records))
    result = curate.ingest([tmp_path / "a.json"], tmp_path / "ws", quiet=True)
    assert (result.records, result.conversations, result.rejects) == (2, 1, {"empty": 1})


def test_lists_inside_objects_are_all_read_and_the_rest_is_counted(tmp_path: Path, chat: Chat) -> None:
    path = tmp_path / "a.jsonl"
    first = {"train": [chat("q", "a")], "version": 3, "test": [chat("r", "b")]}
    path.write_text(json.dumps(first) + "\n" + json.dumps({"data": [chat("s", "c"), chat("t", "d")]}) + "\n")
    result = curate.ingest([path], tmp_path / "ws", quiet=True)
    assert (answers(tmp_path / "ws"), result.rejects) == (["a", "b", "c", "d"], {"outside_list": 1})


def test_times_that_python_does_not_know_cost_no_row(tmp_path: Path) -> None:
    times = pa.array([1, 2**40], pa.timestamp("s"))
    table = pa.table({"instruction": ["q", "r"], "output": ["a", "b"], "when": times})
    nanoseconds = pa.array([1_700_000_000_123_456_789] * 2, pa.timestamp("ns"))
    pq.write_table(table.append_column("ns", nanoseconds), tmp_path / "a.parquet")
    result = curate.ingest([tmp_path / "a.parquet"], tmp_path / "ws", quiet=True)
    assert (answers(tmp_path / "ws"), result.rejects) == (["a"], {"bad_value": 1})


def test_one_prompt_with_very_many_answers_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("curate.ingest.groups"), "MAX_OUT", 10_000)
    pair = {"prompt": "x" * 6_000, "chosen": "yes", "rejected": "no"}
    path = jsonl(tmp_path / "p.jsonl", [pair, {**pair, "prompt": "short"}])
    result = curate.ingest([path], tmp_path / "ws", quiet=True)
    assert (result.records, result.conversations, result.rejects) == (2, 2, {"too_large": 1})


def test_a_parquet_file_in_an_archive_and_what_is_not_read_there(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", [{"instruction": "q", "output": "packed"}])
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "a.parquet", "a.parquet")
        archive.writestr("b.jsonl.xz", b"")
        archive.writestr("c.zip", b"")
    result = curate.ingest([tmp_path / "x.zip"], tmp_path / "ws", quiet=True)
    assert answers(tmp_path / "ws") == ["packed"]
    assert set(result.skipped.values()) == {"not a kind of file that curate reads there"}
    assert len(result.skipped) == 2


def test_a_list_inside_an_object(tmp_path: Path, chat: Chat) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": [chat("q", "a"), chat("r", "b")], "version": 3}, indent=1))
    result = curate.ingest([path], tmp_path / "ws", quiet=True)
    assert (answers(tmp_path / "ws"), result.rejects) == (["a", "b"], {"outside_list": 1})


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_the_size_of_the_shards_changes_no_row_of_a_table(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [{"prompt": f"question {n}", "response": "x" * n} for n in range(200)]
    path = tmp_path / f"x.{kind}"
    if kind == "parquet":
        parquet(path, records, row_group_size=30)
    else:
        path.write_text("prompt,response\n" + "".join(f"{r['prompt']},{r['response']}\n" for r in records))
    curate.ingest([path], tmp_path / "one", quiet=True)
    monkeypatch.setattr(table, "SHARD_BYTES", 2000)
    curate.ingest([path], tmp_path / "many", quiet=True)
    assert len(curate.Workspace(tmp_path / "many").shards("conversations")) > 4
    assert rows(tmp_path / "one") == rows(tmp_path / "many")
