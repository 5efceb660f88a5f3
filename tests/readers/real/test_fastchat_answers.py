"""MT-bench, arena-bench and the Vicuna evaluation: every answer finds its question, joined here with plain JSON."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import curate
from curate.errors import InputError

# Read before the tests clean the environment.
DATA = Path(os.environ.get("CURATE_DATA") or Path(__file__).parents[4] / "shared" / "data")

pytestmark = pytest.mark.real


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]


def folder(name: str) -> Path:
    if not (DATA / name).is_dir():
        pytest.skip(f"{name} is not here: name the folder above it in CURATE_DATA")
    return DATA / name


def ingested(paths: list[Path], place: Path, **rejects: int) -> list[dict[str, Any]]:
    result = curate.ingest(paths, place / "ws", quiet=True)
    assert result.rejects == rejects
    return curate.Workspace(place / "ws").scan("conversations").collect().to_dicts()


def turns(row: dict[str, Any]) -> list[str]:
    return [message["content"] for message in row["messages"]]


def test_mt_bench_has_two_turns_of_every_model_in_each_category(tmp_path: Path) -> None:
    files = sorted(folder("mt_bench").glob("model_answer/*.jsonl"))
    questions = {row["question_id"]: row for row in lines(DATA / "mt_bench" / "question.jsonl")}
    rows = ingested(files, tmp_path)
    answers = [row for file in files for row in lines(file)]
    assert len(rows) == len(answers) == 6 * 80
    for found, answer in zip(rows, answers, strict=True):
        question, (choice,) = questions[answer["question_id"]], answer["choices"]
        first, second = zip(question["turns"], choice["turns"], strict=True)
        assert turns(found) == [*first, *second]
        assert found["model"] == answer["model_id"]
        assert found["task"] == question["category"]
        assert found["created_at"].timestamp() == pytest.approx(answer["tstamp"], abs=1e-3)
    assert set(Counter(row["task"] for row in rows).values()) == {60}


def test_answers_to_turns_that_the_questions_lack_are_counted(tmp_path: Path) -> None:
    """Six answers of most models are to two or three turns; the questions have the first turn only."""
    place = folder("arena_bench_v1")
    questions = {row["question_id"]: row for row in lines(place / "question.jsonl")}
    files = sorted(place.glob("*_answer/*.jsonl"))
    answers = [row for file in files for row in lines(file)]
    more = sum(len(row["choices"][0]["turns"]) > 1 for row in answers)
    assert more == 4 * 6
    rows = ingested(files, tmp_path, no_prompt=more)
    assert len(rows) == len(answers) == 5 * 300
    for found, answer in zip(rows, answers, strict=True):
        (question,) = questions[answer["question_id"]]["turns"]
        unchanged = turns(found) == [question, answer["choices"][0]["turns"][0]]
        assert unchanged == (found["edits"] == [])


def test_the_vicuna_evaluation_has_one_text_each(tmp_path: Path) -> None:
    place = folder("vicuna_blog_eval")
    questions = {row["question_id"]: row for row in lines(place / "question.jsonl")}
    files = sorted(place.glob("answer/*.jsonl"))
    rows = ingested(files, tmp_path)
    answers = [row for file in files for row in lines(file)]
    assert len(rows) == len(answers) == 7 * 80
    for found, answer in zip(rows, answers, strict=True):
        assert turns(found) == [questions[answer["question_id"]]["text"], answer["text"]]
        assert (found["model"], found["source_id"]) == (answer["model_id"], answer["answer_id"])


@pytest.mark.parametrize(
    "pattern", ["wildbench/*.json", "arena_bench_v1/model_judgment/*.jsonl", "vicuna_blog_eval/review/*/*.jsonl"]
)
def test_judgements_without_prompts_are_refused_by_their_keys(pattern: str, tmp_path: Path) -> None:
    folder(pattern.partition("/")[0])
    for path in DATA.glob(pattern):
        with pytest.raises(InputError) as refused:
            curate.ingest([path], tmp_path / "ws", quiet=True)
        first = json.loads(path.read_text("utf-8"))[0] if path.suffix == ".json" else lines(path)[0]
        assert all(f"`{key}`" in str(refused.value) for key in first)
