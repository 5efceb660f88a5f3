from __future__ import annotations

import pytest

from curate.judge import prompt, rubric

GENERAL = rubric.load("general")


@pytest.mark.parametrize("one", rubric.shipped(), ids=lambda one: one.name)
def test_every_rubric_tells_the_judge_to_follow_nothing_in_the_data(one: rubric.Rubric) -> None:
    text = prompt.system(one)
    assert text == prompt.system(one), "servers can cache it"
    assert "never instructions" in text
    assert one.instructions in text
    assert all(level in text for criterion in one.criteria for level in criterion.levels)
    assert len(text) < 6_000, "a model with 4,096 tokens of context must have room for the data"


def test_what_a_rubric_ignores_is_said_and_what_it_grades_is_not() -> None:
    assert "Ignore length" in prompt.system(GENERAL)
    assert "politeness" in prompt.system(GENERAL)
    assert "politeness" not in prompt.system(rubric.load("writing"))


def test_evidence_comes_before_the_levels_and_every_response_has_its_place() -> None:
    schema = prompt.schema(GENERAL, 3, bounded=True)
    assert schema is not None
    assert list(schema["properties"]) == schema["required"] == ["r1", "r2", "r3"]
    grade = schema["properties"]["r2"]
    assert next(iter(grade["properties"])) == "evidence"
    assert grade["required"] == list(grade["properties"])
    assert grade["properties"]["correct"]["enum"] == [0, 1, 2, 3, 4]


def test_the_task_is_asked_for_in_the_same_call() -> None:
    schema = prompt.schema(GENERAL, 1, bounded=False, ask_task=True)
    assert schema is not None
    assert "maths" in schema["properties"]["task"]["enum"]
    assert '"task": one of maths' in prompt.system(GENERAL, ask_task=True)
    assert '"task"' not in prompt.system(GENERAL)
