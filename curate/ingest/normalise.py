"""From the words that dumps use to ours: roles, speakers, optional text, JSON inside text, KTO's label."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import Any

import orjson

from curate.ingest.conversation import UnusableError

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}
# Roles that name who spoke: kept as the message's `name`, where label rules find them.
SPEAKERS = {"chatgpt", "bing", "bard"}
# KTO's rows as TRL and LLaMA-Factory have them, and what may stand beside without giving `label` another meaning.
KTO = ({"messages", "label"}, {"prompt", "completion", "label"})
BESIDE_KTO = {"id", "prompt_id", "model", "system", "tools", "source", "rating", "score", "created_at", "timestamp",
              "status", "in_gsm8k_train"}  # fmt: skip


def role_of(word: Any) -> tuple[str, str | None]:
    """Our role for a dump's word, and the speaker's name where the word is one.

    Raises:
        UnusableError: The word is no role that we know.
    """
    try:
        return ROLES[word], word if word in SPEAKERS else None
    except (KeyError, TypeError):
        pass
    folded = word.strip().lower() if isinstance(word, str) else None
    if folded not in ROLES:
        raise UnusableError("unknown_role", f"the role {word!r:.80}" if folded else "a role that is not text")
    return ROLES[folded], folded if folded in SPEAKERS else None


def optional_text(value: Any) -> str | None:
    """A field that may be missing: text with something in it, or null; a number becomes its digits, NaN is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return str(value) if isinstance(value, int) or isfinite(value) else None
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else None
    return value if isinstance(value, str) and value.strip() else None


def json_text(value: Any) -> str:
    """A structured field as compact JSON; what only Parquet has, such as decimals, as text, NaN as null.

    Raises:
        UnusableError: It is nested too deeply.
    """
    try:
        return orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:
        raise UnusableError("bad_message", "a field is nested too deeply") from None


def is_null(turns: Any) -> bool:
    """Whether null stands in the place of a list, or of the first thing in it."""
    return turns is None or (isinstance(turns, list) and bool(turns) and turns[0] is None)


def parsed_json(text: str, name: str) -> Any:
    """The value of JSON that stands in a text.

    Raises:
        UnusableError: It is no JSON, or not even text: half of a surrogate pair. `name` says in the error what it is.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnusableError("bad_message", f"{name} is not JSON: {error}"[:200]) from None


def is_undesirable(record: dict[str, Any]) -> bool:
    """Whether people do not want such an answer: `kto_tag` says so, or `label` in a row of KTO's shape.

    Beside columns that are none of KTO's, `label` is the label of another task.
    """
    kto_label = record.get("label") is False and record.keys() - BESIDE_KTO in KTO
    return kto_label or record.get("kto_tag") is False
