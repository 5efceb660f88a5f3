"""The command: what it prints, what it says where something is wrong."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from curate.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONG = "tell me which of the many rivers of the old world is the longest one"


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(
    tmp_path: Path,
    chat: Callable[..., dict[str, Any]],
    dump: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Done]:
    """As typed, in a folder with a workspace and two lists."""

    def call(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["curate", *words])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        return Done(code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    dump(tmp_path / "dump.json", [chat(f"Please {LONG}?", "The Nile."), chat("Who wrote the play?", "Nobody knows.")])
    (tmp_path / "rivers.jsonl").write_text(json.dumps({"id": "r1", "question": LONG, "answer": "The Nile"}) + "\n")
    (tmp_path / "plays.csv").write_text("question\nWho wrote this one and when was it first played?\n")
    call("ingest", "dump.json", "-q")
    return call


SHOWN = """\
1 of 2 conversations hold items of benchmarks

benchmark           items  conversations   turns  responses  verbatim  13-gram  8-grams
rivers             1 of 1              1       1          0         1        0        0
no hit: 1 items of plays

rivers r1  verbatim 1.00  in 0:0 user, dump
    item     tell me which of the many rivers of the old world is the longest one
    passage  tell me which of the many rivers of the old world is the longest one
"""


def test_it_looks_like_this(command: Callable[..., Done]) -> None:
    assert command("decontaminate", "rivers.jsonl", "plays.csv", "--show", "1", "-q") == (0, SHOWN, "")


def test_json_says_all_of_it(command: Callable[..., Done]) -> None:
    done = command("decontaminate", "rivers.jsonl", "rivers.jsonl:answer", "-n", "5", "--json", "-q")
    result = json.loads(done.out)
    assert (result["conversations"], result["contaminated"], result["hits"]) == (2, 1, 2)
    question, answer = result["benchmarks"]
    fields = ("name", "column", "turns", "responses")
    assert [question[field] for field in fields] == ["rivers", "question", 1, 0]
    assert [answer[field] for field in fields] == ["rivers", "answer", 1, 1]
    assert [(e["column"], e["role"], e["text"]) for e in result["examples"]] == [
        ("question", "user", LONG),
        ("answer", "assistant", "The Nile"),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rivers.jsonl:questoin"], "error: the list has no text in a column `questoin`; it has `id`, `question`"),
        (["river.jsonl"], "error: no such file or folder\n  --> river.jsonl\nhint: did you mean `rivers.jsonl`?"),
        (["-"], "error: a list is read more than once"),
        (["rivers.jsonl", "--overlap", "2"], "error: `overlap` is 2, it must be above 0 and at most 1"),
    ],
)
def test_what_cannot_be_is_told(command: Callable[..., Done], words: list[str], message: str) -> None:
    done = command("decontaminate", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message)
