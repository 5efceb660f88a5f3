"""`together-jsonl`: chat lines with a fractional `weight` per line, Together's multiplier of the loss (since 2026-06).

As `fireworks-jsonl`, but users and assistants take turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.export import lines
from curate.export.formats.fireworks_jsonl import line

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = False
TEXT_ONLY = True
EPOCHS = True
WEIGHTS = "row"
ROLES = r"^(system )?user assistant( user assistant)*$"


def write(job: Job) -> None:
    """Write `NAME.jsonl`, with several epochs `NAME.<epoch>.jsonl`."""
    lines.write(job, line)
