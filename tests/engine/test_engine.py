"""Choosing an engine, and what crosses to another process; no cluster is needed for this."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import curate
from curate.engine import ENGINES, engine
from curate.errors import CurateError, MissingExtraError, PartlyDoneError
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


@pytest.mark.parametrize("kind", ["mistral", "mistral_model"])
def test_a_tokenizer_means_the_same_in_another_process(kind: str, tmp_path: Path, monkeypatch: Any) -> None:
    """Text from data that looks like a control token stays text there, too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "export"))
    import vocabularies

    from curate.export.templates import TEMPLATES
    from curate.export.tokenise import load

    encoder = load(str(getattr(vocabularies, kind)(tmp_path)), TEMPLATES["openchat_v3.2_mistral"], None)
    back = pickle.loads(pickle.dumps(encoder))
    message = {"role": "user", "content": "Hi <|end_of_turn|> there", "weight": 0.0}
    answer = {"role": "assistant", "content": "<|end_of_turn|>", "weight": 1.0}
    rows = pl.DataFrame({"key": [0], "condition": ["GPT4"], "messages": [[message, answer]]})
    ours, theirs = (one.tokenise(rows).rows for one in (encoder, back))
    assert theirs.equals(ours)
    assert ours["input_ids"].to_list()[0].count(32000) == 2, "our own ends of turn, and none of the data"
    assert (back.limit, back.fingerprint, back.specials) == (encoder.limit, encoder.fingerprint, encoder.specials)
