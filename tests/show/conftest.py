"""A workspace with everything that a conversation can meet, made up and run through every stage."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import curate

sys.path.insert(0, str(Path(__file__).parents[1] / "judge"))

# Each would do something to a terminal, or to what Rich or a pager makes of it.
HOSTILE = (
    "\x1b[31mred\x1b[0m \x1b]8;;https://example.invalid\x07link\x1b]8;;\x07 \x1b]0;title\x07 \x1b[2J\x1b[H",
    "[bold red]markup[/bold red] [link=https://example.invalid]x[/link] :warning:",
    "\u202egnp.exe\u202c \u2066isolate\u2069 \u200erlm\u200f \u061c",
    "nul \x00 bell \x07 back\x08space \r return \x0b\x0c \x7f \x9b31m \x9d0;t\x9c \u2028 \u2029 \x85",
)
OTHER = "gpt-3.5-turbo"
LONG = "Rivers carve valleys over ages. " * 6
TALK = (
    "Tell me of the river that runs through the old town.",
    f"{LONG}The old bridge has nine arches and was built by masons from the north in two summers.",
    "And the mill?",
    "The mill burned down twice; its wheel still turns in spring when the water is high.",
)


@dataclass(frozen=True)
class Lived:
    """A workspace that has seen everything.

    Attributes:
        home: The folder with `dump.jsonl`, `ws` and the exports.
        ws: The workspace.
        records: The records of the dump, by key.
    """

    home: Path
    ws: Path
    records: list[dict[str, Any]]


def record(*texts: str, **more: Any) -> dict[str, Any]:
    turns = [{"from": ("human", "gpt")[number % 2], "value": text} for number, text in enumerate(texts)]
    return {"conversations": turns, **more}


def dumped() -> list[dict[str, Any]]:
    edited = (*TALK[:3], TALK[3].replace("spring", "autumn"))
    return [
        record(*TALK, id="river_a", model="gpt-4"),
        record(*edited, id="river_b", model="gpt-4"),
        record(*TALK, id="river_c", model="gpt-4"),
        record("Reach me at mara.voss@brightmail.org please.", "I will not write that down.", model=OTHER, id="mail"),
        *(
            record(f"{text} ask", f"{text} answer {number}, and more.", id=f"evil {text}", model=f"gpt-4 {text}")
            for number, text in enumerate(HOSTILE)
        ),
        record("What is the capital of France?", "I'm sorry, but I cannot help with that.", id="twin", model=OTHER),
        record("What is the capital of Peru?", "Lima is the capital of Peru.", id="twin"),
    ]


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Ingested, cleaned, labelled, compared, judged by two and a stronger one, corrected, exported three times."""
    from fake_server import GOOD, JSON, Answer, Body, completion, serve

    home = tmp_path_factory.mktemp("show")
    records = dumped()
    (home / "dump.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    ws = home / "ws"
    curate.ingest([home / "dump.jsonl"], ws, quiet=True)
    curate.clean(ws, quiet=True)
    curate.label(ws, quiet=True)
    curate.dedup(ws, quiet=True)

    def script(body: Body, _: int) -> Answer:
        levels = {"harsh": 1, "mild": 3, "strong": 2}[body["model"]]
        grade = GOOD | dict.fromkeys(("correct", "follows", "complete", "clear"), levels)
        grade |= {"evidence": f"{body['model']} says {HOSTILE[0]}", "flags": ["truncated"] * (body["model"] == "harsh")}
        # Not by lines: some of the texts have ends of lines that only Python knows.
        slots = re.findall(r'"grade": ?"(r[0-9]+)"', body["messages"][-1]["content"])
        reply = json.dumps(dict.fromkeys(slots, grade))
        return 200, JSON, lambda _: completion(reply)

    with serve(script) as server:
        curate.score(
            ws,
            judge="harsh",
            panel=["mild"],
            escalate="strong",
            base_url=server.base_url,
            rubric="general",
            repeats=2,
            price=(0, 0),
            max_cost=1,
            quiet=True,
        )
    curate.correct(ws, [(1, 1)], class_="gpt-3.5", by="Ann", why="she knows")
    curate.correct(ws, [(1, 1)], class_="human", score=0.25, by=f"Bo {HOSTILE[0]}", why=HOSTILE[1])
    curate.export(ws, home / "first", quiet=True)
    curate.export(ws, home / "gone", quiet=True)
    curate.export(ws, home / "lines", format="openchat-jsonl", quiet=True, drop_flagged=["refusal"])
    for file in sorted((home / "gone").rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    (home / "gone").rmdir()
    return Lived(home, ws, records)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without the waiting."""
    monkeypatch.setattr("curate.judge.schedule.FIRST_WAIT", 0.01)
    monkeypatch.setattr("curate.judge.schedule.PAUSE", 0.1)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """`command("show", 17)`: as typed, within this process; exit code, stdout, stderr."""
    from curate.main import main

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["curate", *map(str, words)])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return call
