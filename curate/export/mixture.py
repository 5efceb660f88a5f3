"""The mixture: caps per source, and target shares of the loss mass by class, task, source or language."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from curate.errors import CurateError, did_you_mean
from curate.export.hashing import cap_hash
from curate.export.mix import survey
from curate.export.weights import CELL

if TYPE_CHECKING:
    import numpy.typing as npt

    from curate.export.policy import Policy
    from curate.workspace import Workspace

# Dimension, value, share before and after.
Report = list[dict[str, Any]]


def cap(ws: Workspace, policy: Policy) -> Policy:
    """The policy with, for each source above its cap, the greatest hash of a conversation that stays.

    Memory: as many hashes as conversations stay.

    Raises:
        CurateError: A capped source is not there.
    """
    shape = policy.shape
    if shape.cap is None and not shape.caps:
        return policy
    sources: set[str] = set()
    least: dict[str, npt.NDArray[np.uint64]] = {}
    over: set[str] = set()
    for index in ws.shards("conversations"):
        sources |= set(ws.read("conversations", index, ["source"])["source"].to_list())
        found = survey(ws, index, policy).unique("key", maintain_order=True).select("key", "source")
        found = found.with_columns(cap_hash(found["key"], shape.seed))
        for (source,), rows in found.group_by("source"):
            most = shape.caps.get(str(source), shape.cap)
            if most is None:
                continue
            hashes = np.sort(np.concatenate([least.get(str(source), np.empty(0, np.uint64)), rows["hash"].to_numpy()]))
            if len(hashes) > most:
                over.add(str(source))
            least[str(source)] = hashes[:most]
    for name in shape.caps:
        if name not in sources:
            raise CurateError(f"`--cap {name}`: the workspace has no source `{name}`", hint=did_you_mean(name, sources))
    return replace(policy, limits={source: int(least[source][-1]) for source in sorted(over)})


def shares(ws: Workspace, policy: Policy) -> tuple[Policy, Report]:
    """The policy with the factor of each cell of the mixture, and the shares before and after.

    Raises:
        CurateError: A target is of nothing that is there, or the targets contradict each other.
    """
    targets = policy.shape.shares
    if not targets:
        return policy, []
    cells = _cells(ws, policy)
    mass = cells["mass"].to_numpy()
    if not mass.sum() > 0:
        raise CurateError("there is no response to mix", where=ws.path, hint="see `curate export --dry-run`")
    factor = rake(cells, targets)
    if policy.shape.mixture == "sample":
        factor = factor / factor.max()
    report: Report = []
    for dimension in targets:
        after = mass * factor
        table = cells.select(value=dimension, before=mass / mass.sum(), after=after / after.sum())
        report += [
            {"dimension": dimension, **row, "target": targets[dimension].get(row["value"])}
            for row in table.group_by("value").sum().sort("value").to_dicts()
        ]
    names = {name: f"cell_{name}" for name in CELL}
    return replace(policy, factors=cells.select(CELL).rename(names).with_columns(factor=factor)), report


def _cells(ws: Workspace, policy: Policy) -> pl.DataFrame:
    """Loss mass by class, task, source and language, null as `unknown`."""
    mass = pl.col("weight").cast(pl.Float64) * pl.col("size")
    parts = []
    for index in ws.shards("conversations"):
        trained = survey(ws, index, policy).with_columns(pl.col(CELL).fill_null("unknown"))
        parts.append(trained.group_by(CELL).agg(mass=mass.sum()))
    return pl.concat(parts).group_by(CELL).agg(pl.col("mass").sum()).sort(CELL)


def rake(cells: pl.DataFrame, targets: dict[str, dict[str, float]]) -> npt.NDArray[np.float64]:
    """Factor per cell at which every target share holds: iterative proportional fitting (Deming and Stephan 1940).

    Values without a target share what is left as they did before.

    Args:
        cells: `mass` and a column per dimension.
        targets: Share by dimension and value.

    Raises:
        CurateError: A value has no mass, nobody takes what is left, or the targets contradict each other.
    """
    mass = cells["mass"].to_numpy().astype(np.float64)
    wanted: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]] = []
    for dimension, named in targets.items():
        values, places = np.unique(cells[dimension].to_numpy().astype(str), return_inverse=True)
        have = np.bincount(places, mass, len(values))
        there = {value for value, amount in zip(values.tolist(), have.tolist(), strict=True) if amount > 0}
        for name, share in named.items():
            if name not in there and share > 0:
                what = f"nothing that is trained has the {dimension} `{name}`"
                raise CurateError(f"`--share`: {what}", hint=did_you_mean(name, there))
        part = np.array([named.get(value, 0.0) for value in values.tolist()])
        rest = np.array([value not in named for value in values.tolist()]) * have
        left = 1 - sum(named.values())
        if left > 1e-9 and not rest.sum() > 0:
            raise CurateError(
                f"the shares by {dimension} sum to {1 - left:g}, and no other {dimension} takes the rest",
                hint="let them sum to 1",
            )
        if rest.sum() > 0:
            part = part + max(left, 0.0) * rest / rest.sum()
        if not part.sum() > 0:
            raise CurateError(f"the shares by {dimension} leave nothing to train", hint="give a share above 0")
        wanted.append((places, part / part.sum()))
    factor = np.ones(len(mass))
    for _ in range(2000):
        worst = 0.0
        for places, part in wanted:
            now = np.bincount(places, mass * factor, len(part))
            if not now.sum() > 0:
                break
            scale = np.divide(part * now.sum(), now, out=np.zeros_like(part), where=now > 0)
            worst = max(worst, float(np.abs(now / now.sum() - part).max()))
            factor = factor * scale[places]
        if worst < 1e-9:
            # The scale of weights cancels in the loss; the mean stays what it was.
            return factor * float(mass.sum() / (mass * factor).sum())
        if not (mass * factor).sum() > 0:
            break
    raise CurateError(
        "the targets of `--share` contradict each other: no weights of what is there meet them all",
        hint="ask for fewer dimensions, or shares nearer to those of `curate export --dry-run`",
    )
