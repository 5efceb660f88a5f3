"""The funnel accounts for every record, and looks like this."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import curate
from curate import output
from curate.errors import GateError, WorkspaceError
from curate.judge import LOCAL_NOTE
from curate.report.funnel import Funnel, Step, render
from curate.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"

STEPS = (
    Step("records", "records", 94_145, {}),
    Step("rejected", "records", 1_145, {"empty": 1_100, "truncated": 45}),
    Step("conversations", "conversations", 93_000, {}),
    Step("flagged", "conversations", 3_210, {f"rule_{letter}": 3_000 // 2**n for n, letter in enumerate("abcdefghij")}),
    Step("responses", "responses", 330_000, {"unknown": 330_000}),
    Step("duplicates", "conversations", 2_000, {"near": 1_500, "exact": 500}),
    Step("dropped", "conversations", 3_000, {"duplicate": 2_000, "no_response": 1_000}),
    Step("exported", "conversations", 90_000, {}),
    Step("rows", "rows", 90_000, {}),
)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_it_looks_like_this(width: int) -> None:
    shown = [line.plain for line in render(Funnel(STEPS), width)]
    assert "\n".join(shown) + "\n" == (GOLDEN / f"funnel_{width}.txt").read_text("utf-8")
    assert max(map(len, shown)) <= width


def test_reasons_that_do_not_fit_are_added_up() -> None:
    reasons = STEPS[3].reasons
    shown = [line.plain.split() for line in render(Funnel((STEPS[3],)), 80)]
    figures = [int(line[0].replace(",", "")) for line in shown[1:]]
    assert len(figures) == 8
    assert sum(figures) == sum(reasons.values())
    assert shown[-1][1:] == ["3", "others"]


@pytest.mark.parametrize("name", ["\x1b[31mred", "[bold]", "a\nb", "\u202eabc"])
def test_a_reason_from_data_stays_inert_and_on_its_line(name: str) -> None:
    shown = [line.plain for line in render(Funnel((Step(name, "rows", 1, {name: 1}),)), 80)]
    assert len(shown) == 2
    assert not any(mark in "".join(shown) for mark in "\x1b\n\u202e")


def test_a_step_that_is_out_of_date_says_what_to_run() -> None:
    stale = Step("responses", "responses", 330_000, {"unknown": 330_000}, "label", stale=True)
    wide = [line.plain for line in render(Funnel((stale,)), 80)]
    assert wide[0].endswith("responses  out of date: run `curate label`")
    narrow = [line.plain for line in render(Funnel((stale,)), 40)]
    assert narrow[1] == "  out of date: run `curate label`"


def test_a_funnel_that_is_not_balanced_fails_the_gate_after_it_was_shown(capsys: pytest.CaptureFixture[str]) -> None:
    lost = Step("dropped", "conversations", 1, {})
    with pytest.raises(GateError, match="the funnel is not balanced") as error:
        output.funnel(Funnel(tuple(lost if step.name == "dropped" else step for step in STEPS)))
    assert error.value.exit_code == 1
    assert "exported" in capsys.readouterr().out
    output.funnel(Funnel(STEPS))


@given(st.integers(0, 99), st.integers(0, 99), st.integers(-3, 3), st.integers(0, 99), st.integers(-3, 3))
def test_it_is_balanced_when_nothing_is_lost(
    rejected: int, exported: int, lost: int, dropped: int, vanished: int
) -> None:
    conversations = exported + dropped + vanished
    steps = [
        Step("records", "records", conversations + rejected + lost, {}),
        Step("rejected", "records", rejected, {}),
        Step("conversations", "conversations", conversations, {}),
    ]
    assert Funnel(tuple(steps)).balanced == (lost == 0)
    steps += [Step("dropped", "conversations", dropped, {}), Step("exported", "conversations", exported, {})]
    assert Funnel(tuple(steps)).balanced == (lost == vanished == 0)


def test_it_grows_with_the_stages_and_stays_balanced(
    tmp_path: Path, chat: Callable[..., dict[str, Any]], dump: Callable[[Path, list[Any]], Path]
) -> None:
    long = "A long answer to a question."
    twice = [chat("Why is that so?", long, model="gpt-4")] * 2
    file = dump(tmp_path / "dump.json", [*twice, {"items": []}, chat("?", "!"), {"x": 1}])
    ws = tmp_path / "ws"

    def counts() -> dict[str, tuple[int, dict[str, int]]]:
        funnel = curate.funnel(ws)
        assert funnel.balanced
        return {step.name: (step.count, step.reasons) for step in funnel.steps}

    curate.ingest([file], ws, quiet=True)
    assert list(counts()) == ["records", "rejected", "conversations"]
    assert counts()["rejected"] == (2, {"empty": 1, "unknown_shape": 1})
    curate.clean(ws, quiet=True)
    assert counts()["flagged"] == (1, {"too_short": 1})
    curate.label(ws, quiet=True)
    assert counts()["responses"] == (3, {"gpt-4": 2, "unknown": 1})
    curate.dedup(ws, quiet=True)
    assert counts()["duplicates"] == (1, {"exact": 1})
    curate.score(ws, quiet=True)
    assert counts()["scored by local"][0] == 2
    assert counts()["unscored"] == (1, {"skipped": 1})
    curate.export(ws, tmp_path / "out", quiet=True)
    assert counts()["exported"] == (1, {})
    assert counts()["dropped"][0] == 2
    assert counts()["rows"] == (1, {})


def test_a_second_ingest_adds_to_the_same_funnel(
    tmp_path: Path, chat: Callable[..., dict[str, Any]], dump: Callable[[Path, list[Any]], Path]
) -> None:
    for number, records in enumerate(([chat("a", "b"), {"x": 1}], [chat("c", "d")] * 2 + [{"y": 1}])):
        curate.ingest([dump(tmp_path / f"{number}.json", records)], tmp_path / "ws", quiet=True)
    steps = {step.name: step for step in curate.funnel(tmp_path / "ws").steps}
    assert (steps["records"].count, steps["conversations"].count) == (5, 3)
    assert steps["rejected"].reasons == {"unknown_shape": 2}


def test_what_a_second_ingest_makes_out_of_date_is_marked(
    tmp_path: Path, chat: Callable[..., dict[str, Any]], dump: Callable[[Path, list[Any]], Path]
) -> None:
    ws = tmp_path / "ws"

    def stale() -> set[str]:
        funnel = curate.funnel(ws)
        assert funnel.balanced
        return {step.stage for step in funnel.steps if step.stale}

    answer = "A long answer to a question that is kept."
    curate.run([dump(tmp_path / "1.json", [chat("Why?", answer, model="gpt-4")])], ws, tmp_path / "out", quiet=True)
    assert stale() == set()
    assert curate.funnel(ws).note == LOCAL_NOTE
    curate.ingest([dump(tmp_path / "2.json", [chat("How?", f"{answer}!", model="gpt-4")])], ws, quiet=True)
    assert stale() == {"clean", "label", "dedup", "score", "export"}
    for number, stage in enumerate((curate.clean, curate.label, curate.dedup, curate.score)):
        stage(ws, quiet=True)
        assert len(stale()) == 4 - number
    curate.label(ws, assume="gpt-3.5", quiet=True)
    assert stale() == {"export"}
    curate.export(ws, tmp_path / "out", quiet=True)
    assert stale() == set()
    curate.label(ws, assume="human", quiet=True)
    assert stale() == {"export"}, "made from labels that are no more"
    curate.export(ws, tmp_path / "out", quiet=True)
    assert stale() == set()
    space = curate.Workspace(ws)
    tasks = space.read("tasks", 0).to_arrow().cast(TABLES["tasks"].arrow)
    space.write("tasks", 0, tasks, {**space.stamp("tasks", 0), "fingerprint": "by other rules"})
    assert "export" in stale(), "conditions, weights and shares may ask for the task"


def test_responses_weighed_without_a_reward_have_a_step(
    tmp_path: Path, chat: Callable[..., dict[str, Any]], dump: Callable[[Path, list[Any]], Path]
) -> None:
    records = [chat(f"Why {word}?", f"A long answer about {word}.", model="gpt-4") for word in ("stone", "river")]
    ws = tmp_path / "ws"
    curate.ingest([dump(tmp_path / "dump.json", records)], ws, quiet=True)
    curate.label(ws, quiet=True)
    curate.score(ws, limit=1, quiet=True)
    curate.export(ws, tmp_path / "out", quiet=True)
    (step,) = (step for step in curate.funnel(ws).steps if step.name == "fallback")
    assert (step.count, step.unit, step.reasons) == (1, "responses", {"no reward, weighed by class": 1})


def test_a_folder_that_is_no_workspace_has_no_funnel(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError):
        curate.funnel(tmp_path)
