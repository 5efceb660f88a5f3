"""`axolotl`: token ids with `loss_weights`, and the plugin that weighs by them; axolotl itself makes any weight 1.

OUT/data              the tokenised shards of `crlft`, packed with `--pack`
OUT/weighted.py       Σ w·CE / Σ w for any transformers trainer, and its collator
OUT/curate_axolotl.py the plugin
OUT/axolotl.yml       cd OUT; axolotl train axolotl.yml --base-model=MODEL
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.export import recipe
from curate.export.formats import crlft

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = True
PACK = True
# By its mask axolotl knows a tokenised row; the collator leaves it out again, so that each sequence sees only itself.
PACKED = crlft.PACKED.append(crlft.TOKENS.field("attention_mask"))


def write(job: Job) -> None:
    """Write shards, plugin and configuration."""
    crlft.write(job, packed=PACKED)
    length = job.encoder.max_length if job.encoder else 0
    recipe.write(job, "trl/weighted.py", "axolotl/curate_axolotl.py", "axolotl/axolotl.yml", max_length=length)
