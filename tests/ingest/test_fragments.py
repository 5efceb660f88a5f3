"""V3's fragments come together again; what only looks like one stays as it is."""

from __future__ import annotations

import json
import random
import string
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate.ingest import regroup, table
from curate.ingest.conversation import Conversation, Message
from curate.ingest.fragments import Piece, base_of, join

if TYPE_CHECKING:
    from pathlib import Path


# ShareGPT's ids have seven characters.
NANOID = "Xk9-wQ"


def turns(begin: int, end: int, name: str = "X") -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[n % 2], "value": f"{name} says {n}"} for n in range(begin, end)]


def piece(base: str, begin: int, end: int) -> dict[str, Any]:
    return {"id": f"{NANOID}{base}_{begin}", "conversations": turns(begin, end, base)}


def read(path: Path, records: list[Any], ws: Path, **options: Any) -> tuple[curate.ingest.IngestResult, list[Any]]:
    path.write_text(json.dumps(records))
    result = curate.ingest([path], ws, quiet=True, **options)
    assert result.records + result.split == result.conversations + sum(result.rejects.values()) + result.joined
    return result, curate.Workspace(ws).scan("conversations").collect().to_dicts()


def test_fragments_are_joined_and_say_which_rows_they_came_from(tmp_path: Path) -> None:
    records = [piece("A", 0, 5), piece("A", 4, 8), piece("A", 8, 10), piece("B", 0, 2)]
    result, rows = read(tmp_path / "v3.json", records, tmp_path / "ws")
    assert [len(row["messages"]) for row in rows] == [10, 2]
    assert [message["content"] for message in rows[0]["messages"]] == [f"A says {n}" for n in range(10)]
    assert (rows[0]["source_id"], rows[0]["source_row"], rows[0]["joined_rows"]) == ("Xk9-wQA_0", 0, [1, 2])
    assert rows[0]["edits"] == ["joined"]
    assert (result.joined, result.fragments) == (2, {"joined": 2, "overlapping": 1})


def test_a_fragment_without_its_beginning_stays_and_is_counted(tmp_path: Path) -> None:
    result, rows = read(tmp_path / "v3.json", [piece("A", 0, 2), piece("A", 5, 8)], tmp_path / "ws")
    assert len(rows) == 2
    assert result.fragments == {"orphaned": 1}


def test_the_empty_twin_of_a_fragment_is_set_aside_and_costs_nothing(tmp_path: Path) -> None:
    records = [{"id": "Xk9-wQA_0", "conversations": []}, piece("A", 0, 3), piece("A", 2, 6)]
    result, rows = read(tmp_path / "v3.json", records, tmp_path / "ws")
    assert [len(row["messages"]) for row in rows] == [6]
    assert result.rejects == {"empty": 1}


def test_ids_that_only_look_like_fragments_stay_as_they_are(tmp_path: Path) -> None:
    """FastChat's identity rows are numbered one by one; row 4 would follow the four turns of row 0."""
    records = [{"id": f"identity_{n}", "conversations": turns(0, 4, f"I{n}")} for n in range(12)]
    pairs = [{"id": f"q_{n}", "conversations": turns(0, 2, f"Q{n}")} for n in range(12)]
    result, rows = read(tmp_path / "v3.json", records + pairs, tmp_path / "ws")
    assert (len(rows), result.joined, result.fragments) == (24, 0, {})


@pytest.mark.parametrize("base", ["train", "alpaca", "example", "1234567"])
def test_every_second_row_of_a_numbered_set_does_not_become_one_conversation(tmp_path: Path, base: str) -> None:
    records = [{"id": f"{base}_{2 * n}", "conversations": turns(0, 2, f"T{n}")} for n in range(6)]
    result, rows = read(tmp_path / "set.json", records, tmp_path / "ws")
    assert (len(rows), result.joined) == (6, 0)


def test_a_copy_of_a_fragment_is_no_obstacle(tmp_path: Path) -> None:
    other = {"id": "zzzzzzz_0", "conversations": turns(0, 2, "Z")}
    records = [piece("A", 0, 3), other, piece("A", 0, 3), other, piece("A", 2, 6)]
    result, rows = read(tmp_path / "v3.json", records, tmp_path / "ws")
    assert [len(row["messages"]) for row in rows] == [6, 2]
    assert result.fragments == {"joined": 3, "overlapping": 1, "contained": 2}  # zzzzzzz_0 stands twice, too


def test_a_fragment_that_contradicts_stays_alone_and_the_others_meet(tmp_path: Path) -> None:
    wrong = {"id": "Xk9-wQA_0", "conversations": turns(0, 3, "W")}
    result, rows = read(tmp_path / "v3.json", [piece("A", 0, 3), wrong, piece("A", 2, 6)], tmp_path / "ws")
    assert sorted(len(row["messages"]) for row in rows) == [3, 6]
    assert result.fragments == {"joined": 1, "overlapping": 1}


def test_an_advert_in_the_first_fragment_does_not_hide_that_they_meet(tmp_path: Path) -> None:
    advert = "*This chat conversation is shared from [**TypingMind.com**](https://typingmind.com)*"
    first = {"id": "Xk9-wQA_0", "conversations": [{"from": "system", "value": advert}, *turns(0, 3, "A")]}
    later = {"id": "Xk9-wQA_3", "conversations": turns(2, 6, "A")}
    _, rows = read(tmp_path / "v3.json", [first, piece("B", 0, 2), later], tmp_path / "ws")
    assert sorted(len(row["messages"]) for row in rows) == [2, 6]


