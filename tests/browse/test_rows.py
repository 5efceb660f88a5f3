"""The list as plain values, and texts as lines: what the browser shows, without a screen."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import curate
from curate.browse.edit import as_class, as_score
from curate.browse.response import fetch
from curate.browse.rows import SCHEMA, rows, shards
from curate.browse.wrap import cut, wrap
from curate.errors import CurateError, MissingExtraError, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.workspace import Workspace


def places(found: list[dict[str, Any]]) -> list[str]:
    return [f"{row['key']}:{row['turn']}" for row in found]


def test_a_row_has_what_every_stage_said(ws: Workspace) -> None:
    curate.correct(ws.path, [(0, 4)], class_="human", score=0.5)
    found = rows(ws.path)
    assert found[1] == {
        "key": 0,
        "turn": 4,
        "class": "gpt-4",
        "task": "other",
        "reward": 0.4,
        "score": 1.6,
        "status": "ok",
        "source": "made up",
        "flags": ["cut_off"],
        "duplicate": None,
        "corrected_class": "human",
        "corrected_reward": 0.5,
    }
    assert (found[-1]["duplicate"], found[-1]["flags"], found[-1]["reward"]) == ("exact", [], None)


def test_what_no_stage_has_said_is_null(bare: Workspace) -> None:
    found = rows(bare.path)
    assert places(found) == ["0:2", "0:4", "1:1", "2:1", "3:1", "4:1", "5:1"]
    assert {value for row in found for name, value in row.items() if name not in ("key", "turn", "source")} == {None}


def test_shards_are_read_one_at_a_time_and_one_may_lack_a_stage(workspace: Callable[..., Workspace]) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    lists = {"marks": [], "joined_rows": []}
    ws = workspace(*({"messages": turns} | lists for _ in range(5)), shard_rows=2)
    curate.label(ws.path, assume="human", quiet=True)
    ws.shard("labels", 2).unlink()
    frames = list(shards(ws))
    assert [frame.height for frame in frames] == [2, 2, 1]
    assert all(frame.schema == SCHEMA for frame in frames)
    assert pl.concat(frames)["class"].to_list() == ["human"] * 4 + [None]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("class = 'gpt-4' AND reward < 0.6", ["0:4", "4:1"]),
        ("status = 'refused'", ["2:1", "5:1"]),
        ("removed_by IS NOT NULL", ["5:1"]),
        ("length(response) < 3", ["1:1", "2:1", "3:1", "5:1"]),
    ],
)
def test_the_filter_is_that_of_score(ws: Workspace, where: str, found: list[str]) -> None:
    assert places(rows(ws.path, where=where)) == found


def test_a_corrected_reward_counts_in_the_order(ws: Workspace) -> None:
    curate.correct(ws.path, [(3, 1)], score=0)
    assert places(rows(ws.path, sort="reward", limit=2)) == ["3:1", "1:1"]
    assert places(rows(ws.path, sort="-reward", limit=2)) == ["0:2", "4:1"]


def test_a_larger_random_list_begins_with_the_smaller_one(ws: Workspace) -> None:
    small = places(rows(ws.path, sort="random", limit=3, seed=7))
    assert places(rows(ws.path, sort="random", limit=6, seed=7))[:3] == small
    assert places(rows(ws.path, sort="random", limit=3, seed=8)) != small


def test_a_list_that_cannot_be_made_says_why(ws: Workspace) -> None:
    with pytest.raises(CurateError, match="no order `rewards`"):
        rows(ws.path, sort="rewards")
    with pytest.raises(CurateError, match="cannot be answered"):
        rows(ws.path, where="nothing = 1")


def test_what_was_redacted_is_not_shown(workspace: Callable[..., Workspace]) -> None:
    texts = {"user": "Whom do I ask?", "assistant": "Write to eve@mailhouse.net."}
    turns = [{"role": role, "content": text} for role, text in texts.items()]
    ws = workspace({"messages": turns, "marks": [], "joined_rows": []})
    assert "eve@mailhouse.net" in fetch(ws, 0, 0, 1).messages[1]["content"]
    curate.clean(ws.path, redact=True, quiet=True)
    assert fetch(ws, 0, 0, 1).messages[1]["content"] == "Write to [EMAIL]."


def test_a_response_that_is_gone_or_half_redacted_is_refused(ws: Workspace) -> None:
    with pytest.raises(CurateError, match="no response 99:1 any more"):
        fetch(ws, 0, 99, 1)
    ws.record("clean", {"redact": True})
    with pytest.raises(WorkspaceError, match="not all conversations are redacted alike"):
        fetch(ws, 0, 0, 2)


@given(st.text(max_size=300), st.integers(2, 40))
def test_lines_fit_and_are_inert_and_no_character_is_lost(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert all(line.isprintable() or not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in line) for line in lines)
    kept = "".join(text.split()).replace("\x00", "")
    letters = [character for character in kept if character.isalnum()]
    assert [character for line in lines for character in line if character.isalnum()] == letters
    assert cell_len(cut(text, width)) <= width


def test_lines_break_between_words_and_code_keeps_its_indentation() -> None:
    assert wrap("one two three", 8) == ["one two", "three"]
    assert wrap("    " + "x" * 9, 8) == ["    xxxx", "xxxxx"]
    assert wrap("漢字 漢字漢字", 6) == ["漢字", "漢字漢", "字"]
    assert wrap("a\r\nb\rc\n", 8) == ["a", "b", "c", ""]


def test_a_class_is_named_by_number_name_or_beginning() -> None:
    classes = ["gpt-4", "gpt-3.5", "human", "unknown"]
    assert [as_class(text, classes) for text in ("1", " gpt-3.5 ", "h", "4", "mine")] == [
        "gpt-4", "gpt-3.5", "human", "unknown", "mine"
    ]
    for text in ("", "g"):
        with pytest.raises(CurateError):
            as_class(text, classes)
    assert as_score(".7") == 0.7
    with pytest.raises(CurateError, match="no number"):
        as_score("0,7")


def test_the_command_prints_the_list_for_machines(ws: Workspace) -> None:
    command = [sys.executable, "-m", "curate", "browse", "-w", str(ws.path), "--json", "--sort", "reward", "-n", "2"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert places(json.loads(done.stdout)) == ["1:1", "0:4"]
    assert b"\x1b" not in done.stdout


def test_without_the_extra_the_command_says_what_to_install(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "textual" or name.startswith("curate.browse.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "textual", None)
    with pytest.raises(MissingExtraError, match="`textual`") as told:
        curate.browse(ws.path)
    assert told.value.hint == "pip install 'curate-chat[browse]'"
