"""`mistral-jsonl`: the lines of mistral-finetune and Mistral's API; a fractional weight is an error there.

As `openai-jsonl`, but users and assistants take turns, and no response is empty: its validator refuses the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.export import lines
from curate.export.formats.openai_jsonl import line

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = False
TEXT_ONLY = True
EPOCHS = True
WEIGHTS = "none"
ROLES = r"^(system )?user assistant( user assistant)*$"
NO_EMPTY_RESPONSE = True


def write(job: Job) -> None:
    """Write `NAME.jsonl`, with several epochs `NAME.<epoch>.jsonl`, each another draw."""
    lines.write(job, line)
