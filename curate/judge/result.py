"""What `curate score` did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curate.judge.cost import Estimate


@dataclass(frozen=True)
class ScoreResult:
    """What `score` did.

    Attributes:
        judge: Name of the judge, `local` for the embedded one; `a+b` for a panel, `a > b` with b for the doubtful.
        rubric: name@version; `auto` where each task has its own.
        statuses: Responses per status: ok, unparsed, refused, failed, skipped.
        defects: Responses per defect (local judge).
        calls: Answers received now.
        cached: Grades that were in the store already.
        lost: Calls that a crash had cut off.
        tokens_in: Prompt tokens of the calls answered now.
        tokens_out: Reply tokens of the calls answered now.
        cost: Dollars for them, each at its own judge's price, and for finding out what a server does; None = no price
            known.
        estimate: What a dry run expects; None otherwise.
        note: What a reader of the scores must know.
    """

    judge: str
    rubric: str
    statuses: dict[str, int] = field(default_factory=dict)
    defects: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    cached: int = 0
    lost: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    estimate: Estimate | None = None
    note: str | None = None
