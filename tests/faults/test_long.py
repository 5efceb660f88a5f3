"""What is long in one place only: many messages in one conversation, many rows that are the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from monsters import GOOD, make, words

import curate
from curate.ingest import window

MESSAGES = 20_000


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    path = make("a conversation of many messages", folder, 1)
    result = curate.ingest([path], folder / "ws", quiet=True)
    assert (result.conversations, result.rejects) == (2, {})
    for stage in (curate.clean, curate.label, curate.dedup, curate.score):
        stage(folder / "ws", quiet=True)
    return folder


def test_a_conversation_of_many_messages_goes_through_every_stage_whole(long: Path, tmp_path: Path) -> None:
    ws = curate.Workspace(long / "ws")
    messages = ws.read("conversations", 0)["messages"].to_list()[0]
    assert len(messages) == MESSAGES
    for table in ("labels", "scores"):
        assert ws.read(table, 0).filter(key=0).height == MESSAGES // 2
    result = curate.export(long / "ws", tmp_path / "text", quiet=True)
    assert result.responses >= MESSAGES // 2
    assert curate.verify(tmp_path / "text", fail_on="error").passed
    story = curate.show(ws.path, 0)
    assert len(story.messages) == MESSAGES
    assert story.messages[-1].score is not None


@pytest.mark.parametrize("truncate", ["turn", "split", "openchat"])
def test_a_conversation_of_many_messages_is_cut_to_rows_of_tokens(long: Path, tmp_path: Path, truncate: str) -> None:
    pytest.importorskip("tokenizers")
    result = curate.export(
        long / "ws", tmp_path / "out", tokenizer=str(words(tmp_path / "words")), truncate=truncate, quiet=True
    )
    assert result.rows
    if truncate == "split":
        assert result.responses >= MESSAGES // 2, "no response is lost between the rows"
    assert curate.verify(tmp_path / "out", fail_on="error").passed


def test_a_long_record_is_searched_for_others_once_and_not_for_every_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curate.ingest.values import Values

    for limit, size in {"CHUNK": 1 << 12, "LOOK_INSIDE": 1 << 15}.items():
        monkeypatch.setattr(window, limit, size)
    searches = []
    real = Values.search

    def search(self: Values, begin: int, stop: int, **options: bool) -> tuple[int | None, int]:
        searches.append(stop - begin)
        return real(self, begin, stop, **options)

    monkeypatch.setattr(Values, "search", search)
    path = make("a conversation of many messages", tmp_path, 1)
    result = curate.ingest([path], tmp_path / "ws", quiet=True)
    assert result.conversations == 2
    assert len(searches) <= 3


def test_ten_thousand_rows_that_are_the_same_are_one_row_and_the_rest_is_counted(tmp_path: Path) -> None:
    count = 10_000
    said = {"from": "gpt", "value": "Of course, and this is a sentence that is long enough to be kept."}
    turns = [{"from": "human", "value": "Could you please tell me something?"}, said]
    line = json.dumps({"id": "x", "conversations": turns})
    assert line != GOOD
    path = tmp_path / "x.jsonl"
    path.write_text(f"{line}\n" * count)
    assert curate.ingest([path], tmp_path / "ws", quiet=True).conversations == count
    for stage in (curate.clean, curate.label):
        stage(tmp_path / "ws", quiet=True)
    found = curate.dedup(tmp_path / "ws", quiet=True)
    assert (found.texts, found.kept, found.exact) == (count, 1, count - 1)
    curate.score(tmp_path / "ws", quiet=True)
    result = curate.export(tmp_path / "ws", tmp_path / "out", quiet=True)
    assert result.rows == 1
    assert result.dropped == {"duplicate": count - 1}
