"""Arena battles: two models answer the same visitor, who says which was better.

    {"question_id": "q1", "model_a": "gpt-4", "model_b": "koala-13b", "winner": "model_a", "language": "English",
     "conversation_a": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}],
     "conversation_b": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "?"}],
     "anony": true, "turn": 1, "judge": "arena_user_1", "tstamp": 1682351591.1}

`winner` is model_a, model_b, tie, "tie (bothbad)" or both_bad. A battle is two conversations, ranked by it; both share
rank 1 in a tie, and where both are bad they have no rank and are marked `undesirable`. Older files have `prompt`,
`response_a` and `response_b` as JSON lists of texts (up to the first null), and `winner_model_a`, `winner_model_b`,
`winner_tie` as 0 or 1.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.chat import messages_of
from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.formats.lmsys import flagged
from curate.ingest.languages import language_code
from curate.ingest.moments import moment
from curate.ingest.normalise import optional_text, parsed_json

SIDES = ("a", "b")
RANKS: dict[str, tuple[int, int]] = {"model_a": (1, 2), "model_b": (2, 1), "tie": (1, 1)}
BOTH_BAD = {"tie (bothbad)", "tie(bothbad)", "bothbad", "both_bad"}


def matches(record: dict[str, Any]) -> bool:
    """Two models, and what each of them said."""
    return {"model_a", "model_b"} <= record.keys() and (
        {"conversation_a", "conversation_b"} <= record.keys() or {"prompt", "response_a", "response_b"} <= record.keys()
    )


def convert(record: dict[str, Any]) -> list[Conversation | UnusableError]:
    """Side a, then side b; marked `toxic` where a moderation or toxicity tag of the battle is set."""
    winner = _winner(record)
    ranks = RANKS.get(winner, (None, None))
    marks = ["toxic"] if flagged(record) or _tagged(record) else []
    if winner in BOTH_BAD:
        marks.append("undesirable")
    outcomes: list[Conversation | UnusableError] = []
    for side, rank in zip(SIDES, ranks, strict=True):
        edits: list[str] = []
        try:
            messages = _messages(record, side, edits)
        except UnusableError as error:
            outcomes.append(UnusableError(error.reason, f"side {side}: {error.detail}"))
            continue
        outcomes.append(
            Conversation(
                messages,
                optional_text(record.get("question_id") or record.get("id")),
                optional_text(record.get(f"model_{side}")),
                moment(record.get("tstamp") or record.get("timestamp")),
                language_code(record.get("language")),
                edits=sorted(set(edits)),
                marks=list(marks),
                rank=rank,
            )
        )
    return outcomes


def _messages(record: dict[str, Any], side: str, edits: list[str]) -> list[Message]:
    if f"conversation_{side}" in record:
        if said := messages_of(record[f"conversation_{side}"], edits):
            return said
        raise UnusableError("empty", "no messages")
    questions, answers = _texts(record.get("prompt")), _texts(record.get(f"response_{side}"))
    if not questions or len(questions) != len(answers):
        raise UnusableError("bad_message", f"{len(answers)} answers to {len(questions)} questions")
    messages: list[Message] = []
    for question, answer in zip(questions, answers, strict=True):
        if question is None or answer is None:
            edits.append("unanswered_dropped")
            break
        messages += [Message("user", question), Message("assistant", answer)]
    if not messages:
        raise UnusableError("bad_message", "the first turn is null")
    return messages


def _texts(value: Any) -> list[str | None]:
    """The texts of a list, or of a list as JSON; null is a turn that failed."""
    if isinstance(value, str) and value.startswith("["):
        value = parsed_json(value, "the list of turns")
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str | None) for text in texts):
        raise UnusableError("bad_message", "a turn is not text")
    return texts


def _winner(record: dict[str, Any]) -> str:
    for winner in RANKS:
        if record.get(f"winner_{winner}") in (1, True, "1"):
            return winner
    said = record.get("winner")
    return said.strip().lower() if isinstance(said, str) else ""


def _tagged(record: dict[str, Any]) -> bool:
    """Whether one of the classifiers under `toxic_chat_tag` flagged the battle."""
    tags = record.get("toxic_chat_tag")
    return isinstance(tags, dict) and any(
        isinstance(tag, dict) and tag.get("flagged") is True for tag in tags.values()
    )
