"""Alpaca and AlpacaEval: one instruction, one answer; the generator is the source.

{"instruction": "Translate.", "input": "Guten Tag", "output": "Good day", "generator": "gpt4"}
"""

from __future__ import annotations

from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.normalise import optional_text

NO_INPUT = {"", "<noinput>", "<no input>", "noinput", "n/a"}


def matches(record: dict[str, Any]) -> bool:
    """`instruction`, and an answer under `output` or `response`."""
    return "instruction" in record and ("output" in record or "response" in record)


def convert(record: dict[str, Any]) -> Conversation:
    """Instruction and input make the prompt, two line breaks between them, as Alpaca's own training does."""
    instruction, extra = record.get("instruction"), record.get("input")
    answer = record.get("output", record.get("response"))
    if not isinstance(instruction, str):
        raise UnusableError("bad_message", "`instruction` is not text")
    if not isinstance(answer, str):
        raise UnusableError("bad_message", "`output` is not text")
    if extra is not None and not isinstance(extra, str):
        raise UnusableError("bad_message", "`input` is not text")
    edits = []
    prompt = instruction
    if extra and extra.strip().lower() not in NO_INPUT:
        prompt = f"{instruction}\n\n{extra}"
    elif extra:
        edits.append("no_input")
    model = optional_text(record.get("generator") or record.get("model"))
    messages = [Message("user", prompt), Message("assistant", answer)]
    system = optional_text(record.get("system"))
    if system:
        messages.insert(0, Message("system", system))
    return Conversation(messages, optional_text(record.get("id")), model, edits=edits)
