"""A class stated for a whole source fills what no rule knows, and says that it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import curate
from curate.cli import app
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


@pytest.mark.parametrize("name", ["gpt4", "GPT-4", "Gpt-4"])
def test_a_class_that_nobody_knows_is_an_error_with_the_one_that_was_meant(ws: Workspace, name: str) -> None:
    for options in ({"sources": {"mine": name}}, {"assume": name}):
        with pytest.raises(CurateError, match=f"know the class `{name}`") as caught:
            curate.label(ws.path, **options, quiet=True)  # type: ignore[arg-type]
        assert caught.value.hint == "did you mean `gpt-4`?"
    assert not ws.shards("labels")


def test_a_class_of_your_own_needs_a_weight(
    ws: Workspace, labels: Callable[..., list[Row]], tmp_path: Path
) -> None:
    with pytest.raises(CurateError) as caught:
        labels(ws, sources={"mine": "our_model"})
    assert "under [classes] to a copy of weights.toml" in str(caught.value.hint)
    (tmp_path / "mine.toml").write_text('schema = 1\nkind = "weights"\n[classes]\nour_model = 0.5\n')
    found = labels(ws, sources={"mine": "our_model"}, weights=str(tmp_path / "mine.toml"))
    assert found[0]["class"] == "our_model"


def test_two_classes_for_one_source_are_an_error(ws: Workspace) -> None:
    options = ["--source-class", "mine=gpt-4", "--source-class", "mine=gpt-3.5"]
    found = CliRunner().invoke(app, ["label", "-w", str(ws.path), *options])
    assert isinstance(found.exception, CurateError)
    assert found.exception.what == "`--source-class` gives `mine` a class twice"


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
