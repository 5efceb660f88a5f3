"""A judge is measured against labels, beside what knows nothing: whoever does not beat length is told so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_server import GOOD, Answer, Body, chat, responses, serve, slots

from curate.errors import InputError, WorkspaceError
from curate.judge.audit import Audit, audit, metrics, preference
from curate.judge.audit.report import render
from curate.judge.audit.shapes import LabelledSet, read

pytestmark = pytest.mark.usefixtures("quick")


def jsonl(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def chat_of(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


AUTO_J = {"scenario": "s", "label": 1, "prompt": "p", "response 1": "a", "response 2": "b"}
PANDALM = {"instruction": "i", "input": "x", "response1": "a", "response2": "b", "cmp_key": "m_n"}
LLMBAR = {"input": "i", "output_1": "a", "output_2": "b", "label": 2}
BATTLE = {"question_id": "q", "model_a": "m", "model_b": "n", "winner": "model_a"}


def test_the_published_shapes_are_read_as_pairs(tmp_path: Path) -> None:
    found = read(jsonl(tmp_path / "autoj.jsonl", AUTO_J, AUTO_J | {"label": 2}))
    assert found.pairs == [(0, 1, 0.0), (2, 3, 0.5)]
    votes = [{"annotator1": 1, "annotator2": 1, "annotator3": 0}, {"annotator1": 0, "annotator2": 1, "annotator3": 2}]
    found = read(jsonl(tmp_path / "pandalm.jsonl", *(PANDALM | vote for vote in votes)))
    assert found.pairs == [(0, 1, 1.0)]
    assert found.turns[0][0] == ("user", "i\n\nx")
    assert (found.sources, found.skipped) == (["m", "n"], {"no majority": 1})
    (tmp_path / "llmbar.json").write_text(json.dumps([LLMBAR]))
    assert read(tmp_path / "llmbar.json").pairs == [(0, 1, 0.0)]
    sides = {"conversation_a": chat_of("q", "a", "q2", "a2"), "conversation_b": chat_of("q", "b", "q2", "b2")}
    found = read(jsonl(tmp_path / "battle.jsonl", BATTLE | sides | {"turn": 1}, BATTLE | sides | {"winner": "tie"}))
    assert [len(turns) for turns in found.turns] == [2, 2, 4, 4]
    assert [preference for *_, preference in found.pairs] == [1.0, 0.5]


def test_folders_of_answers_with_judgements_are_read(tmp_path: Path) -> None:
    bench = tmp_path / "bench"
    jsonl(bench / "question.jsonl", {"question_id": 1, "turns": ["q1", "q2"]})
    for model, score in (("m", 9.0), ("n", 3.0)):
        answer = {"question_id": 1, "model_id": model, "choices": [{"turns": [f"{model}1", f"{model}2"]}]}
        jsonl(bench / "model_answer" / f"{model}.jsonl", answer)
        judged = [
            {"question_id": 1, "model": model, "turn": 2, "score": score},
            {"question_id": 1, "model": model, "score": -1},
        ]
        jsonl(bench / "model_judgment" / f"{model}.jsonl", *judged)
    found = read(bench)
    assert [(turns[-1][1], label) for turns, label in zip(found.turns, found.labels, strict=True)] == [
        ("m2", 9),
        ("n2", 3),
    ]
    assert found.pairs == [(0, 1, 1.0)]
    assert found.skipped == {"no score": 2}
    vicuna = tmp_path / "vicuna"
    jsonl(vicuna / "question.jsonl", {"question_id": 1, "text": "q"})
    for name in ("gpt35", "vicuna-13b"):
        answer = {"question_id": 1, "answer_id": f"id-{name}", "model_id": name, "text": f"by {name}"}
        jsonl(vicuna / "answer" / f"answer_{name}.jsonl", answer)
    review = {"question_id": 1, "answer1_id": "id-gpt35", "answer2_id": "id-vicuna-13b", "score": [7, 8]}
    jsonl(vicuna / "review" / "r.jsonl", review, review | {"score": [-1, -1]})
    (vicuna / "review" / "review_gpt35_vicuna-13b_human.txt").write_text("1 CHATGPT\n")
    found = read(vicuna)
    assert [preference for *_, preference in found.pairs] == [0.0, 1.0]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"prompt": 1}', "no json", "[1]", '{"input":1,"output_1":1,"output_2":2,"label":9}']
)
def test_what_is_no_labelled_set_is_told_with_the_shapes_that_are(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.jsonl").write_text(content)
    with pytest.raises(InputError):
        read(tmp_path / "x.jsonl")


def test_metrics_agree_with_cases_worked_by_hand() -> None:
    left, right = np.array([1.0, 0.0, 0.5, 0.2]), np.array([0.0, 1.0, 0.5, 0.1])
    agreed = metrics.pair_accuracy(left, right, np.array([1.0, 1.0, 0.0, 0.5]))
    assert agreed[:3].tolist() == [1.0, 0.0, 0.5]
    assert np.isnan(agreed[3])
    assert metrics.spearman(np.array([1, 2, 3.0]), np.array([10, 20, 15.0])) == pytest.approx(0.5)
    assert metrics.quadratic_kappa(np.array([0, 4, 2]), np.array([0, 4, 2])) == 1
    assert metrics.quadratic_kappa(np.array([0, 4]), np.array([4, 0])) == -1
    assert metrics.auc(np.array([3, 2, 1.0]), np.array([True, False, False])) == 1
    assert metrics.within(np.array([1.0, 3.0, 10.0]), ["a", "a", "b"]).tolist() == [-1.0, 1.0, 0.0]


def test_an_interval_knows_that_answers_to_one_prompt_are_not_independent() -> None:
    values = np.tile([0.0, 1.0], 200)
    alone = metrics.interval(lambda rows: float(values[rows].mean()), [str(i) for i in range(400)], 0)
    same = np.repeat([0.0, 1.0], 200)
    clustered = metrics.interval(lambda rows: float(same[rows].mean()), [str(i // 20) for i in range(400)], 0)
    assert alone.high is not None
    assert alone.low is not None
    assert clustered.high is not None
    assert clustered.low is not None
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)


def judged(tmp_path: Path, level: Any, **options: Any) -> Audit:
    """60 prompts with a good and a bad answer each; a third of the bad ones is the longer."""
    rows = []
    for i in range(60):
        for quality, score in (("right", 9), ("wrong", 2)):
            long = (quality == "wrong") == (i % 3 == 0)
            rows.append(
                {
                    "prompt": f"q{i}",
                    "response": f"{quality} {i}" + " and so on" * long,
                    "score": score,
                    "model": quality,
                }
            )

    def script(body: Body, _: int) -> Answer:
        grades = {
            s: GOOD | dict.fromkeys(("correct", "follows", "complete", "clear"), level(t))
            for s, t in zip(slots(body), responses(body), strict=True)
        }
        return chat(json.dumps(grades))

    with serve(script) as server:
        more = {"judge": "m", "base_url": server.base_url, "rubric": "general", "quiet": True, "concurrency": 16}
        return audit([jsonl(tmp_path / "set.jsonl", *rows)], tmp_path / "w", **more, **options)


def test_a_judge_that_knows_beats_length_and_one_that_counts_letters_is_reported_as_not(tmp_path: Path) -> None:
    (knows,) = judged(tmp_path / "a", lambda text: 4 if "right" in text else 1).sets
    assert [knows.judge.pairs.value, knows.judge.spearman.value, knows.judge.bad.value] == pytest.approx([1, 1, 1])
    assert knows.beats_length
    assert knows.baselines["length"].pairs.value == pytest.approx(2 / 3)
    assert knows.baselines["constant"].pairs.value == 0.5
    assert (knows.saturated, knows.unscored, knows.judge.within_one) == (0.5, 0, 1)
    found = judged(tmp_path / "b", lambda text: 4 if "so on" in text else 1)
    (counts,) = found.sets
    assert not counts.beats_length
    assert counts.gain.value == 0
    assert counts.bias.length == pytest.approx(1, abs=0.2)
    assert counts.bias.sources["wrong"] > 0 > counts.bias.sources["right"]
    text = "\n".join(render(found))
    assert "does NOT beat length" in text
    assert all(name in text for name in ("judge", "length", "constant", "random"))


def test_a_constant_answer_that_a_judge_likes_is_told_and_one_that_it_does_not_is_too(tmp_path: Path) -> None:
    found = judged(tmp_path / "a", lambda text: 4 if "right" in text or "Overview" in text else 1)
    null = found.sets[0].null
    assert {name: one.answers for name, one in null.items()} == {"polite": 40, "polished": 40}
    assert (null["polished"].mean, null["polished"].beats) == (1.0, pytest.approx(0.75))
    assert (null["polite"].mean, null["polite"].beats) == (0.25, pytest.approx(0.25))
    assert "a constant answer (polished) to 40 prompts: mean reward 1.00, above 75%" in "\n".join(render(found))


def pairs(path: Path, judge: str, level: Any) -> Audit:
    """40 prompts with an answer by gpt4 and one by claude; the labels prefer either as often, and either side."""
    rows = []
    for i in range(40):
        votes = dict.fromkeys(("annotator1", "annotator2", "annotator3"), 1 + i % 2)
        answers = {"response1": f"by gpt4 {i}", "response2": f"by claude {i}"}
        if i % 4 < 2:
            answers = {"response1": answers["response2"], "response2": answers["response1"]}
        names = "claude_gpt4" if i % 4 < 2 else "gpt4_claude"
        rows.append({"instruction": f"q{i}", "input": "", **answers, "cmp_key": names, **votes})

    def script(body: Body, _: int) -> Answer:
        levels = zip(slots(body), responses(body), strict=True)
        names = ("correct", "follows", "complete", "clear")
        return chat(json.dumps({slot: GOOD | dict.fromkeys(names, level(text)) for slot, text in levels}))

    with serve(script) as server:
        more = {"judge": judge, "base_url": server.base_url, "rubric": "general", "quiet": True, "concurrency": 16}
        return audit([jsonl(path / "pairs.jsonl", *rows)], path / "w", **more)


def test_a_judge_that_prefers_its_own_kind_is_told_so_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    found = pairs(tmp_path / "own", "gpt-6-luna", lambda text: 4 if "gpt4" in text else 2)
    bias = found.sets[0].bias
    assert bias.akin == ("gpt4",)
    assert bias.preferred["gpt4"].value == pytest.approx(0.5)
    assert bias.preferred["claude"].value == pytest.approx(-0.5)
    assert (bias.preferred["gpt4"].low or 0) > 0
    assert bias.first.value == pytest.approx(0)
    assert "gpt4* +0.50" in "\n".join(render(found))
    bias = pairs(tmp_path / "fair", "mistral-9", lambda _: 3).sets[0].bias
    assert (bias.akin, bias.preferred, bias.first.value) == ((), {}, None), "who decides nothing prefers nobody"


def test_a_judge_that_prefers_a_side_is_told_so() -> None:
    found = LabelledSet("s")
    for i in range(40):
        found.pair(f"q{i}", "a", "b", float(i % 2))
    rewards = np.tile([1.0, 0.5], 40)
    side = preference.first(found, rewards)
    assert side.value == pytest.approx(0.5)
    assert (side.low or 0) > 0.3
    assert [preference.akin("openai/GPT-6", name) for name in ("gpt4_turbo", "claude-2", "", "6")] == [
        True,
        False,
        False,
        False,
    ]


def test_answers_that_cannot_be_scored_are_a_figure_and_no_error(tmp_path: Path) -> None:
    (found,) = judged(tmp_path, lambda text: 9 if text.startswith("wrong 1") else 3).sets
    assert found.unscored == pytest.approx(11 / 120)


def test_repeats_show_how_far_a_judge_agrees_with_itself(tmp_path: Path) -> None:
    flip = {"n": 0}

    def level(_: str) -> int:
        flip["n"] += 1
        return 4 if flip["n"] <= 120 else 2

    (found,) = judged(tmp_path, level, repeats=2).sets
    assert found.retest is not None
    assert found.retest >= 0
    assert found.unstable is not None


def test_an_audit_never_touches_a_workspace_with_conversations_of_its_own(tmp_path: Path) -> None:
    import curate

    dump = jsonl(
        tmp_path / "d.jsonl", {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
    )
    curate.ingest([dump], tmp_path / "w", quiet=True)
    with pytest.raises(WorkspaceError, match="conversations of its own"):
        audit([jsonl(tmp_path / "s.jsonl", AUTO_J)], tmp_path / "w", judge="local", quiet=True)
