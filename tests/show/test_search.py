"""A condition lists the responses that it holds for, and nothing is asked of the texts that nobody may see."""

from __future__ import annotations

from typing import Any

import pytest

import curate
from curate.errors import CurateError


def test_a_condition_over_class_and_reward(lived: Any) -> None:
    found = curate.search(lived.ws, "class = 'gpt-4' and reward < 0.6", limit=1)
    assert (found.responses, found.conversations) == (2, 1)
    (match,) = found.matches
    assert (match.key, match.turn, match.class_, match.reward, match.status) == (0, 1, "gpt-4", 0.5, "ok")
    assert match.prompt.startswith("Tell me of the river")
    assert [one.turn for one in curate.search(lived.ws, "class = 'gpt-4' and reward < 0.6").matches] == [1, 3]


def test_texts_can_be_searched(lived: Any) -> None:
    found = curate.search(lived.ws, "response ~* 'wheel .* autumn'")
    assert [(match.key, match.turn, match.removed_by) for match in found.matches] == [(1, 3, 0)]
    assert curate.search(lived.ws, "response like '%no such thing%'").matches == ()


@pytest.mark.parametrize("where", ["classs = 'gpt-4'", "reward <", "select * from x", ""])
def test_what_is_no_condition_is_said(lived: Any, where: str) -> None:
    with pytest.raises(CurateError, match="`--where` cannot be answered"):
        curate.search(lived.ws, where)


def test_as_many_as_asked(lived: Any) -> None:
    assert len(curate.search(lived.ws, "turn >= 0", limit=3).matches) == 3
    with pytest.raises(CurateError, match="must be 1 or more"):
        curate.search(lived.ws, "turn >= 0", limit=0)
