"""Answers to the same question: FastChat's benchmark files, preference pairs, thumbs up and down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import questions
from talk import identifier

if TYPE_CHECKING:
    from random import Random

CATEGORIES = {
    "math": (questions.product, questions.discount, questions.conversion, questions.divisor),
    "coding": (questions.function,),
    "knowledge": (questions.topic, questions.country),
    "translation": (questions.phrase,),
}
BEGIN = 1_685_358_000  # 29 May 2023


def bench(rng: Random, count: int = 12) -> dict[str, list[dict[str, Any]]]:
    """Records by file: the questions, and what each model answers to them, two turns each."""
    asked: list[dict[str, Any]] = []
    answers: dict[str, list[dict[str, Any]]] = {"gpt-4": [], "gpt-3.5-turbo": []}
    for number in range(81, 81 + count):
        category = list(CATEGORIES)[number % len(CATEGORIES)]
        found = [rng.choice(CATEGORIES[category])(rng)]
        while len(found) < 2 or found[0].full == found[1].full:
            found[1:] = [rng.choice(CATEGORIES[category])(rng)]
        asked.append({"question_id": number, "category": category, "turns": [one.ask for one in found]})
        for model, said in (("gpt-4", [one.full for one in found]), ("gpt-3.5-turbo", [one.short for one in found])):
            choices = [{"index": 0, "turns": said}]
            record = {"question_id": number, "answer_id": identifier(rng), "model_id": model, "choices": choices}
            answers[model].append(record | {"tstamp": BEGIN + 60 * number + 0.25})
    answers["gpt-3.5-turbo"][-1]["choices"][0]["turns"] = ["$ERROR$", "$ERROR$"]
    return {"question.jsonl": asked} | {f"model_answer/{model}.jsonl": said for model, said in answers.items()}


def preferences(rng: Random, count: int = 12) -> list[dict[str, Any]]:
    """A chosen and a rejected answer; of the last three one is as good as the other, none, and not there."""
    records: list[dict[str, Any]] = []
    for number in range(count):
        found = questions.exchange(rng)
        records.append({
            "prompt_id": f"p{number}", "prompt": found.ask,
            "chosen": found.full, "chosen_model": "gpt-4-0613",
            "rejected": found.wrong or found.short, "rejected_model": "gpt-3.5-turbo-0613",
        })  # fmt: skip
    records[-3] |= {"score_chosen": 7.0, "score_rejected": 7.0}
    records[-2] |= {"chosen": "", "rejected": ""}
    records[-1] |= {"rejected": None}
    return records


def thumbs(rng: Random, count: int = 9) -> list[dict[str, Any]]:
    """What visitors said of single answers: every third one is a thumb down, for a wrong or a bare answer."""
    records = []
    for number in range(count):
        found, good = questions.exchange(rng), number % 3 != 2
        answer = found.full if good else found.wrong or found.short
        records.append({"prompt": found.ask, "completion": answer, "label": good, "model": "gpt-3.5-turbo-1106"})
    return records
