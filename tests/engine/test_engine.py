"""Choosing an engine, and what crosses to another process; no cluster is needed for this."""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.engine import ENGINES, engine
from curate.errors import CurateError, MissingExtraError, PartlyDoneError
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def test_an_unknown_engine_is_refused_with_the_nearest(workspace: Callable[..., Workspace]) -> None:
    ws = workspace({"messages": [{"role": "user", "content": "Hi"}]})
    with pytest.raises(CurateError, match="no engine `rai`") as caught:
        curate.clean(ws.path, engine="rai", quiet=True)
    assert caught.value.hint == "did you mean `ray`?"
    assert ENGINES == ("local", "ray")


def test_ray_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError) as caught:
        engine("ray")
    assert caught.value.hint == "pip install 'curate-chat[ray]'"


def test_items_are_taken_one_at_a_time() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    found = engine("local").map(lambda number: (number, list(taken)), items())
    assert list(found) == [(0, [0]), (1, [0, 1]), (2, [0, 1, 2])]


def test_errors_come_back_whole_from_another_process() -> None:
    for error in (
        CurateError("what", where="here", hint="do"),
        MissingExtraError("ray", "ray"),
        PartlyDoneError("some", hint="again", result=3),
    ):
        back = pickle.loads(pickle.dumps(error))
        assert type(back) is type(error)
        assert str(back) == str(error)
        assert back.__dict__ == error.__dict__


def test_a_workspace_is_found_from_another_folder_and_writes_apart(
    workspace: Callable[..., Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace({"messages": [{"role": "user", "content": "Hi"}]})
    monkeypatch.chdir(tmp_path)
    sent: Any = pickle.dumps(Workspace("ws"))
    monkeypatch.chdir("/")
    one, two = pickle.loads(sent), pickle.loads(sent)
    assert one.read("conversations", 0).height == 1
    assert one._apart != two._apart
