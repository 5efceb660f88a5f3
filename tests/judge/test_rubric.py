from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import RuleError
from curate.judge import rubric

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
question = "Is it short?"
levels = ["a", "b", "c", "d", "e"]
"""


def write(path: Path, text: str) -> str:
    (path / "r.toml").write_text(text, "utf-8")
    return str(path / "r.toml")


def test_the_shipped_rubric_loads() -> None:
    general = rubric.load("general")
    assert general.title == "general@1"
    assert all(len(criterion.levels) == 5 for criterion in general.criteria)


def test_a_rubric_of_ones_own_is_one_file(tmp_path: Path) -> None:
    own = rubric.load(write(tmp_path, GOOD))
    assert own.title == "tiny@2"
    assert own.reward({"right": 4, "short": 0}) == 0.75
    assert own.reward({"right": 0, "short": 0}) == 0
    assert own.reward({"right": 4, "short": 4}) == 1


def test_every_change_the_judge_can_read_changes_the_fingerprint(tmp_path: Path) -> None:
    first = rubric.load(write(tmp_path, GOOD)).fingerprint
    changes = [("Be fair.", "Be kind."), ("weight = 3", "weight = 2"), ("Is it right?", "Right?"), ('"e"]', '"f"]')]
    for old, new in changes:
        assert rubric.load(write(tmp_path, GOOD.replace(old, new, 1))).fingerprint != first
    assert rubric.load(write(tmp_path, "# a remark\n" + GOOD)).fingerprint == first


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("version = 2", 'version = "2"').replace("weight = 3", "weight = 0")
    text = text.replace("question", "qestion", 1)
    text = text.replace('name = "short"', 'name = "evidence"').replace('"d", "e"]', '"d"]', 1)
    with pytest.raises(RuleError) as caught:
        rubric.load(write(tmp_path, text))
    parts = ["`version`", "`weight` is 0", "mean `question`?", "`question` is missing", "`evidence`", "`levels`"]
    for part in parts:
        assert part in caught.value.what


def test_an_unknown_rubric_names_the_known_ones() -> None:
    with pytest.raises(RuleError) as caught:
        rubric.load("genral")
    assert "general" in (caught.value.hint or "")
