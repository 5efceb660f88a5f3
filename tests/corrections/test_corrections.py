"""What people say of a response wins at export, survives reruns and re-ingest, and can be taken back."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

import curate
from curate.corrections import render, store
from curate.errors import CurateError
from curate.judge.fitting import fit
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Records = list[dict[str, Any]]


@pytest.fixture
def ws(tmp_path: Path, dump: Callable[..., Path], chat: Callable[..., Any]) -> Workspace:
    records: Records = [
        chat(f"Question {n} about the tides?", f"Answer {n}: the moon pulls at the sea.", model="gpt-4", id=f"c{n}")
        for n in range(4)
    ]
    curate.ingest([dump(tmp_path / "dump.json", records)], tmp_path / "ws", quiet=True)
    for stage in (curate.label, curate.score):
        stage(tmp_path / "ws", quiet=True)
    return Workspace(tmp_path / "ws")


def exported(ws: Workspace, **options: Any) -> curate.export:  # type: ignore[valid-type]
    return curate.export(ws.path, ws.path.parent / "out", quiet=True, **options)


def test_a_corrected_class_and_score_win_at_export(ws: Workspace) -> None:
    before = exported(ws)
    assert (before.conditions, before.corrected) == ({"GPT4": 4}, {})
    curate.correct(ws.path, [(1, 1)], class_="gpt-3.5", by="anna")
    curate.correct(ws.path, [(2, 1)], score=0.25, by="anna")
    after = exported(ws)
    assert not after.unchanged
    assert after.conditions == {"GPT3": 1, "GPT4": 3}
    assert after.corrected == {"class": 1, "reward": 1}
    assert after.classes["gpt-4"].sum == pytest.approx(2.25)
    assert after.classes["gpt-3.5"].sum == pytest.approx(0.1)
    assert json.loads((ws.path / "manifest.json").read_text())["stages"]["export"]["counts"]["corrected"]
    (step,) = [step for step in curate.funnel(ws.path).steps if step.name == "corrected"]
    assert step.reasons == {"class": 1, "reward": 1}
    assert exported(ws).unchanged


def test_unknown_takes_a_class_away(ws: Workspace) -> None:
    curate.correct(ws.path, [(0, 1)], class_="unknown")
    assert exported(ws).conditions == {"GPT4": 3, "Unknown": 1}


def test_an_export_is_out_of_date_after_a_correction(ws: Workspace) -> None:
    exported(ws)
    assert not any(step.stale for step in curate.funnel(ws.path).steps)
    curate.correct(ws.path, [(0, 1)], score=0)
    assert any(step.stale for step in curate.funnel(ws.path).steps if step.stage == "export")


def test_reruns_keep_corrections(ws: Workspace) -> None:
    curate.correct(ws.path, [(0, 1)], score=0.5)
    before = curate.corrections(ws.path)
    curate.label(ws.path, assume="gpt-3.5", quiet=True)
    curate.score(ws.path, quiet=True)
    assert curate.corrections(ws.path) == before


def test_they_hold_in_a_new_workspace_whatever_the_keys(
    ws: Workspace, tmp_path: Path, dump: Callable[..., Path], chat: Callable[..., Any]
) -> None:
    curate.correct(ws.path, [(2, 1)], score=0.5)
    texts = "Question 2 about the tides?", "Answer 2: the moon pulls at the sea."
    records = [chat("Another?", "An answer.", id="x"), chat(*texts, model="gpt-4", id="y"), chat(*texts, id="z")]
    curate.ingest([dump(tmp_path / "other.json", records)], tmp_path / "new", quiet=True)
    shutil.copytree(ws.path / "corrections", tmp_path / "new" / "corrections")
    (one,) = curate.corrections(tmp_path / "new")
    assert one.keys == (1, 2)
    rows = curate.scan(tmp_path / "new").select("key", "corrected_reward").collect()
    assert dict(rows.iter_rows()) == {0: None, 1: 0.5, 2: 0.5}


def test_the_latest_counts_and_undo_takes_all_back_but_deletes_nothing(ws: Workspace) -> None:
    curate.correct(ws.path, [(0, 1)], class_="gpt-3.5", by="anna", why="style")
    curate.correct(ws.path, [(0, 1)], score=0.2, by="ben")
    (one,) = curate.correct(ws.path, [(0, 1)], score=0.4, by="ben")
    assert (one.class_, one.score, one.by) == ("gpt-3.5", pytest.approx(0.4), "ben")
    assert curate.correct(ws.path, [(0, 1)], undo=True) == []
    assert curate.corrections(ws.path) == []
    assert store.read(ws).height == 4
    assert exported(ws).corrected == {}
    with pytest.raises(CurateError, match="nothing was said of 0:1"):
        curate.correct(ws.path, [(0, 1)], undo=True)
    (again,) = curate.correct(ws.path, [(0, 1)], score=0.1)
    assert (again.class_, again.score) == (None, pytest.approx(0.1))


@pytest.mark.parametrize(
    ("responses", "said", "what"),
    [
        ([(0, 1)], {}, "neither a class nor a score"),
        ([(0, 1)], {"score": 1.5}, "between 0"),
        ([(0, 1)], {"score": float("nan")}, "between 0"),
        ([(0, 1)], {"class_": "gpt-5000"}, "know the class"),
        ([(0, 1)], {"class_": "gpt-4", "undo": True}, "undo takes no class"),
        ([(0, 0)], {"score": 0.5}, "no response"),
        ([(0, 9)], {"score": 0.5}, "no response"),
        ([(99, 1)], {"score": 0.5}, "no conversation 99"),
        ([], {"score": 0.5}, "no response is named"),
        ([(0, 1)], {"score": 0.5, "by": "  "}, "`by` is empty"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_written(
    ws: Workspace, responses: list[tuple[int, int]], said: dict[str, Any], what: str
) -> None:
    with pytest.raises(CurateError, match=what):
        curate.correct(ws.path, responses, **said)
    assert not ws.shards("corrections")


def test_what_people_write_is_inert_on_a_terminal(ws: Workspace) -> None:
    curate.correct(ws.path, [(0, 1)], score=0.5, by="\x1b[2Jeve", why="[red]\x1b]0;title\x07 two\nlines")
    (line,) = render(curate.corrections(ws.path))
    assert "\x1b" not in line
    assert "\n" not in line
    assert "[red]" in line


def test_a_curve_is_fitted_on_corrections(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.judge.fitting.LEAST", 4)
    for key, score in enumerate((0.2, 0.4, 0.6, 0.8)):
        curate.correct(ws.path, [(key, 1)], score=score)
    found = fit(ws.path)
    assert found.count == 4
    assert found.labels[0] == pytest.approx(0.5), "all four were scored alike, so the curve is their mean"
