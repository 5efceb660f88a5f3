"""A story looks the same everywhere, fits its width, and no text from data is anything but text."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from curate import output
from curate.show.matches import Match, Matches
from curate.show.story import NotYet
from curate.show.text import render, render_matches

sys.path.insert(0, str(Path(__file__).parent))
from made_up import EVIL, STORY, message

GOLDEN = Path(__file__).parent / "golden"
# All that a terminal obeys, and what reorders a line: only a line break may be left.
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
MATCHES = Matches(
    f"response like '{EVIL}'",
    7,
    6,
    (
        Match(17, 1, "rivers", "gpt-4", 0.25, "ok", ("refusal",), None, "And the mill?", f"It turns {EVIL} " * 20),
        Match(18, 3, "rivers", None, None, "failed", (), 17, "", ""),
    ),
)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_it_looks_like_this(width: int) -> None:
    lines = [line.plain for line in render(STORY, width)]
    same("\n".join(lines) + "\n", f"show_{width}.txt")
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", [40, 80])
def test_a_search_looks_like_this(width: int) -> None:
    lines = [line.plain for line in render_matches(MATCHES, width)]
    same("\n".join(lines) + "\n", f"search_{width}.txt")
    assert max(map(cell_len, lines)) <= width


def test_without_colour_there_is_no_escape_sequence_at_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    output.stories([STORY], full=False, pager=False)
    assert capsys.readouterr().out == (GOLDEN / "show_80.txt").read_text("utf-8")


def test_with_colour_only_our_own_sequences_are_sent_and_the_text_is_the_same() -> None:
    screen = io.StringIO()
    plain = {"highlight": False, "markup": False, "emoji": False}
    console = Console(file=screen, width=80, force_terminal=True, color_system="standard", **plain)  # type: ignore[arg-type]
    for line in render(STORY, 80):
        console.print(line, soft_wrap=True)
    coloured = screen.getvalue()
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == (GOLDEN / "show_80.txt").read_text("utf-8")
    assert "[bold]x[/bold]" in coloured, "Rich's own markup is text, too"


@given(st.text(max_size=300), st.integers(24, 200))
def test_no_text_from_data_moves_colours_or_scripts_the_terminal(text: str, width: int) -> None:
    lived = replace(
        STORY,
        origin=replace(STORY.origin, file=text, id=text, source=text, model=text, marks=(text,)),
        edits=(text,),
        rules=tuple(replace(rule, saw=text) for rule in STORY.rules or ()),
        messages=(message(0, "user", text, name=text, tool_calls=text), *STORY.messages[2:3]),
        exports=tuple(replace(one, note=text, folder=text) for one in STORY.exports),
        not_yet=(NotYet(text, text),),
    )
    lines = [line.plain for line in render(lived, width, full=True)]
    assert not OBEYED.search("\n".join(lines))
    assert not any("\n" in line for line in lines)
    assert max(map(cell_len, lines)) <= width


def test_a_long_message_is_cut_and_full_shows_all_of_it() -> None:
    long = replace(STORY, messages=(message(0, "user", "\n".join(f"line {number}" for number in range(500))),))
    cut = [line.plain for line in render(long, 80)]
    assert "    line 11" in cut
    assert not any("line 12" in line for line in cut)
    assert any("more; --full shows all" in line for line in cut)
    whole = [line.plain for line in render(long, 80, full=True)]
    assert "    line 499" in whole


def test_code_keeps_its_indentation() -> None:
    lines = [line.plain for line in render(STORY, 80)]
    assert "        for arch in bridge:" in lines
    assert "            yield arch" in lines


def same(text: str, name: str) -> None:
    """Compare with the golden file; a missing one is written, and has to be looked at."""
    path = GOLDEN / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        pytest.fail(f"{path} was not there: it is now, look at it")
    assert text == path.read_text("utf-8")
