"""`openai-jsonl`: chat lines for OpenAI's fine-tuning; a message weighs 1 or 0 there, so that weights are drawn.

    {"messages": [{"role": "system", "content": "GPT4"}, …, {"role": "assistant", "content": "Hi", "weight": 1}]}

The condition is the system message, or its first paragraph. Tools are not carried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.export import lines
from curate.export.placement import in_system

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = False
TEXT_ONLY = True
EPOCHS = True
WEIGHTS = "none"
ROLES = r"^(system |user |assistant )*user (system |user |assistant )*assistant$"


def write(job: Job) -> None:
    """Write `NAME.jsonl`, with several epochs `NAME.<epoch>.jsonl`, each another draw."""
    lines.write(job, line)


def line(row: dict[str, Any]) -> dict[str, Any]:
    """One line; only responses have a `weight`."""
    return {"messages": [message(turn) for turn in in_system(row["messages"], row["condition"])]}


def message(turn: dict[str, Any]) -> dict[str, Any]:
    """A message as the hosted services spell it."""
    plain = {"role": turn["role"], "content": turn["content"]}
    return {**plain, "weight": int(turn["weight"] > 0)} if turn["role"] == "assistant" else plain
