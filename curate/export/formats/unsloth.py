"""`unsloth`: the shards of `crlft` with TRL's weighted trainer under unsloth.

OUT/data, OUT/README.md, OUT/chat_template.jinja    as `crlft`; token ids with `--tokenizer`
OUT/weighted.py                                     Σ w·CE / Σ w for any transformers trainer, and its collator
OUT/train.py                                        python train.py MODEL
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.export import recipe
from curate.export.formats import crlft

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = False
PACKS = "its patches may let packed rows see each other, and its own `packing=True` loses the weights: --format trl"


def write(job: Job) -> None:
    """Write shards and recipe."""
    crlft.write(job)
    recipe.write(job, "trl/weighted.py", "unsloth/train.py")
