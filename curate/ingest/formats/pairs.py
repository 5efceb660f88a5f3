"""Two answers to one prompt and which of them is better, as SHP, PKU-SafeRLHF, WebGPT and HelpSteer3 write it.

    {"post_id": "p1", "history": "Why is the sky blue?", "human_ref_A": "Rayleigh.", "human_ref_B": "No idea.",
     "labels": 1, "score_A": 12, "score_B": 3}
    {"prompt": "Name a river.", "response_0": "Bonn.", "response_1": "The Rhine.", "better_response_id": 1,
     "is_response_0_safe": true, "is_response_1_safe": true}
    {"question": {"id": "q1", "full_text": "Why is the sky blue?"}, "answer_0": "Rayleigh.", "answer_1": "No idea.",
     "score_0": 1.0, "score_1": -1.0}
    {"context": [{"role": "user", "content": "Name a river."}], "response1": "The Rhine.", "response2": "Bonn.",
     "overall_preference": -2, "domain": "general", "language": "english"}

Each answer is a conversation of its own: the better one has rank 1, the other one rank 2, both rank 1 in a tie; none
has a rank where the record does not say. SHP's answers are people's. An answer that PKU-SafeRLHF calls unsafe is marked
`toxic`.
Source: the cards of stanfordnlp/SHP, PKU-Alignment/PKU-SafeRLHF, openai/webgpt_comparisons, nvidia/HelpSteer3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from curate.ingest.asked import first_text, said
from curate.ingest.chat import messages_of
from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.languages import language_code
from curate.ingest.moments import moment
from curate.ingest.normalise import optional_text

if TYPE_CHECKING:
    from collections.abc import Callable

# With one of these a record is another format's.
NOT_OURS = {"chosen", "rejected", "instruction", "messages", "conversations", "custom_id", "model_a", "answers",
            "completions", "responses", "chosen_messages"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Names:
    """How a data set calls prompt and answers; `lead` tells from its record by how much the first is the better one."""

    prompt: str
    answers: tuple[str, str]
    sides: tuple[str, str]
    lead: Callable[[dict[str, Any]], float | None]
    written_by: str | None = None


def _by_label(record: dict[str, Any]) -> float | None:
    return {1: 1, 0: -1}.get(_number(record, "labels"))


def _by_id(record: dict[str, Any]) -> float | None:
    return {0: 1, 1: -1}.get(_number(record, "better_response_id"))


def _by_scores(record: dict[str, Any]) -> float | None:
    first, second = _number(record, "score_0"), _number(record, "score_1")
    return None if first is None or second is None else first - second


def _by_preference(record: dict[str, Any]) -> float | None:
    """From -3, the first is much better, to 3, the second is."""
    preference = _number(record, "overall_preference")
    return None if preference is None else -preference


SETS = (
    Names("history", ("human_ref_A", "human_ref_B"), ("A", "B"), _by_label, "human"),
    Names("prompt", ("response_0", "response_1"), ("0", "1"), _by_id),
    Names("question", ("answer_0", "answer_1"), ("0", "1"), _by_scores),
    Names("context", ("response1", "response2"), ("1", "2"), _by_preference),
)


def matches(record: dict[str, Any]) -> bool:
    """A prompt and two answers, by the names of one of the data sets."""
    return _names_of(record) is not None and NOT_OURS.isdisjoint(record)


def convert(record: dict[str, Any]) -> list[Conversation | UnusableError]:
    """The first answer, then the second one, each after the prompt."""
    names = _names_of(record)
    if names is None:
        raise UnusableError("unknown_shape", "no prompt with two answers")
    edits: list[str] = []
    prompt = _prompt(record[names.prompt], edits)
    lead = names.lead(record)
    ranks = (None, None) if lead is None else (1 + (lead < 0), 1 + (lead > 0))
    question = record[names.prompt] if isinstance(record[names.prompt], dict) else {}
    outcomes: list[Conversation | UnusableError] = []
    for answer, side, rank in zip(names.answers, names.sides, ranks, strict=True):
        if not isinstance(record[answer], str):
            outcomes.append(UnusableError("bad_message", f"`{answer}` is not text"))
            continue
        outcomes.append(
            Conversation(
                [*prompt, Message("assistant", record[answer])],
                first_text(record, ("id", "post_id", "prompt_id")) or optional_text(question.get("id")),
                optional_text(record.get(f"response_{side}_source")) or names.written_by,
                moment(record.get(f"created_at_utc_{side}")),
                language_code(record.get("language")),
                optional_text(record.get("domain")),
                sorted(set(edits)),
                ["toxic"] if record.get(f"is_response_{side}_safe") is False else [],
                rank,
            )
        )
    return outcomes


def _names_of(record: dict[str, Any]) -> Names | None:
    return next((names for names in SETS if {names.prompt, *names.answers} <= record.keys()), None)


def _prompt(value: Any, edits: list[str]) -> list[Message]:
    """The messages before the answers: of a text, of WebGPT's question, or of a list of turns."""
    text = value.get("full_text") if isinstance(value, dict) else value
    if text is None or text == []:
        raise UnusableError("no_prompt", "answers without a prompt")
    return said(text, "user", edits) if isinstance(text, str) else messages_of(text, edits)


def _number(record: dict[str, Any], name: str) -> Any:
    """A finite number, or null."""
    value = record.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and isfinite(record[name]) else None
