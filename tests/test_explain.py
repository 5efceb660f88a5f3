"""One can see what a rule says, what it fires on, and what another file would change, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.errors import RuleError, WorkspaceError
from curate.explain import explain, render, try_rules
from curate.explain.differences import Change

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curate.workspace import Workspace

Row = dict[str, Any]


def talk(prompt: str, response: str, **fields: Any) -> Row:
    return {
        "messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}],
        "marks": [],
        "joined_rows": [],
    } | fields


LABELS = """\
schema = 1
kind = "labels"
[[rule]]
name = "team"
why = "Our own people."
when = "model ~* '^team' OR source = 'team'"
class = "human"
case = [{ model = "Team A", fires = true }, { model = "x", fires = false }]
[[rule]]
name = "anything_with_a_name"
why = "Made up."
when = "model ~ '[a-z]'"
class = "other"
case = [{ model = "y", fires = true }, { model = "9", fires = false }]
"""


@pytest.fixture
def labels(tmp_path: Path) -> str:
    (tmp_path / "mine.toml").write_text(LABELS)
    return str(tmp_path / "mine.toml")


def test_without_a_workspace_a_rule_is_its_reason_condition_and_cases() -> None:
    (found,) = explain("gpt4_page_label")
    (rule,) = found.rules
    assert (rule.name, rule.verdict) == ("gpt4_page_label", "gpt-4")
    assert "model ~*" in rule.when
    assert {case["fires"] for case in rule.cases} == {True, False}
    assert (rule.hits, rule.examples, found.workspace) == (None, [], None)


def test_a_file_shows_all_its_rules_and_a_name_every_file_that_has_it(labels: str) -> None:
    (found,) = explain(labels)
    assert [rule.name for rule in found.rules] == ["team", "anything_with_a_name"]
    assert {found.kind for found in explain("refusal")} == {"clean", "defects"}


def test_a_name_that_nothing_has_gets_a_hint() -> None:
    with pytest.raises(RuleError, match="no rule and no rule file `gpt4_page_lable`") as error:
        explain("gpt4_page_lable")
    assert error.value.hint == "did you mean `gpt4_page_label`?"


def test_hits_are_counted_and_the_first_rule_decides(labels: str, workspace: Callable[..., Workspace]) -> None:
    ws = workspace(*(talk("Hi", "Ho", model=model) for model in ("team one", "llama", None, "7")), shard_rows=2)
    (found,) = explain(labels, ws.path, quiet=True)
    team, other = found.rules
    assert (found.rows, found.of) == (4, "responses")
    assert (team.hits, team.decides, team.unknown) == (1, 1, 1)
    assert (other.hits, other.decides, other.unknown) == (2, 1, 1)
    assert [(example.key, example.turn) for example in other.examples] == [(1, 1)], "an example is one that it decided"


def test_examples_are_chosen_by_the_seed_alone(labels: str, workspace: Callable[..., Workspace]) -> None:
    rows = [talk("Hi", "Ho", model=f"m{number}") for number in range(40)]

    def keys(shard_rows: int, **options: Any) -> list[int]:
        ws = workspace(*rows, shard_rows=shard_rows)
        chosen = [example.key for example in explain(labels, ws.path, quiet=True, **options)[0].rules[1].examples]
        for shard in ws.shards("conversations"):
            ws.shard("conversations", shard).unlink()
        return chosen

    assert keys(7) == keys(40)
    assert len(set(keys(40))) == 3
    assert keys(40) != keys(40, seed=1)
    assert keys(40, examples=5)[:3] == keys(40)
    assert keys(40, examples=0) == []


def test_an_example_shows_the_text_around_the_hit(workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    rule = "name = 'sesame'\nwhy = 'w'\nwhen = \"prompt_text ~ 'Sesame'\"\nexport = 'keep'"
    cases = "case = [{ prompt_text = 'Sesame', fires = true }, { prompt_text = 'x', fires = false }]"
    (tmp_path / "mine.toml").write_text(f"schema = 1\nkind = 'clean'\n[[rule]]\n{rule}\n{cases}\n")
    ws = workspace(talk("x" * 300 + " Sesame " + "é" * 300, "Ho"))
    (found,) = explain(str(tmp_path / "mine.toml"), ws.path, quiet=True)
    (example,) = found.rules[0].examples
    assert example.text.startswith("prompt_text: …xxx")
    assert "Sesame ééé" in example.text
    assert example.text.endswith("é…")
    assert len(example.text) < 200


def shown(name: str, ws: Workspace, kind: str = "clean") -> list[str]:
    found = next(found for found in explain(name, ws.path, quiet=True) if found.kind == kind)
    return [example.text for example in found.rules[0].examples]


def test_where_figures_decide_the_beginning_of_the_response_stands_beside_them(
    workspace: Callable[..., Workspace]
) -> None:
    assert shown("too_short", workspace(talk("Hi", "Ho"))) == ["chars = 4; assistant: Ho"]


def test_where_nobody_answered_the_prompt_stands_there(workspace: Callable[..., Workspace]) -> None:
    row = {"messages": [{"role": "user", "content": "Why\nso " + "long? " * 30}], "marks": [], "joined_rows": []}
    (text,) = shown("no_response", workspace(row))
    assert text.endswith("; user: Why so " + ("long? " * 30)[: 80 - len("Why so ")] + "…")


def test_of_a_loop_the_response_is_shown_that_loops(workspace: Callable[..., Workspace]) -> None:
    said = [("user", "A?"), ("assistant", "One."), ("user", "B?"), ("assistant", "The wheel turns round. " * 200)]
    row = {"messages": [{"role": role, "content": text} for role, text in said], "marks": [], "joined_rows": []}
    for kind in ("clean", "defects"):
        assert "; assistant: The wheel turns round." in shown("loop", workspace(row), kind)[0]


def test_of_an_ending_the_end_is_shown(workspace: Callable[..., Workspace]) -> None:
    (text,) = shown("cut_off", workspace(talk("Why?", "A sentence of some length. " * 20 + "It is larger than the")))
    assert "ending: …" in text
    assert "It is larger than the;" in text


def test_personal_data_is_shown_by_its_place_and_not_by_itself(workspace: Callable[..., Workspace]) -> None:
    said = "A long letter. " * 20 + "Write to ada.l@fernmail.org or call +44 20 8366 1177."
    ws = workspace(talk(said, "Ada's address is ada.l@fernmail.org."))
    for name, place in (("email", "Write to [EMAIL] or call"), ("phone", "or call [PHONE].")):
        (text,) = shown(name, ws)
        assert place in text
        assert "fernmail" not in text
        assert "8366" not in text


def test_text_from_data_cannot_reach_the_terminal_but_as_text(
    workspace: Callable[..., Workspace], labels: str
) -> None:
    ws = workspace(talk("Hi", "Ho", model="team\x1b[31m\u202e", source="\x1b]0;evil\x07"))
    (found,) = explain(labels, ws.path, quiet=True)
    lines = "\n".join(render(found))
    assert "team?[31m?" in lines
    assert not {"\x1b", "\x07", "\u202e"} & set(lines)


KINDS = {
    "labels": "responses",
    "clean": "conversations",
    "defects": "responses",
    "tasks": "conversations",
    "conditions": "responses",
}


@pytest.mark.parametrize(("kind", "of"), KINDS.items())
def test_every_kind_is_tried_on_what_its_stage_sees_and_writes_nothing(
    kind: str, of: str, workspace: Callable[..., Workspace], tree: Callable[[Path], dict[str, bytes]]
) -> None:
    ws = workspace(
        talk("Write a poem about fog", "Sorry, I cannot help with that.", model="gpt-4"),
        talk("Hi", "Ho", model="Model: Default", task="math"),
        shard_rows=1,
    )
    stages(ws)
    before = tree(ws.path)
    found = try_rules(kind, ws.path, quiet=True)
    assert tree(ws.path) == before
    assert (found.kind, found.rows, found.of) == (kind, 2, of)
    assert any(rule.hits for rule in found.rules)
    assert found.changes == (None if kind == "conditions" else []), "the rules in use change nothing"


def stages(ws: Workspace) -> None:
    curate.clean(ws.path, quiet=True)
    curate.label(ws.path, quiet=True)
    curate.score(ws.path, quiet=True)


def test_before_its_stage_ran_nothing_is_compared(labels: str, workspace: Callable[..., Workspace]) -> None:
    assert try_rules(labels, workspace(talk("Hi", "Ho")).path, quiet=True).changes is None


def test_changed_labels_are_counted(labels: str, workspace: Callable[..., Workspace]) -> None:
    ws = workspace(*(talk("Hi", "Ho", model=model) for model in ("gpt-4", "gpt-4", "team", None)))
    curate.label(ws.path, quiet=True, assume="gpt-3.5")
    changes = try_rules(labels, ws.path, quiet=True).changes
    assert changes == [Change("gpt-4", "other", 2), Change("gpt-3.5", "human", 1)], "an assumed class stays assumed"
    assert "          2  gpt-4 → other" in list(render(try_rules(labels, ws.path, quiet=True)))


def rule(kind: str, when: str, verdict: str, fires: str, not_: str) -> str:
    case = f"case = [{{ {fires}, fires = true }}, {{ {not_}, fires = false }}]"
    head = f'schema = 1\nkind = "{kind}"\n[[rule]]\nname = "mine"\nwhy = "Made up."\n'
    return f'{head}when = """{when}"""\n{verdict}\n{case}\n'


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (
            rule("clean", "messages = 2", 'export = "keep"', "messages = 2", "messages = 1"),
            [
                Change("not mine", "mine", 2),
                Change("refusal", "not refusal", 1),
                Change("too_short", "not too_short", 1),
            ],
        ),
        (
            rule("defects", "chars < 5", "severity = 0.5", "chars = 4", "chars = 5"),
            [Change("not mine", "mine", 1), Change("refusal", "not refusal", 1)],
        ),
        (
            rule("tasks", "prompt = 'Hi'", 'task = "code"', 'prompt = "Hi"', 'prompt = "x"'),
            [Change("other", "code", 1), Change("writing", "other", 1)],
        ),
    ],
)
def test_flags_defects_and_tasks_that_come_or_go_are_counted(
    text: str, changes: list[Change], workspace: Callable[..., Workspace], tmp_path: Path
) -> None:
    ws = workspace(talk("Write a poem about fog", "Sorry, I cannot help with that."), talk("Hi", "Ho"))
    stages(ws)
    (tmp_path / "mine.toml").write_text(text)
    assert try_rules(str(tmp_path / "mine.toml"), ws.path, quiet=True).changes == changes


def test_cleaning_rules_about_messages_name_the_message(workspace: Callable[..., Workspace]) -> None:
    found = next(
        found
        for found in explain("refusal", workspace(talk("Hi", "Sorry, I cannot help with that.")).path, quiet=True)
        if found.kind == "clean"
    )
    (example,) = found.rules[0].examples
    assert (found.rules[0].unit, example.key, example.turn) == ("response", 0, 1)


def test_what_cannot_be_tried_says_so(workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    ws = workspace(talk("Hi", "Ho"))
    with pytest.raises(RuleError, match="cannot be tried alone"):
        try_rules("claims", ws.path)
    with pytest.raises(RuleError, match="has no rules"):
        try_rules("keep", ws.path)
    with pytest.raises(WorkspaceError, match="not a curate workspace"):
        try_rules("labels", tmp_path / "nowhere")
    (tmp_path / "bad.toml").write_text(LABELS.replace("model ~*", "modle ~*"))
    with pytest.raises(RuleError, match="unknown column `modle`"):
        try_rules(str(tmp_path / "bad.toml"), ws.path)


def test_an_empty_workspace_has_no_hits(workspace: Callable[..., Workspace]) -> None:
    ws = workspace({"messages": [], "marks": [], "joined_rows": []})
    for kind in KINDS:
        found = try_rules(kind, ws.path, quiet=True)
        assert found.rows == (1 if found.of == "conversations" else 0)
        assert found.of == "conversations" or not any(rule.hits for rule in found.rules)
