"""FastChat's answer files (MT-bench, arena-bench, the Vicuna evaluation), joined to their `question.jsonl`.

    {"question_id": 81, "answer_id": "a1", "model_id": "gpt-4", "tstamp": 1685358658.5,
     "choices": [{"index": 0, "turns": ["Aloha!", "And again."]}]}
    {"question_id": 81, "category": "writing", "turns": ["Write a blog post.", "Again, starting with A."]}

The Vicuna evaluation has one `text` each in place of `choices` and `turns`. A turn may be `{"content": "…"}`.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.moments import moment
from curate.ingest.normalise import optional_text

# What FastChat writes in place of an answer when the model's server failed.
FAILED = "$ERROR$"


def matches(record: dict[str, Any]) -> bool:
    """An answer to a question, by a model; maybe null."""
    return (
        "question_id" in record
        and "model_id" in record
        and (isinstance(record.get("choices", ""), list | None) or isinstance(record.get("text"), str))
    )


def companion(record: dict[str, Any]) -> tuple[str, Any] | None:
    """A question: its id, and the record; answers and reviews of answers name the question too, and are none."""
    key = optional_text(record.get("question_id"))
    asks = isinstance(record.get("turns"), list) or (isinstance(record.get("text"), str) and "category" in record)
    return (key, record) if key and asks and {"model_id", "answer_id", "review_id"}.isdisjoint(record) else None


def needs(record: dict[str, Any]) -> str:
    """The id of the question that an answer belongs to."""
    return optional_text(record.get("question_id")) or ""


def convert(record: dict[str, Any], prompt: Any = None) -> list[Conversation | UnusableError]:
    """Each choice is a conversation of as many turns as have both a question and an answer.

    Questions after the last answer are left out (`unanswered_dropped`); answers after the last question are an error
    of their own, beside the conversation.
    """
    if not isinstance(prompt, dict):
        raise UnusableError("no_prompt", f"no question `{needs(record)}`")
    questions = [_text(turn) for turn in _turns(prompt)]
    if None in questions:
        raise UnusableError("bad_message", f"a turn of the question `{needs(record)}` is not text")
    choices = record.get("choices")
    outcomes: list[Conversation | UnusableError] = []
    for choice in choices if isinstance(choices, list) else [record]:
        answers = [_text(turn) for turn in _turns(choice)]
        try:
            messages = _messages(questions, answers)
        except UnusableError as error:
            outcomes.append(error)
            continue
        edits = ["unanswered_dropped"] if len(answers) < len(questions) else []
        outcomes.append(
            Conversation(
                messages,
                optional_text(record.get("answer_id") or record.get("question_id")),
                optional_text(record.get("model_id")),
                moment(record.get("tstamp")),
                task=optional_text(prompt.get("category")),
                edits=edits,
            )
        )
        if len(answers) > len(questions):
            outcomes.append(UnusableError("no_prompt", f"{len(answers)} answers to {len(questions)} questions"))
    if not outcomes:
        raise UnusableError("empty", "no choices")
    return outcomes


def _messages(questions: list[str | None], answers: list[str | None]) -> list[Message]:
    if not answers:
        raise UnusableError("empty", "a choice without answers")
    messages = []
    for number, (question, answer) in enumerate(zip(questions, answers, strict=False)):
        if answer is None:
            raise UnusableError("bad_message", f"answer {number} is not text")
        if answer == FAILED:
            raise UnusableError("failed_request", f"answer {number} is `{FAILED}`")
        messages += [Message("user", question or ""), Message("assistant", answer)]
    return messages


def _turns(record: Any) -> list[Any]:
    """The turns of a question or choice: under `turns`, or one under `text`."""
    if not isinstance(record, dict):
        return []
    turns = record.get("turns")
    return turns if isinstance(turns, list) else [record.get("text")]


def _text(turn: Any) -> str | None:
    text = turn.get("content") if isinstance(turn, dict) else turn
    return text if isinstance(text, str) else None
