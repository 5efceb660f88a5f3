"""`curate hist`: histograms of scores, weights, lengths and similarities, group beside group."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from curate.errors import CurateError
from curate.report.columns import LENGTHS, SHARES, Column

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from curate.workspace import Workspace

    Values = npt.NDArray[np.float64]

# Up to this many different whole numbers get a row each; more are binned.
MAX_VALUES = 20
MOSTLY = 0.9
# More than any screen has lines.
MOST_BINS = 200
BINS = 10
# The two classes that C-RLFT compares stand side by side.
CLASS_ORDER = ("gpt-4", "gpt-3.5", "human")


@dataclass(frozen=True)
class Group:
    """One histogram.

    Attributes:
        name: Value of the grouping column; `unknown` for null.
        counts: Responses per bin, in the order of `Histogram.bins`.
        unscored: Responses without a value, though somebody judged them or tried to.
        mean: Mean of the values, null when there is none.
        median: Median of the values.
        skipped: Responses that nobody was to judge: outside of the sample, or of a duplicate. No part of `n`.
        interval: 95 % interval of the mean, by the bootstrap over conversations; null = fewer than two of them.
        quantiles: At 0.1, 0.25, 0.5, 0.75 and 0.9; null when there is no value.
    """

    name: str
    counts: tuple[int, ...]
    unscored: int
    mean: float | None
    median: float | None
    skipped: int = 0
    interval: tuple[float, float] | None = None
    quantiles: tuple[float, ...] | None = None

    @property
    def scored(self) -> int:
        """Responses with a value."""
        return sum(self.counts)


@dataclass(frozen=True)
class Comparison:
    """How well the column tells GPT-4 from GPT-3.5: what a weight by class alone gets wrong.

    Attributes:
        group: gpt-4.
        other: gpt-3.5.
        auc: How often a response of `group` has the higher value of two, a tie counting half (Mann and Whitney).
        median: Of `group`.
        at_or_above: Share of `other` that reaches this median, 0 to 1.
        above: Share of `other` above it.
    """

    group: str
    other: str
    auc: float
    median: float
    at_or_above: float
    above: float


@dataclass(frozen=True)
class Histogram:
    """Histograms of one column, side by side.

    Attributes:
        column: What is counted.
        by: What separates the groups.
        judges: Who judged, where the column comes from a judge.
        bins: Lower and upper edge of each bin, lowest first; equal edges are one whole value. The
            upper edge belongs to the next bin, that of the last bin to the bin itself.
        groups: gpt-4, gpt-3.5 and human first, then the largest; `unknown` last.
        note: What a reader of the values must know of the judge.
        unit: What is counted: `responses`, or `conversations`, each once per group.
        where: The condition that chose them; null = all.
        compared: GPT-4 beside GPT-3.5; null = not grouped by class, or one has no value.
        judged: Whether every response has a value unless its judgement failed.
    """

    column: str
    by: str
    judges: tuple[str, ...]
    bins: tuple[tuple[float, float], ...]
    groups: tuple[Group, ...]
    note: str | None = None
    unit: str = "responses"
    where: str | None = None
    compared: Comparison | None = None
    judged: bool = True


def hist(
    workspace: str | Path,
    *,
    column: str = "reward",
    by: str = "class",
    bins: int | None = None,
    where: str | None = None,
) -> Histogram:
    """Count the values of a column, group by group.

    Args:
        workspace: Folder of the workspace; read a shard at a time, a float and a number per response in memory.
        column: `reward` (0 to 1), `score` (the rubric's own scale), `raw`, `percentile`, `calibrated`, `spread` or
            `aspect:NAME` of a judge; `weight` as `curate export` without options gives it; `chars` (length of the
            response) or `prompt_chars`; of conversations `turns`, and of duplicates `similarity` or `cosine`.
        by: Column that separates the groups: `class`, `source`, `model`, `language`, `task`, `judge`, `rubric`,
            `status` or `rule`.
        bins: Bins for values that are not whole numbers; None = 10, and for lengths 1, 2, 5, 10, 20, 50 …
        where: Polars SQL condition over the columns of `curate.scan`, such as `language = 'en' AND task = 'maths'`.

    Raises:
        CurateError: An unknown column or grouping, not 1 to 200 bins, or a condition that cannot be answered.
        WorkspaceError: Not a workspace, or the stage that makes the column did not run or not on all shards.
    """
    from curate.export.policy import default_policy
    from curate.report import columns
    from curate.workspace import Workspace

    wanted = Column(column, by, where)
    wanted.check()
    if bins is not None and not 1 <= bins <= MOST_BINS:
        raise CurateError(f"`bins` is {bins}, it must be 1 to {MOST_BINS}")
    ws = Workspace(workspace)
    columns.require(ws, wanted)
    policy = default_policy(ws) if column == "weight" else None
    found = _Found(_conversations(ws))
    for index in ws.shards("conversations"):
        found.add(columns.read(ws, index, wanted, policy))
    if wanted.aspect is not None and not found.has_value and where is None:
        known = ", ".join(f"`{name}`" for name in columns.aspects(ws))
        raise CurateError(f"no response has a score of `{wanted.aspect}`", hint=f"there are {known or 'none'}")
    values = found.values()
    edges = _edges(values, bins, column)
    groups = found.groups(values, edges)
    unit = "conversations" if column in columns.OF_CONVERSATIONS else "responses"
    compared = _compare(values) if by == "class" and policy is None else None
    judges = tuple(sorted(found.judges)) if wanted.judged else ()
    note = _note(judges, by) if wanted.judged else None
    if policy is not None:
        note = f"weighting {policy.weighting}, as `curate export` without options; trained responses only"
    return Histogram(column, by, judges, edges, groups, note, unit, where, compared, column in columns.SCORES)


class _Found:
    """What was read so far: per response a value and the number of its group; sums by group and cluster."""

    def __init__(self, conversations: int) -> None:
        self.judges: set[str] = set()
        self._conversations = conversations
        self._numbers: dict[str, int] = {}
        self._codes: list[npt.NDArray[np.int32]] = []
        self._values: list[Values] = []
        self._missing: dict[str, list[int]] = {}
        self._sums: dict[str, Values] = {}

    @property
    def has_value(self) -> bool:
        """Whether any response has one."""
        return bool(self._sums)

    def add(self, rows: pl.DataFrame) -> None:
        """Count the rows of `columns.read`."""
        import polars as pl

        from curate.export.hashing import shuffle_hash
        from curate.report.statistics import CELLS

        self.judges |= set(rows["judge"].drop_nulls().unique())
        rows = rows.with_columns(pl.col("group").fill_null("unknown"))
        for name, skipped, unscored in rows.group_by("group").agg(
            pl.col("skipped").sum(), (pl.col("value").is_null() & ~pl.col("skipped")).sum()
        ).iter_rows():
            before = self._missing.setdefault(name, [0, 0])
            self._missing[name] = [before[0] + skipped, before[1] + unscored]
        rows = rows.drop_nulls("value")
        for name in rows["group"].unique():
            self._numbers.setdefault(name, len(self._numbers))
        numbers = pl.Series(rows["group"].replace_strict(self._numbers, return_dtype=pl.Int32))
        self._codes.append(numbers.to_numpy())
        self._values.append(rows["value"].to_numpy())
        # Keys are dense: up to as many conversations as there are cells, each is a cell.
        few = self._conversations <= CELLS
        keys = rows["key"].to_numpy()
        cells = pl.Series("cell", (keys if few else shuffle_hash(keys, 0)) % CELLS)
        sums = rows.with_columns(cells).group_by("group", "cell").agg(pl.col("value").sum(), count=pl.len())
        for name, group in sums.partition_by("group", as_dict=True, include_key=False).items():
            self._add_sums(str(name[0]), group)

    def _add_sums(self, name: str, cells: pl.DataFrame) -> None:
        import numpy as np

        from curate.report.statistics import CELLS

        own = self._sums.setdefault(name, np.zeros((2, min(CELLS, max(1, self._conversations)))))
        at = cells["cell"].to_numpy()
        own[0, at] += cells["value"].to_numpy()
        own[1, at] += cells["count"].to_numpy()

    def values(self) -> dict[str, Values]:
        """The sorted values by group."""
        import numpy as np

        empty = np.array([], np.float64)
        if not self._codes:
            return {name: empty for name in self._missing}
        codes, values = np.concatenate(self._codes), np.concatenate(self._values)
        self._codes, self._values = [], []
        order = np.lexsort((values, codes))
        codes, values = codes[order], values[order]
        ends = np.searchsorted(codes, np.arange(len(self._numbers) + 1))
        found = {name: values[ends[place] : ends[place + 1]] for name, place in self._numbers.items()}
        return {name: found.get(name, empty) for name in self._missing}

    def groups(self, values: dict[str, Values], edges: tuple[tuple[float, float], ...]) -> tuple[Group, ...]:
        """The histograms, in order."""
        import numpy as np

        from curate.report.statistics import mean_intervals, quantiles

        names = list(self._sums)
        sums = np.stack([self._sums[name] for name in names], axis=1) if names else np.zeros((2, 0, 0))
        intervals = dict(zip(names, mean_intervals(*sums), strict=True))
        found = []
        for name, own in values.items():
            skipped, unscored = self._missing[name]
            spread = quantiles(own)
            mean = float(own.mean()) if len(own) else None
            median = spread[2] if spread else None
            counts = _counts(own, edges)
            found.append(Group(name, counts, unscored, mean, median, skipped, intervals.get(name), spread))
        return tuple(sorted(found, key=_place))


def _conversations(ws: Workspace) -> int:
    import polars as pl

    return int(ws.scan("conversations").select(pl.len()).collect().item())


def _note(judges: tuple[str, ...], by: str) -> str | None:
    from curate.judge import LOCAL_NOTE
    from curate.reward import LOCAL_JUDGE

    notes = [LOCAL_NOTE] if LOCAL_JUDGE in judges else []
    if len(judges) > 1 and by != "judge":
        notes.append("The judges' scales differ; `--by judge` keeps them apart.")
    return " ".join(notes) or None


def _place(group: Group) -> tuple[bool, int, int, str]:
    rank = CLASS_ORDER.index(group.name) if group.name in CLASS_ORDER else len(CLASS_ORDER)
    return group.name == "unknown", rank, -group.scored - group.unscored, group.name


def _compare(values: dict[str, Values]) -> Comparison | None:
    import numpy as np

    from curate.report.statistics import auc

    better, other = (values.get(name) for name in CLASS_ORDER[:2])
    if better is None or other is None or not len(better) or not len(other):
        return None
    median = float(np.median(better))
    return Comparison(
        *CLASS_ORDER[:2],
        auc=auc(better, other),
        median=median,
        at_or_above=float((other >= median).mean()),
        above=float((other > median).mean()),
    )


def _edges(values: dict[str, Values], bins: int | None, column: str) -> tuple[tuple[float, float], ...]:
    own = [group for group in values.values() if len(group)]
    if not own:
        return ()
    low, high = min(float(group[0]) for group in own), max(float(group[-1]) for group in own)
    if column in LENGTHS and bins is None:
        return _decades(high)
    # The score of the local judge is its reward.
    share = column in SHARES or (column == "score" and low >= 0 and high <= 1)
    if not share and high - low < MAX_VALUES:
        whole = sum(int((group == group.round()).sum()) for group in own) / sum(map(len, own))
        if whole == 1:
            return tuple((float(value), float(value)) for value in range(int(low), int(high) + 1))
        # A few halves among marks from 1 to 10 must not put two marks into one bin.
        if whole > MOSTLY and bins is None:
            return tuple((float(value), float(value + 1)) for value in range(floor(low), floor(high) + 1))
    count = bins or BINS
    if share:
        low, high = 0.0, 1.0
    elif high > low:
        return _even((0.0 if column == "weight" else low), high, count)
    else:
        return ((low, high),)
    return _evenly(low, (high - low) / count, count)


def _even(low: float, high: float, most: int) -> tuple[tuple[float, float], ...]:
    """Up to `most` bins whose edges are multiples of 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** floor(log10((high - low) / most))
    for factor in (1, 2, 2.5, 5, 10, 20):
        step = factor * power
        first = floor(low / step)
        # Float noise must not make a bin of its own.
        count = ceil(high / step - 1e-9) - first
        if count <= most:
            return _evenly(first * step, step, max(count, 1))
    raise AssertionError("a step of twenty times the power is wide enough")


def _evenly(low: float, width: float, count: int) -> tuple[tuple[float, float], ...]:
    # Not 0.30000000000000004.
    return tuple(pairwise(float(f"{low + width * i:.12g}") for i in range(count + 1)))


def _decades(high: float) -> tuple[tuple[float, float], ...]:
    """0, 1, 2, 5, 10, 20, 50 … until above `high`: lengths span decades."""
    ends = [0.0]
    while ends[-1] <= high:
        power, place = divmod(len(ends) - 1, 3)
        ends.append(float((1, 2, 5)[place] * 10**power))
    return tuple(pairwise(ends))


def _counts(values: Values, edges: tuple[tuple[float, float], ...]) -> tuple[int, ...]:
    """How many of the sorted values are in each bin."""
    import numpy as np

    if not edges:
        return ()
    lows = np.array([low for low, _ in edges])
    # A sum such as 0.1 * 3 must fall above its own edge, hence the small push.
    push = 1e-6 * max(edges[-1][1] - edges[0][0], 1.0) / len(edges)
    begins = np.searchsorted(values, lows - push)
    begins[0] = 0
    return tuple(int(count) for count in np.diff([*begins, len(values)]))
