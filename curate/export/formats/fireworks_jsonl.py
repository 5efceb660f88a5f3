"""`fireworks-jsonl`: chat lines with a fractional `weight` per line, which Fireworks multiplies the loss by.

A conversation whose responses weigh differently becomes one line per weight; in each, the other responses are masked
with a message `weight` of 0. The condition is the system message. Fireworks asks that all lines have a weight or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.export import lines
from curate.export.formats import openai_jsonl
from curate.export.tokenise import decimal

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = False
TEXT_ONLY = True
EPOCHS = True
WEIGHTS = "row"
ROLES = openai_jsonl.ROLES


def write(job: Job) -> None:
    """Write `NAME.jsonl`, with several epochs `NAME.<epoch>.jsonl`."""
    lines.write(job, line)


def line(row: dict[str, Any]) -> dict[str, Any]:
    """One line."""
    return {**openai_jsonl.line(row), "weight": decimal(row["weight"])}
