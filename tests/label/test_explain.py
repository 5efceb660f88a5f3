"""`curate label --explain` shows why, with examples; nothing from data reaches the terminal but as text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import curate
from curate.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from curate.workspace import Workspace

Row = dict[str, Any]


@pytest.fixture
def ws(workspace: Callable[..., Workspace], talk: Callable[..., Row]) -> Workspace:
    claude = {"content": "I'm Claude\x1b[31m, made by Anthropic."}
    return workspace(
        talk("gpt-4", "gpt-4", "gpt-4", "gpt-4", source="dump"), talk({}, claude), talk(claude, model="gpt-4")
    )


def test_each_class_and_rule_has_its_count_and_three_examples(ws: Workspace) -> None:
    found = curate.label(ws.path, explain=True, quiet=True).explanation
    assert found is not None
    assert [(group.name, group.rule, group.count, len(group.examples)) for group in found.classes] == [
        ("gpt-4", "gpt4_model_name", 5, 3),
        ("unknown", None, 2, 2),
    ]
    first = found.classes[0].examples[0]
    assert (first.key, first.turn, first.source, first.evidence) == (0, 1, "dump", "model = gpt-4")
    assert found.classes[1].examples[0].evidence == "nothing is stated"
    assert [(group.name, group.count, group.examples[0].key) for group in found.conflicts] == [("claim", 1, 2)]
    assert [(group.name, group.count, group.examples[0].turn) for group in found.claims] == [("says_claude", 1, 3)]


def test_a_model_that_no_rule_knows_is_shown(workspace: Callable[..., Workspace], talk: Callable[..., Row]) -> None:
    found = curate.label(workspace(talk("vicuna-13b"), talk({}, model="palm-2")).path, explain=True, quiet=True)
    assert found.explanation is not None
    (unknown,) = found.explanation.classes
    assert [example.evidence for example in unknown.examples] == ["model = vicuna-13b", "model = palm-2"]


def test_without_being_asked_nothing_is_explained(ws: Workspace) -> None:
    assert curate.label(ws.path, quiet=True).explanation is None


def test_on_the_terminal_it_is_plain_text(ws: Workspace) -> None:
    shown = CliRunner().invoke(app, ["label", "-w", str(ws.path), "--explain"]).stdout
    assert "gpt-4 by gpt4_model_name" in shown
    assert "2:1          made up  says_claude: I'm Claude?[31m, made by Anthropic" in shown
    assert "\x1b" not in shown


def test_the_titles_say_what_decided(workspace: Callable[..., Workspace], talk: Callable[..., Row]) -> None:
    ws = workspace(talk("gpt-4", created_at=datetime(2023, 1, 2, tzinfo=UTC)), talk({"content": "I am ChatGPT."}))
    shown = CliRunner().invoke(app, ["label", "-w", str(ws.path), "--explain"]).stdout
    assert "conflicts: evidence against the class; only `impossible` decided, the rest did not" in shown
    assert "claims of responses of unknown class that their record does not confirm; none decided" in shown


def test_as_json_it_is_one_object(ws: Workspace) -> None:
    shown = json.loads(CliRunner().invoke(app, ["label", "-w", str(ws.path), "--explain", "--json"]).stdout)
    assert shown["explanation"]["classes"][0]["examples"][0] == {
        "key": 0, "turn": 1, "source": "dump", "evidence": "model = gpt-4"
    }  # fmt: skip
    assert shown["conflicts"] == {"claim": 1}


def test_the_command_line_takes_sources_and_a_side_file(ws: Workspace, tmp_path: Any) -> None:
    (tmp_path / "ids.csv").write_text("key,class\n2,human\n")
    options = ["--labels", str(tmp_path / "ids.csv"), "--source-class", "made up=gpt-3.5", "--json"]
    shown = json.loads(CliRunner().invoke(app, ["label", "-w", str(ws.path), *options]).stdout)
    assert shown["classes"] == {"gpt-4": 4, "gpt-3.5": 2, "human": 1}
    assert shown["unmatched"] == 0
