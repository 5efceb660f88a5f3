"""A class stated for a whole source fills what no rule knows, and says that it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.errors import CurateError, RuleError
from curate.pipeline import load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curate.workspace import Workspace

Row = dict[str, Any]


@pytest.fixture
def ws(workspace: Callable[..., Workspace], talk: Callable[..., Row]) -> Workspace:
    return workspace(
        talk({}, "gpt-3.5-turbo", "vicuna-13b", source="mine"), talk({}, source="web", source_file="gpt4.json")
    )


def test_it_is_used_where_no_rule_knows(ws: Workspace, labels: Callable[..., list[Row]]) -> None:
    found = labels(ws, sources={"mine": "gpt-4"}, assume="human")
    assert [row["class"] for row in found] == ["gpt-4", "gpt-3.5", "gpt-4", "human"]
    assert [row["rule"] for row in found] == ["source_default", "gpt35_model_name", "source_default", "assumed"]
    assert found[0]["evidence"] == "source = mine"


def test_a_record_that_names_another_model_is_a_conflict(ws: Workspace, labels: Callable[..., list[Row]]) -> None:
    found = labels(ws, sources={"mine": "gpt-4"})
    assert [row["conflicts"] for row in found] == [[], [], ["source: the record says model = vicuna-13b"], []]


def test_a_file_is_narrower_than_its_source(ws: Workspace, labels: Callable[..., list[Row]]) -> None:
    found = labels(ws, sources={"web": "human", "gpt4.json": "gpt-4"})
    assert (found[3]["class"], found[3]["evidence"]) == ("gpt-4", "source_file = gpt4.json")


def test_a_source_that_is_not_there_is_an_error_with_the_nearest(ws: Workspace) -> None:
    with pytest.raises(CurateError, match="no source or file `mime`") as caught:
        curate.label(ws.path, sources={"mime": "gpt-4"}, quiet=True)
    assert caught.value.hint == "did you mean `mine`?"
    assert not ws.shards("labels"), "nothing is made before the mistake is found"


@pytest.mark.parametrize("nothing", ["", " ", "unknown"])
def test_a_source_must_be_given_a_class(ws: Workspace, nothing: str) -> None:
    with pytest.raises(CurateError, match="is given no class"):
        curate.label(ws.path, sources={"mine": nothing}, quiet=True)


def test_a_class_that_looks_like_a_slip_is_said(ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    curate.label(ws.path, sources={"mine": "gpt4", "web": "our_model"}, quiet=True)
    said = capsys.readouterr().err
    assert "no rule gives the class `gpt4`; did you mean `gpt-4`?" in said
    assert "our_model" not in said


def test_a_recipe_can_state_it(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('schema = 1\nkind = "recipe"\n[label]\nsources = { "my dump" = "gpt-4" }\n')
    assert load_recipe(str(recipe))["label"]["sources"] == {"my dump": "gpt-4"}


@pytest.mark.parametrize("value", ['{ "my dump" = 4 }', '"gpt-4"', "[1]"])
def test_a_recipe_that_states_it_wrongly_is_an_error(tmp_path: Path, value: str) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(f'schema = 1\nkind = "recipe"\n[label]\nsources = {value}\n')
    with pytest.raises(RuleError, match="`sources` is"):
        load_recipe(str(recipe))
