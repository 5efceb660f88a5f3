"""A conversation longer than a row ends at a turn, is split, or is cut as OpenChat does: half a response only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import CurateError
from curate.export import ExportResult, export
from curate.export.truncate import windows
from curate.workspace import Workspace

from .vocabularies import mistral
from .workspaces import conversation, make, talk

GPT4 = {"class": "gpt-4"}
EOT = 32000
TURNS = [word for number in range(12) for word in (f"question {number}", f"answer {number} " * 3)]
SYSTEM = {"role": "system", "content": "Be brief."}
ROWS = [
    conversation(talk(*TURNS), **GPT4),
    conversation([SYSTEM, *talk("Hi", "Hi", "word " * 100, "Hi", "And?", "So.")], **GPT4),
    conversation(talk("Hi", "word " * 100), **GPT4),
    conversation(talk("Hi", "Hello"), **GPT4),
]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(mistral(tmp_path_factory.mktemp("vocabulary")))


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make(tmp_path_factory.mktemp("ws"), ROWS)


def told(ws: Workspace, out: Path, vocabulary: str, **options: Any) -> tuple[ExportResult, pl.DataFrame]:
    result = export(ws.path, out, tokenizer=vocabulary, max_length=80, quiet=True, **options)
    return result, pl.read_parquet(result.out / "data" / "*.parquet").sort("id")


def responses(rows: pl.DataFrame) -> list[list[int]]:
    """The learned stretches of all rows."""
    found = []
    for labels in rows["labels"].to_list():
        stretch: list[int] = []
        for label in [*labels, -100]:
            if label != -100:
                stretch.append(label)
            elif stretch:
                found.append(stretch)
                stretch = []
    return found


def test_by_default_a_row_ends_where_a_turn_ends(ws: Workspace, tmp_path: Path, vocabulary: str) -> None:
    result, rows = told(ws, tmp_path / "out", vocabulary)
    assert rows["length"].max() <= 80
    assert all(response[-1] == EOT for response in responses(rows)), "half a response is learned"
    assert (result.rows, result.rows_cut) == (3, 2)
    assert result.dropped == {"too_long": 1}, "a single exchange that fits no row is set aside"
    assert result.responses + result.masked["too_long"] == 12 + 3 + 1
    assert len(responses(rows)) == result.responses


def test_split_trains_every_response_that_fits_a_row(ws: Workspace, tmp_path: Path, vocabulary: str) -> None:
    result, rows = told(ws, tmp_path / "out", vocabulary, truncate="split")
    assert rows["length"].max() <= 80
    assert all(response[-1] == EOT for response in responses(rows))
    assert (result.masked, result.dropped) == ({"too_long": 1}, {"too_long": 1})
    assert len(responses(rows)) == result.responses == 12 + 2 + 1
    assert rows["id"].n_unique() == len(rows) == result.rows > 5
    assert result.rows_cut == 0
    of_system = rows.filter(pl.col("id").str.starts_with(rows["id"].str.split("/").list.first().mode()[0]))
    opening = {tuple(ids[:4]) for ids in of_system["input_ids"].to_list()}
    assert len(opening) == 1, "each row begins as the conversation does"


def test_split_rows_repeat_what_went_before_without_learning_it_twice(
    ws: Workspace, tmp_path: Path, vocabulary: str
) -> None:
    plain, _ = told(ws, tmp_path / "plain", vocabulary, truncate="split")
    result, rows = told(ws, tmp_path / "out", vocabulary, truncate="split", context=1)
    assert rows["length"].max() <= 80
    assert (result.responses, result.supervised_tokens) == (plain.responses, plain.supervised_tokens)
    assert len(responses(rows)) == result.responses
    assert result.rows > plain.rows
    later = rows.filter(pl.col("id").str.contains("/"))
    said = [ids.count(EOT) for ids in later["input_ids"].to_list()]
    learned = [labels.count(EOT) for labels in later["labels"].to_list()]
    assert all(all_ >= 2 * own + 1 for all_, own in zip(said, learned, strict=True)), "a later row has no context"


def test_openchats_cut_is_in_mid_response(ws: Workspace, tmp_path: Path, vocabulary: str) -> None:
    result, rows = told(ws, tmp_path / "out", vocabulary, truncate="openchat")
    assert rows["length"].max() == 80
    assert any(response[-1] != EOT for response in responses(rows))
    assert result.dropped == {}


@pytest.mark.parametrize("options", [{"truncate": "cut"}, {"context": 1}, {"truncate": "split", "context": -1}])
def test_what_makes_no_sense_is_refused(ws: Workspace, tmp_path: Path, vocabulary: str, options: Any) -> None:
    with pytest.raises(CurateError):
        told(ws, tmp_path / "out", vocabulary, **options)


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), st.integers(1, 30)), min_size=1, max_size=12),
    st.integers(1, 60),
    st.integers(0, 3),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_windows_hold_whole_exchanges_each_learned_once(
    said: list[tuple[str, int]], space: int, context: int, system: bool
) -> None:
    said = [("system", 2), *said] if system else said
    roles, lengths = [role for role, _ in said], [length for _, length in said]
    places = list(range(len(said)))
    rows = windows(places, roles, lengths, space, "split", context)
    learned: list[int] = []
    for window in rows:
        assert sum(lengths[turn] for turn in window.turns) <= space
        assert list(window.turns) == sorted(set(window.turns))
        inner = [turn for turn in window.turns if not (system and turn == 0)]
        assert inner == list(range(inner[0], inner[-1] + 1)), "a turn in the midst is left out"
        assert window.turns[0] == 0 or not system
        learned += [turn for turn in inner if turn >= window.learned]
    assert learned == sorted(set(learned))
    (first,) = windows(places, roles, lengths, space, "turn", 0) or [None]
    if first:
        assert list(first.turns) == places[: len(first.turns)]
