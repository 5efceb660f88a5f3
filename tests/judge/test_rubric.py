from __future__ import annotations

from pathlib import Path

import pytest

from curate import rules
from curate.errors import RuleError
from curate.judge import prompt, rubric

GOOD = """
schema = 1
kind = "rubric"
name = "tiny"
version = 2
instructions = "Be fair."
[[criterion]]
name = "right"
weight = 3
question = "Is it right?"
levels = ["a", "b", "c", "d", "e"]
[[criterion]]
name = "short"
weight = 1
question = "Is it plain?"
levels = ["a", "b", "c", "d", "e"]
"""


def write(path: Path, text: str) -> str:
    (path / "r.toml").write_text(text, "utf-8")
    return str(path / "r.toml")


def test_the_shipped_rubrics_load() -> None:
    assert rubric.load("general").title == "general@2"
    for one in rubric.shipped():
        assert 3 <= len(one.criteria) <= 4 or one.reply == "rating"
        assert all(len(criterion.levels) == 5 for criterion in one.criteria)
        assert len(one.cases) >= 2


def test_every_task_that_rules_can_name_has_a_rubric_of_its_own() -> None:
    named = {rule.verdict for rule in rules.load("tasks.toml", "tasks").rules} | {"other"}
    assert named == {task for one in rubric.shipped() for task in one.tasks}
    assert named <= set(prompt.TASKS)


def test_a_rubric_of_ones_own_is_one_file(tmp_path: Path) -> None:
    own = rubric.load(write(tmp_path, GOOD))
    assert own.title == "tiny@2"
    assert own.reward({"right": 4, "short": 0}) == 0.75
    assert own.reward({"right": 0, "short": 0}) == 0
    assert own.reward({"right": 4, "short": 4}) == 1


def test_every_change_the_judge_can_read_changes_the_fingerprint(tmp_path: Path) -> None:
    first = rubric.load(write(tmp_path, GOOD)).fingerprint
    changes = [("Be fair.", "Be kind."), ("Is it right?", "Right?"), ('"e"]', '"f"]'), ('"right"', '"true"')]
    for old, new in changes:
        assert rubric.load(write(tmp_path, GOOD.replace(old, new, 1))).fingerprint != first
    for same in (
        "# a remark\n" + GOOD,
        GOOD.replace("version = 2", "version = 3"),
        GOOD.replace("weight = 3", "weight = 2"),
    ):
        assert rubric.load(write(tmp_path, same)).fingerprint == first, (
            "what the judge does not read buys nothing again"
        )
    assert (
        rubric.load(write(tmp_path, GOOD.replace("weight = 3", "weight = 2"))).policy
        != rubric.load(write(tmp_path, GOOD)).policy
    )


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("version = 2", 'version = "2"').replace("weight = 3", "weight = 0")
    text = text.replace("question", "qestion", 1)
    text = text.replace('name = "short"', 'name = "evidence"').replace('"d", "e"]', '"d"]', 1)
    with pytest.raises(RuleError) as caught:
        rubric.load(write(tmp_path, text))
    parts = ["`version`", "`weight` is 0", "mean `question`?", "`question` is missing", "`evidence`", "`levels`"]
    for part in parts:
        assert part in caught.value.what


@pytest.mark.parametrize(
    ("case", "mistake"),
    [
        ("levels = { right = 4, short = 4 }\nat_most = 0.5", "the reward is 1.000"),
        ("levels = { right = 0, short = 4 }\nat_least = 0.5", "the reward is 0.250"),
        ('levels = { right = 4, short = 4 }\nflags = ["steers"]\nat_least = 0.5', "the reward is 0.250"),
        ("levels = { right = 4 }\nat_most = 1", "must give a level to each"),
        ("levels = { right = 5, short = 0 }\nat_most = 1", "from 0 to 4"),
        ("levels = { right = 4, short = 4 }", "needs `at_least` or `at_most`"),
        ("levels = { right = 4, short = 4 }\nat_mots = 1", "mean `at_most`?"),
        ('levels = { right = 4, short = 4 }\nflags = ["steer"]\nat_most = 1', "no flag `steer`"),
    ],
)
def test_a_case_that_does_not_hold_is_a_mistake_of_the_file(tmp_path: Path, case: str, mistake: str) -> None:
    with pytest.raises(RuleError) as caught:
        rubric.load(write(tmp_path, f'{GOOD}[[case]]\nwhy = "because"\n{case}\n'))
    assert mistake in str(caught.value)


@pytest.mark.parametrize("words", ["a longer answer", "polite and warm", "uses Markdown"])
def test_levels_may_not_grade_by_what_the_rubric_ignores(tmp_path: Path, words: str) -> None:
    text = GOOD.replace('"d", "e"]', f'"d", "{words}"]', 1)
    with pytest.raises(RuleError, match="which the rubric ignores"):
        rubric.load(write(tmp_path, text))
    assert rubric.load(write(tmp_path, text.replace("version", "ignore = []\nversion"))).ignore == ()


def test_an_unknown_rubric_names_the_known_ones() -> None:
    with pytest.raises(RuleError) as caught:
        rubric.load("genral")
    assert "general" in (caught.value.hint or "")
