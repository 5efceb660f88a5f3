r"""Preference pairs as RLHF and DPO use them: a chosen and a rejected answer to the same prompt.

    {"prompt": "Name a river.", "chosen": "The Rhine.", "rejected": "Bonn."}
    {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": "\n\nHuman: Hi\n\nAssistant: What?"}

Chosen and rejected are texts, HH-RLHF's transcripts, one turn (LLaMA-Factory, beside `conversations`) or lists of turns
(TRL, UltraFeedback), with or without the prompt in them; argilla's distilabel pairs call the prompt `input`;
LLaMA-Factory v1 calls them `chosen_messages` and `rejected_messages`. Each is a conversation of its own: the chosen one
has rank 1, the rejected one rank 2; both have rank 1 when the record scores them the same.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.asked import first_text, prompt_of, said
from curate.ingest.chat import add_system, add_tools, messages_of, refuse_media
from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.languages import language_code
from curate.ingest.moments import moment
from curate.ingest.normalise import optional_text

SIDES = ("chosen", "rejected")


def matches(record: dict[str, Any]) -> bool:
    """Something chosen and something rejected."""
    return {"chosen", "rejected"} <= record.keys() or {"chosen_messages", "rejected_messages"} <= record.keys()


def convert(record: dict[str, Any]) -> list[Conversation | UnusableError]:
    """The chosen answer, then the rejected one, each after the prompt."""
    refuse_media(record)
    ranks = (1, 1) if _is_tie(record) else (1, 2)
    outcomes: list[Conversation | UnusableError] = []
    for side, rank in zip(SIDES, ranks, strict=True):
        edits: list[str] = []
        try:
            messages = _messages(record, side, edits)
        except UnusableError as error:
            outcomes.append(UnusableError(error.reason, f"{side}: {error.detail}"))
            continue
        outcomes.append(
            Conversation(
                messages,
                first_text(record, ("id", "prompt_id", "question_id")),
                first_text(record, (f"{side}_model", f"{side}-model", f"model_{side}", f"{side}_model_name")),
                moment(record.get("created_at")),
                language_code(record.get("language") or record.get("lang")),
                optional_text(record.get("task") or record.get("category")),
                sorted(set(edits)),
                rank=rank,
            )
        )
    return outcomes


def _messages(record: dict[str, Any], side: str, edits: list[str]) -> list[Message]:
    value = record.get(side) if side in record else record.get(f"{side}_messages")
    if isinstance(value, str):
        answer = said(value, "assistant", edits)
    elif isinstance(value, list):
        answer = messages_of(value, edits)
    elif isinstance(value, dict):
        answer = messages_of([value], edits)
    else:
        raise UnusableError("bad_message", "neither text nor turns")
    if not answer:
        raise UnusableError("empty", "no messages")
    if any(message.role == "user" for message in answer) and answer[0].role != "assistant":
        add_system(answer, record.get("system"), edits)
        add_tools(answer, record.get("tools"), edits)
        return answer
    prompt = prompt_of(record, edits)
    if not prompt:
        raise UnusableError("no_prompt", "an answer without a prompt")
    place = next((number for number, message in enumerate(answer) if message.role == "assistant"), 0)
    return [*answer[:place], *prompt, *answer[place:]]


def _is_tie(record: dict[str, Any]) -> bool:
    """Whether the record scores both answers the same: one by one, or with distilabel's `rating` of the two."""
    rating = record.get("rating")
    scores = rating if isinstance(rating, list) and len(rating) == len(SIDES) else [_score(record, s) for s in SIDES]
    return type(scores[0]) in (int, float) and scores[0] == scores[1]


def _score(record: dict[str, Any], side: str) -> float | None:
    names = (f"score_{side}", f"{side}_score", f"{side}-rating", f"{side}_rating")
    return next((record[name] for name in names if type(record.get(name)) in (int, float)), None)