def test_a_dump_that_is_there_twice_is_read_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [piece("A", 0, 3), piece("A", 2, 6), piece("B", 0, 2)]
    (tmp_path / "v3.json").write_text(json.dumps(records * 3))
    result = curate.ingest([tmp_path / "v3.json"], tmp_path / "ws")
    assert (result.conversations, result.joined) == (6, 3)
    assert "reading again" not in capsys.readouterr().err


def test_a_limit_holds_when_pieces_lie_apart(tmp_path: Path) -> None:
    records = [piece("A", 0, 3), piece("B", 0, 2), piece("A", 2, 6), piece("C", 0, 2)]
    result, _ = read(tmp_path / "v3.json", records, tmp_path / "ws", limit=3)
    assert result.records == 3


def test_questions_without_answers_are_not_strung_together(tmp_path: Path) -> None:
    records = [{"id": f"q_{n}", "conversations": turns(0, 1, f"Q{n}")} for n in range(5)]
    result, rows = read(tmp_path / "v3.json", records, tmp_path / "ws")
    assert (len(rows), result.joined) == (5, 0)


def test_pieces_can_be_kept_apart(tmp_path: Path) -> None:
    result, rows = read(tmp_path / "v3.json", [piece("A", 0, 5), piece("A", 4, 8)], tmp_path / "ws", fragments="keep")
    assert (len(rows), result.joined, result.fragments) == (2, 0, {})


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_pieces_that_lie_apart_find_each_other(tmp_path: Path, suffix: str) -> None:
    names = [chr(ord("A") + n) for n in range(26)]
    whole = [[piece(name, 0, 5), piece(name, 4, 9), piece(name, 9, 11)] for name in names]
    records = [record for pieces in whole for record in pieces]
    random.Random(1).shuffle(records)
    path = tmp_path / f"shuffled.{suffix}"
    text = json.dumps(records) if suffix == "json" else "\n".join(map(json.dumps, records))
    path.write_text(text)
    result = curate.ingest([path], tmp_path / "ws", quiet=True)
    rows = curate.Workspace(tmp_path / "ws").scan("conversations").collect().to_dicts()
    assert (result.records, result.conversations, result.joined) == (78, 26, 52)
    for row in rows:
        base = row["source_id"].partition("_")[0]
        assert [message["content"] for message in row["messages"]] == [f"{base[-1]} says {n}" for n in range(11)]
        assert records[row["source_row"]]["id"].startswith(f"{base}_")
        assert all(records[joined]["id"].startswith(f"{base}_") for joined in row["joined_rows"])


def test_pieces_find_each_other_over_many_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their places wait in several parts on disk, and those of one conversation are in the same."""
    monkeypatch.setattr(table, "SHARD_ROWS", 5)
    monkeypatch.setattr(regroup, "PART_SHARDS", 1)
    records = [piece(name, *places) for places in ((0, 3), (2, 6)) for name in string.ascii_letters[:30]]
    result, rows = read(tmp_path / "v3.json", records, tmp_path / "ws")
    assert (result.conversations, result.joined) == (30, 30)
    assert all(len(row["messages"]) == 6 for row in rows)


def test_conversations_that_are_no_pieces_are_not_remembered(tmp_path: Path) -> None:
    records = [{"id": f"id {n}", "conversations": turns(0, 4, f"W{n}")} for n in range(9)] + [piece("A", 0, 3)]
    read(tmp_path / "v3.json", records, tmp_path / "ws")
    ws = curate.Workspace(tmp_path / "ws")
    assert len(regroup._pieces(ws, 0, {str(tmp_path / "v3.json"): 0})) == 1


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=8),
    overlaps=st.lists(st.booleans(), min_size=8, max_size=8),
    chance=st.randoms(),
)
def test_any_split_of_a_conversation_is_undone(sizes: list[int], overlaps: list[bool], chance: random.Random) -> None:
    """Cut anywhere, with or without a common turn, in any order: one conversation comes back, turn by turn."""
    whole = [Message(("user", "assistant")[n % 2], f"turn {n}") for n in range(2 + sum(sizes))]
    cuts, begin = [], 0
    for size, overlap in zip([2, *sizes], [False, *overlaps], strict=False):
        cuts.append((begin - (overlap and begin > 0), begin + size))
        begin += size
    chance.shuffle(cuts)
    rows, counts = join(
        Piece(cut[0], row, f"QWJhYvA_{cut[0]}", Conversation(whole[slice(*cut)])) for row, cut in enumerate(cuts)
    )
    assert [conversation.messages for _, conversation in rows] == [whole]
    assert counts["joined"] == len(cuts) - 1


@pytest.mark.parametrize(
    ("source_id", "base"),
    [("QWJhYvA_0", "QWJhYvA"), ("a_b_12", "a_b"), ("_5", None), ("abc", None), ("a_x", None), (5, None)],
)
def test_what_is_a_fragments_id(source_id: Any, base: str | None) -> None:
    assert base_of(source_id) == base
