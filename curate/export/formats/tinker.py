"""`tinker`: token ids with `loss_weights`, and the data set that makes them Tinker's data; its own would drop weights.

OUT/data              the tokenised shards of `crlft`
OUT/curate_tinker.py  `Dataset` for a loop of your own, `Builder` for the cookbook's

Tinker sums w·CE, so each batch's weights are divided by their sum. The cookbook's builders divide those of each row by
their sum instead (`reduction="mean"`), so that the weight of a row that has only one is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.export import recipe
from curate.export.formats import crlft

if TYPE_CHECKING:
    from curate.export.job import Job

NEEDS_TOKENIZER = True
PACKS = "Tinker pads nothing: rows are sent as they are"


def write(job: Job) -> None:
    """Write shards and data set."""
    crlft.write(job)
    recipe.write(job, "tinker/curate_tinker.py")
