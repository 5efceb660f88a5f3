"""Alpaca and what was made in its shape: WizardLM's Evol-Instruct, GPTeacher, CodeAlpaca, AlpacaEval's answers.

    {"instruction": "Translate.", "input": "Guten Tag", "output": "Good day", "generator": "gpt4"}

The answer may be called `response`; `output` is preferred where a row has both and it is not empty. LLaMA-Factory's
`system` and `history` (`[[question, answer], …]`) are read. `text`, `original_output`, `dataset` and `datasplit` repeat
what the row says anyway, or say where the prompt is from, and are left out.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.chat import add_system, add_tools, refuse_media
from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.languages import language_code
from curate.ingest.moments import moment
from curate.ingest.normalise import is_undesirable, optional_text

NO_INPUT = {"", "<noinput>", "<no input>", "noinput", "no input", "n/a"}
# With one of these a row is another format's: Dolly's context belongs to the prompt, the others hold several answers.
NOT_OURS = {"context", "chosen", "rejected", "completions", "responses", "answers", "messages", "conversations"}


def matches(record: dict[str, Any]) -> bool:
    """`instruction`, and one answer under `output` or `response`."""
    return (
        "instruction" in record
        and ("output" in record or "response" in record)
        and not isinstance(record.get("output"), list)
        and NOT_OURS.isdisjoint(record)
    )


def convert(record: dict[str, Any]) -> Conversation:
    """Instruction and input make the prompt, two line breaks between them, as Alpaca's own training does."""
    refuse_media(record)
    edits: list[str] = []
    messages = [*_history(record.get("history")), Message("user", prompt(record, edits))]
    messages.append(Message("assistant", _answer(record, edits)))
    add_system(messages, record.get("system") or record.get("system_prompt"), edits)
    add_tools(messages, record.get("tools"), edits)
    return Conversation(
        messages,
        optional_text(record.get("id")),
        optional_text(record.get("generator") or record.get("model")),
        moment(record.get("created_at")),
        language_code(record.get("language") or record.get("lang")),
        optional_text(record.get("task") or record.get("category")),
        edits,
        ["undesirable"] if is_undesirable(record) else [],
    )


def prompt(record: dict[str, Any], edits: list[str]) -> str:
    """What the user says: `instruction`, and `input` where there is one.

    Raises:
        UnusableError: One of them is not text.
    """
    instruction, extra = record.get("instruction"), record.get("input")
    if not isinstance(instruction, str):
        raise UnusableError("bad_message", "`instruction` is not text")
    if extra is not None and not isinstance(extra, str):
        raise UnusableError("bad_message", "`input` is not text")
    if record.get("example_input"):
        edits.append("example_input_dropped")
    if not extra:
        return instruction
    if extra.strip().lower() in NO_INPUT:
        edits.append("no_input")
        return instruction
    return f"{instruction}\n\n{extra}" if instruction else extra


def _answer(record: dict[str, Any], edits: list[str]) -> str:
    found = [record[name] for name in ("output", "response") if isinstance(record.get(name), str)]
    if not found:
        raise UnusableError("bad_message", f"`{'output' if 'output' in record else 'response'}` is not text")
    if len({answer for answer in found if answer}) > 1:
        edits.append("second_answer_dropped")
    return next(filter(None, found), "")


def _history(pairs: Any) -> list[Message]:
    if pairs is None:
        return []
    messages = []
    for pair in pairs if isinstance(pairs, list) else [None]:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise UnusableError("bad_message", "`history` is not a list of questions and answers")
        messages += [Message("user", pair[0]), Message("assistant", pair[1])]
    return messages
