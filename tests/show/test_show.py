"""What `curate.show` tells of a conversation is what every stage did with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import curate
from curate.errors import CurateError, InputError, WorkspaceError
from curate.show import Story

RIVER, COPY, TWIN, MAIL, REFUSED = 0, 1, 2, 3, 8


def test_it_is_plain_dataclasses_that_json_can_hold(lived: Any) -> None:
    def plainly(value: Any) -> bool:
        if is_dataclass(value):
            return all(plainly(getattr(value, field.name)) for field in fields(value))
        if isinstance(value, tuple | dict):
            return all(map(plainly, value.values() if isinstance(value, dict) else value))
        return value is None or type(value) in (str, int, float, bool)

    story = curate.show(lived.ws, COPY)
    assert isinstance(story, Story)
    assert plainly(story)
    assert json.loads(json.dumps(asdict(story)))["key"] == COPY


def test_the_bytes_are_those_of_its_record(lived: Any) -> None:
    dump = (lived.home / "dump.jsonl").read_bytes()
    for key, record in enumerate(lived.records):
        origin = curate.show(lived.ws, key).origin
        assert (origin.row, origin.why_no_byte) == (key, None)
        assert origin.byte is not None
        assert origin.bytes is not None
        assert json.loads(dump[origin.byte : origin.byte + origin.bytes]) == record
        assert origin.id == record["id"]


def test_the_rules_that_fired_say_why_and_on_what(lived: Any) -> None:
    (refusal,) = curate.show(lived.ws, REFUSED).rules or ()
    assert (refusal.rule, refusal.turns, refusal.export) == ("refusal", (1,), "mask")
    assert refusal.why
    assert "I'm sorry" in (refusal.saw or "")
    assert curate.show(lived.ws, RIVER).rules == ()


def test_a_near_copy_is_told_with_similarity_and_difference_from_both_sides(lived: Any) -> None:
    gone = curate.show(lived.ws, COPY).duplicate
    assert gone is not None
    assert gone.kept is not None
    assert (gone.kind, gone.kept.key) == ("near", RIVER)
    assert gone.similarity == pytest.approx(0.836, abs=0.001)
    told = {(piece.where, piece.text) for message in gone.messages for piece in message.pieces}
    assert {("kept only", "spring"), ("removed only", "autumn")} <= told
    stays = curate.show(lived.ws, RIVER)
    assert [(copy.text.key, copy.kind) for copy in stays.copies] == [(COPY, "near"), (TWIN, "exact")]
    assert stays.copies[0].messages == gone.messages


def test_each_judge_is_told_with_its_levels_flags_and_words(lived: Any) -> None:
    score = curate.show(lived.ws, RIVER).messages[1].score
    assert score is not None
    assert (score.judge, score.reward, score.samples) == ("harsh+mild > strong", 0.5, 5)
    told = {one.judge: one for one in score.opinions}
    assert {name: one.reward for name, one in told.items()} == {"harsh": 0.25, "mild": 0.75, "strong": 0.5}
    assert told["harsh"].levels == dict.fromkeys(("correct", "follows", "complete", "clear"), 1.0)
    assert told["harsh"].flags == ("truncated",)
    assert told["harsh"].answers == (0.25, 0.25)
    assert (told["mild"].rationale or "").startswith("mild says")
    assert {one.answered_by for one in score.opinions} == {"fake-2026"}


def test_all_that_was_said_by_hand_is_told_and_which_of_it_holds(lived: Any) -> None:
    ann, bo = curate.show(lived.ws, COPY).messages[1].corrections
    assert (ann.class_, ann.by, ann.why, ann.holds) == ("gpt-3.5", "Ann", "she knows", False)
    assert (bo.class_, bo.reward, bo.holds) == ("human", 0.25, True)


def test_what_was_taken_back_by_hand_does_not_hold(lived: Any, tmp_path: Path) -> None:
    ws = copied(lived, tmp_path)
    curate.correct(ws, [(COPY, 1)], undo=True, by="Ann")
    curate.correct(ws, [(COPY, 1)], score=0.75, by="Cleo")
    told = [(one.undo, one.holds) for one in curate.show(ws, COPY).messages[1].corrections]
    assert told == [(False, False), (False, False), (True, False), (False, True)]


def test_the_row_of_an_export_is_the_row_that_is_there(lived: Any) -> None:
    for key in (RIVER, MAIL, 4, 5, 6, 7):
        first, gone, lines = curate.show(lived.ws, key).exports
        (row,) = first.rows
        table = pq.read_table(lived.home / "first" / row.file).slice(row.row, 1).to_pylist()[0]
        assert table["id"] == row.id
        assert table["id"].endswith(f"-{key}")
        assert (table["condition"], pytest.approx(table["weight"])) == (row.condition, row.weight)
        assert [(one.turn, pytest.approx(one.weight)) for one in row.weights] == [
            (turn, message["weight"]) for turn, message in enumerate(table["messages"]) if message["weight"]
        ]
        (line,) = lines.rows
        text = (lived.home / "lines" / line.file).read_bytes().split(b"\n")[line.row]
        texts = [message.text for message in curate.show(lived.ws, key).messages]
        assert [item["content"] for item in json.loads(text)["items"]] == texts
        assert (gone.state, gone.rows) == ("gone", ())
        assert "not there any more" in (gone.note or "")


def test_why_it_is_left_out_is_told_by_the_policy_of_each_export(lived: Any) -> None:
    for key, reason in ((COPY, "duplicate"), (TWIN, "duplicate"), (REFUSED, "flagged:refusal")):
        first, _, lines = curate.show(lived.ws, key).exports
        assert (first.state, first.reason, first.rows) == ("left out", reason, ())
        assert (lines.state, lines.reason, lines.rows) == ("left out", reason, ())


def test_one_response_is_told_with_its_question_alone(lived: Any) -> None:
    story = curate.show(lived.ws, f"{RIVER}:3")
    assert (story.turn, [message.turn for message in story.messages], story.messages_in_all) == (3, [2, 3], 4)
    assert curate.show(lived.ws, "river_a", turn=3) == story
    with pytest.raises(CurateError, match="message 2 of conversation 0 is no response") as caught:
        curate.show(lived.ws, f"{RIVER}:2")
    assert caught.value.hint == "its responses are the messages 1, 3"


def test_nothing_is_written(lived: Any, tree: Callable[[Path], dict[str, bytes]]) -> None:
    before = tree(lived.home)
    curate.show(lived.ws, RIVER)
    curate.search(lived.ws, "turn = 1")
    after = {name: data for name, data in tree(lived.home).items() if not name.endswith(("-shm", "-wal"))}
    assert after == {name: data for name, data in before.items() if not name.endswith(("-shm", "-wal"))}


# What has not been done yet, or is gone.


def test_what_is_not_done_yet_is_said_with_its_command(
    tmp_path: Path, chat: Callable[..., Any], dump: Callable[..., Path]
) -> None:
    curate.ingest([dump(tmp_path / "d.json", [chat("Hi there", "Hello!")])], tmp_path / "ws", quiet=True)
    story = curate.show(tmp_path / "ws", 0)
    commands = ["curate clean", "curate label", "curate dedup", "curate score", "curate export"]
    assert [lacking.command for lacking in story.not_yet] == commands
    assert (story.rules, story.duplicate, story.benchmarks, story.exports) == (None, None, None, ())
    assert (story.messages[1].label, story.messages[1].score) == (None, None)
    assert story.origin.byte is not None, "of a JSON array, too"


def test_an_export_that_was_moved_is_found_where_one_says(lived: Any, tmp_path: Path) -> None:
    ws = copied(lived, tmp_path)
    assert {one.state for one in curate.show(ws, RIVER).exports} == {"gone"}
    shutil.copytree(lived.home / "first", tmp_path / "moved")
    found = curate.show(ws, RIVER, exports=[tmp_path / "moved"]).exports[-1]
    assert (found.state, found.format, found.stale, len(found.rows)) == ("there", "crlft", None, 1)
    with pytest.raises(InputError, match="no export is in this folder"):
        curate.show(ws, RIVER, exports=[lived.ws])


def test_an_export_made_before_something_changed_is_stale(lived: Any, tmp_path: Path) -> None:
    ws = copied(lived, tmp_path)
    curate.export(ws, tmp_path / "out", quiet=True)
    assert curate.show(ws, RIVER).exports[-1].stale is False
    curate.correct(ws, [(RIVER, 1)], class_="human", by="Ann")
    assert curate.show(ws, RIVER).exports[-1].stale is True


def test_a_damaged_shard_of_an_export_is_said_and_no_error(lived: Any, tmp_path: Path) -> None:
    ws = copied(lived, tmp_path)
    curate.export(ws, tmp_path / "out", quiet=True)
    (file,) = (tmp_path / "out" / "data").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:200])
    found = curate.show(ws, RIVER).exports[-1]
    assert found.state == "cannot tell"
    assert "cannot be read" in (found.note or "")


def test_a_table_of_other_conversations_is_refused(lived: Any, tmp_path: Path) -> None:
    ws = copied(lived, tmp_path)
    shard = ws / "labels" / "part-00000.parquet"
    stamped = pq.read_table(shard).replace_schema_metadata({"curate": json.dumps({"of": "other"})})
    pq.write_table(stamped, shard)
    with pytest.raises(WorkspaceError, match="made from other conversations"):
        curate.show(ws, RIVER)


def test_the_manifest_remembers_exports_by_where_they_lie_from_the_workspace(lived: Any) -> None:
    manifest = json.loads((lived.ws / "manifest.json").read_text())
    assert list(manifest["stages"]["export"]["folders"]) == ["../first", "../gone", "../lines"]
    assert str(lived.home) not in json.dumps(manifest["stages"]["export"])


def test_a_file_that_changed_or_went_has_no_byte_any_more(
    tmp_path: Path, chat: Callable[..., Any], dump: Callable[..., Path]
) -> None:
    file = dump(tmp_path / "d.json", [chat("Hi there", "Hello!")])
    curate.ingest([file], tmp_path / "ws", quiet=True)
    file.write_text("[]")
    assert "has changed" in (curate.show(tmp_path / "ws", 0).origin.why_no_byte or "")
    file.unlink()
    assert "not here any more" in (curate.show(tmp_path / "ws", 0).origin.why_no_byte or "")


def test_what_redact_found_is_nowhere(lived: Any, tmp_path: Path) -> None:
    ws = copied(lived, tmp_path)
    curate.clean(ws, redact=True, quiet=True)
    curate.label(ws, quiet=True)
    curate.dedup(ws, quiet=True)
    story = curate.show(ws, MAIL)
    assert [(one.turn, one.kind, one.count) for one in story.redacted] == [(0, "email", 1)]
    assert "mara.voss" not in json.dumps(asdict(story))
    assert story.messages[0].text == "Reach me at [EMAIL] please."


def copied(lived: Any, place: Path) -> Path:
    shutil.copytree(lived.ws, place / "inner" / "ws")
    return place / "inner" / "ws"
