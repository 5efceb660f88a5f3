"""Ranked answers as RLHF uses them: one prompt, several answers, each with a rank or a score.

    {"prompt": "Name a river.", "answers": [{"answer": "Bonn.", "model": "alpaca-7b", "rank": 2.0},
                                            {"answer": "The Rhine.", "model": "gpt-4", "rank": 1.0}]}

Nectar's `answers`, UltraFeedback's `completions` (the best has the highest score), StackExchange's `answers` with the
votes of people, texts under `responses` beside `ranks` or `scores` (RRHF and PRO), and texts under `output` with the
better one first (LLaMA-Factory's first reward data). Each answer is a conversation of its own; rank 1 is the best,
ties share a rank, null is an answer that is not ranked.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from curate.ingest.asked import first_text, prompt_of
from curate.ingest.chat import refuse_media
from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.languages import language_code
from curate.ingest.moments import moment
from curate.ingest.normalise import is_null, optional_text

PROMPTS = {"prompt", "instruction", "question", "query"}
LISTS = ("answers", "completions", "responses", "output")
TEXTS = ("answer", "response", "text", "completion", "content", "output")
SCORES = ("overall_score", "score", "pm_score", "reward", "fine-grained_score")
# Nectar, UltraFeedback, RRHF, PRO: known by these also where there are no answers.
KNOWN = (
    {"answers", "num_responses"},
    {"completions", "models"},
    {"responses", "scores"},
    {"responses", "ranks"},
    {"responses", "rank"},
)
# With one of these a record is another format's.
NOT_OURS = {"chosen", "rejected", "choices", "messages", "conversations", "custom_id"}


def matches(record: dict[str, Any]) -> bool:
    """A prompt, and a list of answers: objects, or texts with their order; none, and a data set's other columns."""
    if PROMPTS.isdisjoint(record) or not NOT_OURS.isdisjoint(record):
        return False
    name = _list_of(record)
    if name is None or record[name] == [] or is_null(record[name]):
        return any(record.keys() >= names for names in KNOWN)
    first = record[name][0]
    if isinstance(first, dict):
        return any(text in first for text in TEXTS)
    return isinstance(first, str) and (name == "output" or not {"ranks", "rank", "scores"}.isdisjoint(record))


def convert(record: dict[str, Any]) -> list[Conversation | UnusableError]:
    """The answers in the order of the record, each after the prompt."""
    refuse_media(record)
    edits: list[str] = []
    prompt = prompt_of(record, edits)
    if not prompt:
        raise UnusableError("no_prompt", "answers without a prompt")
    answers = _answers(record)
    if not answers:
        raise UnusableError("empty", "no answers")
    outcomes: list[Conversation | UnusableError] = []
    for number, (answer, rank) in enumerate(zip(answers, _ranks(answers), strict=True)):
        text = next((answer[name] for name in TEXTS if isinstance(answer.get(name), str)), None)
        if text is None:
            outcomes.append(UnusableError("bad_message", f"answer {number} is not text"))
            continue
        messages = [*prompt, Message("assistant", text)]
        system = optional_text(answer.get("custom_system_prompt"))
        if system and messages[0].role != "system":
            messages.insert(0, Message("system", system))
        written_by = "human" if "pm_score" in answer else None
        outcomes.append(
            Conversation(
                messages,
                first_text(record, ("id", "prompt_id", "qid", "question_id")),
                first_text(answer, ("model", "model_id", "generator")) or written_by,
                moment(record.get("created_at")),
                language_code(record.get("language") or record.get("lang")),
                first_text(record, ("task", "category")),
                sorted(set(edits)),
                rank=rank,
            )
        )
    return outcomes


def _list_of(record: dict[str, Any]) -> str | None:
    """The name of the list of answers."""
    return next((name for name in LISTS if isinstance(record.get(name), list)), None)


def _answers(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Each answer as an object; for a list of texts, with what other lists say of them."""
    name = _list_of(record)
    items = record[name] if name else []
    ranks = range(len(items)) if name == "output" else record.get("ranks", record.get("rank"))
    columns = {"rank": ranks, "score": record.get("scores"), "model": record.get("models")}
    lists = {key: values for key, values in columns.items() if isinstance(values, list | range)}
    return [
        item
        if isinstance(item, dict)
        else {"text": item, **{key: values[number] for key, values in lists.items() if number < len(values)}}
        for number, item in enumerate(items)
    ]


def _ranks(answers: list[dict[str, Any]]) -> list[int | None]:
    """One more than the number of better answers; null for those that the record does not order."""
    for name in ("rank", *SCORES):
        sign = 1 if name == "rank" else -1
        places = [None if (value := _number(answer.get(name))) is None else sign * value for answer in answers]
        order = sorted(place for place in places if place is not None)
        if order:
            return [None if place is None else 1 + order.index(place) for place in places]
    return [None] * len(answers)


def _number(value: Any) -> float | None:
    """A number, also written as text ("N/A" is none)."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and isfinite(number) else None
