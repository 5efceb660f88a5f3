"""What the checks of one set of shards share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from curate.verify.markers import Markers

if TYPE_CHECKING:
    import numpy.typing as npt

    from curate.verify.findings import Findings


@dataclass
class Limits:
    """What rows are measured by.

    Attributes:
        max_length: Tokens a row may have; None = what the file says of itself.
        vocabulary: Ids that the tokenizer has; None = not known.
        bos: Its BOS; None = the usual first id.
        eot: The template's end of turn; None = the usual last id of responses.
    """

    max_length: int | None = None
    vocabulary: int | None = None
    bos: int | None = None
    eot: int | None = None


@dataclass
class Context:
    """Findings and counts of one set of shards.

    Attributes:
        lengths: Tokens per row, a chunk at a time: four bytes a row, all that is kept of rows.
        conditioned: Rows with a condition.
        weighted: Whether any weight differs from 0 and 1, or two classes of weight were seen.
    """

    findings: Findings
    limits: Limits
    rows: int = 0
    tokens: int = 0
    supervised: int = 0
    trained_rows: int = 0
    weight_sum: float = 0.0
    conditioned: int = 0
    has_condition: bool = False
    lengths: list[npt.NDArray[np.int32]] = field(default_factory=list)
    ids: list[npt.NDArray[np.uint64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first = Markers("bos", self.limits.bos)
        self.last = Markers("eot", self.limits.eot)

    def flag(self, code: str, file: str, wrong: npt.NDArray[np.bool_], begin: int, detail: str) -> None:
        """Note the rows of a batch that are wrong; `begin` is the number of its first row."""
        if wrong.any():
            row = begin + int(np.flatnonzero(wrong)[0])
            self.findings.add(code, file, row=row, count=int(wrong.sum()), detail=detail)
