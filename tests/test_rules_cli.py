"""`curate rules` on a terminal and for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from curate import rules
from curate.main import main

if TYPE_CHECKING:
    from pathlib import Path

    from curate.workspace import Workspace

Row = dict[str, Any]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ws(workspace: Callable[..., Workspace]) -> Workspace:
    def talk(prompt: str, model: str) -> Row:
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "Well."}]
        return {"messages": messages, "model": model, "marks": [], "joined_rows": []}

    return workspace(talk("Write a poem", "gpt-4"), talk("Hi\x1b[31m", "gpt-3.5-turbo"), talk("Hi", "evil\x1b[2J"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("rules", "list", "labels")`: exit code, stdout and stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["curate", *map(str, words)])
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return call


def test_check_without_a_file_reads_every_file_in_use(run: Run) -> None:
    code, out, _ = run("rules", "check", "--json")
    assert code == 0
    assert {item["path"] for item in json.loads(out)} == {str(path) for path in rules.shipped()}


def test_list_names_rules_with_their_reasons(run: Run) -> None:
    code, out, _ = run("rules", "list", "tasks")
    assert code == 0
    assert "asks_maths → maths" in out
    assert json.loads(run("rules", "list", "tasks", "--json")[1])[0]["name"] == "stated_maths"


def test_explain_shows_one_rule_and_its_hits_only_with_a_workspace(run: Run, ws: Workspace) -> None:
    code, out, _ = run("rules", "explain", "gpt4_model_name")
    assert code == 0
    assert "gpt4_model_name → gpt-4" in out
    assert "fires model = openai/gpt-4" in out
    assert "hits" not in out
    code, out, _ = run("rules", "explain", "gpt4_model_name", "-w", ws.path)
    assert code == 0
    assert "1 hits, decides 1" in out
    assert "0:1" in out
    assert "gpt35_model_name" not in out


def test_explain_for_machines_has_everything(run: Run, ws: Workspace) -> None:
    (found,) = json.loads(run("rules", "explain", "asks_writing", "-w", ws.path, "--json")[1])
    (rule,) = found["rules"]
    assert (found["kind"], found["rows"], found["of"]) == ("tasks", 3, "conversations")
    assert (rule["hits"], rule["decides"], rule["unknown"]) == (1, 1, 0)
    text = "beginning: Write a poem; ending: Write a poem"
    assert rule["examples"] == [{"key": 0, "turn": None, "source": "made up", "text": text}]
    assert rule["cases"]
    assert rule["why"]


MINE = """\
schema = 1
kind = "labels"
[[rule]]
name = "named"
why = "Made up."
when = "model ~ '.'"
class = "other"
case = [{ model = "y", fires = true }, { model = "", fires = false }]
"""


def test_try_tells_what_would_change_and_writes_nothing(
    run: Run, ws: Workspace, tmp_path: Path, tree: Callable[[Path], dict[str, bytes]]
) -> None:
    (tmp_path / "mine.toml").write_text(MINE)
    assert run("label", "-w", ws.path)[0] == 0
    before = tree(ws.path)
    code, out, err = run("rules", "try", tmp_path / "mine.toml", "-w", ws.path)
    assert (code, err) == (0, "")
    assert "3 hits, decides 3" in out
    assert "          1  gpt-4 → other" in out
    assert "\x1b" not in out
    changes = json.loads(run("rules", "try", tmp_path / "mine.toml", "-w", ws.path, "--json")[1])["changes"]
    assert {(change["before"], change["count"]) for change in changes} == {("gpt-4", 1), ("gpt-3.5", 1), ("unknown", 1)}
    assert tree(ws.path) == before


def test_the_number_of_examples_and_the_seed_can_be_given(run: Run, ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)

    def keys(*options: object) -> list[int]:
        (rule,) = json.loads(run("rules", "try", tmp_path / "mine.toml", "-w", ws.path, "--json", *options)[1])["rules"]
        return [example["key"] for example in rule["examples"]]

    assert len(keys("-n", 1)) == 1
    assert keys("-n", 1) == keys()[:1]
    assert {tuple(keys("--seed", seed)) for seed in range(9)} > {tuple(keys())}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("explain nosuch", "no rule and no rule file `nosuch`"),
        ("try labels -w nowhere", "not a curate workspace"),
        ("try keep", "has no rules"),
        ("columns label", "no rules of kind `label`"),
    ],
)
def test_mistakes_are_told_in_three_parts(
    run: Run, line: str, message: str, ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATE_WORKSPACE", str(ws.path))
    code, out, err = run("rules", *line.split())
    assert (code, out) == (2, "")
    assert message in err
    assert "hint: " in err
