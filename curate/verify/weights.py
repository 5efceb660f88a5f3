"""Whether weights survive: no NaN, none below 0, and what bfloat16 makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from curate.verify.findings import Findings

    Numbers = npt.NDArray[Any]


def bfloat16(values: Numbers) -> npt.NDArray[np.float32]:
    """Values rounded to bfloat16, to the nearest and ties to even, as float32."""
    bits = values.astype(np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


def check(findings: Findings, file: str, values: Numbers, rows: Numbers, what: str, *, rounded: bool) -> None:
    """Look at weights.

    Args:
        findings: Where to note.
        file: Of the weights.
        values: The weights.
        rows: The row of each.
        what: Their column.
        rounded: Whether a trainer casts them to bfloat16.
    """
    wide = values.astype(np.float64)
    finite = np.isfinite(wide)
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = wide.astype(np.float32)
        small = bfloat16(np.where(np.isfinite(narrow), narrow, 0))
    cases = {
        "weight_nan": ~finite | ~np.isfinite(narrow),
        "weight_negative": finite & (wide < 0),
        "weight_vanishes": np.isfinite(narrow) & (wide > 0) & (small == 0),
    }
    if rounded:
        cases["weight_bf16"] = np.isfinite(narrow) & (narrow > 0) & (small != 0) & (small != narrow)
    for code, wrong in cases.items():
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            becomes = f", {small[at]:.6g} in bfloat16" if code == "weight_bf16" else ""
            detail = f"`{what}` holds {narrow[at] if finite[at] else wide[at]:.6g}{becomes}"
            findings.add(code, file, row=int(rows[at]), count=int(wrong.sum()), detail=detail)
