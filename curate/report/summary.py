"""A run in figures: what came in and stayed, by class, source and task, its scores, weights and the cost of judging."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.report.funnel import Funnel, funnel
from curate.report.histogram import CLASS_ORDER, Histogram, hist
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import polars as pl

# More parts of one kind are added up in a last one.
MOST = 40
LARGEST = 5


@dataclass(frozen=True)
class Part:
    """What the stages say of one class, source or task.

    Attributes:
        name: `unknown` for null.
        conversations: Those that have one of its responses; of a source or task, all of them.
        responses: How many.
        flagged: Conversations that a cleaning rule flagged; null = not cleaned.
        duplicates: Conversations that go for another; null = not searched.
        scored: Responses with a reward.
        reward: Mean of the rewards; null = there is none.
    """

    name: str
    conversations: int
    responses: int
    flagged: int | None
    duplicates: int | None
    scored: int
    reward: float | None


@dataclass(frozen=True)
class Duplicates:
    """Conversations that go for another.

    Attributes:
        removed: How many.
        kinds: The same by kind.
        clusters: Groups of linked conversations that lose one.
        largest: Removed conversations of the largest such groups, by the group's smallest key, most first.
    """

    removed: int
    kinds: dict[str, int]
    clusters: int
    largest: dict[int, int]


@dataclass(frozen=True)
class ClassWeight:
    """Trained responses of a class, the mean of their weights, and their share of the sum of all weights, 0 to 1."""

    responses: int
    mean: float
    share: float


@dataclass(frozen=True)
class Weights:
    """The last export's weights.

    Attributes:
        format: Of the export.
        weighting: coarse, judge, mixed or local.
        responses: Trained responses.
        effective_sample_size: (Σw)²/Σw² over them.
        tokens: Trained tokens; null = nothing was tokenised.
        classes: By class.
        conditions: Trained responses by condition.
        stale: Whether what it read has changed since.
    """

    format: str
    weighting: str
    responses: int
    effective_sample_size: float
    tokens: int | None
    classes: dict[str, ClassWeight]
    conditions: dict[str, int]
    stale: bool


@dataclass(frozen=True)
class Judging:
    """What the judge was asked, and what that takes.

    Attributes:
        judge: Its name; `local` for the embedded one, which costs nothing.
        rubric: name@version.
        answers: Answers in the store, of every judge that was ever asked.
        tokens_in: Prompt tokens of these answers.
        tokens_out: Reply tokens of them.
        cost: Dollars by the list price of OpenAI's models; null = a model among them has no such price.
        source: Where the price is from; empty = there is none.
        statuses: Responses by status.
    """

    judge: str
    rubric: str
    answers: int
    tokens_in: int
    tokens_out: int
    cost: float | None
    source: str
    statuses: dict[str, int]


@dataclass(frozen=True)
class Summary:
    """A run in figures; what no stage has made yet is null.

    Attributes:
        workspace: Its folder.
        funnel: From records to rows.
        classes: gpt-4, gpt-3.5 and human first, then by responses; `unknown` last.
        sources: By responses, most first.
        tasks: By responses, most first.
        rewards: Histogram of the rewards by class.
    """

    workspace: str
    funnel: Funnel
    classes: tuple[Part, ...]
    sources: tuple[Part, ...]
    tasks: tuple[Part, ...]
    duplicates: Duplicates | None
    rewards: Histogram | None
    weights: Weights | None
    judging: Judging | None


def summary(workspace: str | Path) -> Summary:
    """The figures of a workspace, read a shard at a time.

    Raises:
        WorkspaceError: Not a workspace, its ingest was interrupted, or a shard is damaged.
    """
    ws = Workspace(workspace)
    steps = funnel(workspace)
    parts = {name: Parts() for name in ("class", "source", "task")}
    for index in ws.shards("conversations"):
        rows = read(ws, index)
        for name, found in parts.items():
            found.add(rows if name != "class" else rows.drop_nulls("turn"), name)
    stages = ws.manifest.get("stages", {})
    scored = complete(ws, "scores") and complete(ws, "labels")
    return Summary(
        workspace=str(workspace),
        funnel=steps,
        classes=tuple(sorted(parts["class"].all(), key=_class_place)),
        sources=tuple(parts["source"].all()),
        tasks=tuple(parts["task"].all()),
        duplicates=_duplicates(ws, stages) if complete(ws, "duplicates") else None,
        rewards=hist(workspace) if scored else None,
        weights=_weights(stages["export"], steps) if "export" in stages else None,
        judging=_judging(ws, stages["score"]) if "score" in stages else None,
    )


def is_current(ws: Workspace, table: str, index: int) -> bool:
    """Whether a shard is there and was made from the conversations that are there now."""
    stamp = ws.stamp(table, index)
    return bool(stamp) and stamp.get("of") == ws.stamp("conversations", index).get("fingerprint")


def complete(ws: Workspace, table: str) -> bool:
    """Whether every shard of a table is there and up to date."""
    shards = ws.shards("conversations")
    return bool(shards) and ws.has(table) and all(is_current(ws, table, index) for index in shards)


def read(ws: Workspace, index: int) -> pl.DataFrame:
    """A row per response of a shard, and one with a null `turn` per conversation without; no text is read.

    Returns:
        `key`, `content_hash`, `turn`, `source`, `task`, `class`, `reward`, `score`, `status`, `rationale`, `flags`
        (null = not cleaned), `duplicate` (null = not searched): null where no stage has said anything.
    """
    import polars as pl

    from curate.responses import messages

    columns = ["key", "content_hash", "source", "task"]
    rows = ws.read("conversations", index, columns)
    for table, columns, select in (
        ("flags", ["key", "rules"], {"flags": pl.col("rules")}),
        ("duplicates", ["key", "removed_by"], {"duplicate": pl.col("removed_by").is_not_null()}),
        ("tasks", ["key", "task"], {"task": pl.col("task")}),
    ):
        if is_current(ws, table, index):
            other = ws.read(table, index, columns).select("key", **select)
            rows = rows.drop(set(select) & set(rows.columns)).join(other, on="key", how="left", maintain_order="left")
    if is_current(ws, "labels", index):
        responses = ws.read("labels", index, ["key", "turn", "class"])
    else:
        turns = messages(ws.read("conversations", index, ["key", "messages"]))
        responses = turns.filter(pl.col("role") == "assistant").select("key", "turn")
    if is_current(ws, "scores", index):
        columns = ["key", "turn", "reward", "score", "status", "rationale"]
        scores = ws.read("scores", index, columns)
        responses = responses.join(scores, on=["key", "turn"], how="left", maintain_order="left")
    rows = rows.join(responses, on="key", how="left", maintain_order="left")
    nothing = {
        "class": pl.String(),
        "reward": pl.Float32(),
        "score": pl.Float32(),
        "status": pl.String(),
        "rationale": pl.String(),
        "flags": pl.List(pl.String()),
        "duplicate": pl.Boolean(),
    }
    return rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in nothing.items() if name not in rows)


class Parts:
    """Sums by name, shard by shard."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * 6)
        self._known = {"flagged": False, "duplicates": False}

    def add(self, rows: pl.DataFrame, name: str) -> None:
        """Count the rows of a shard by a column."""
        import polars as pl

        key, reward = pl.col("key"), pl.col("reward").cast(pl.Float64)
        sums = rows.group_by(pl.col(name).fill_null("unknown").alias("name")).agg(
            conversations=key.n_unique(),
            responses=pl.col("turn").count(),
            flagged=key.filter(pl.col("flags").list.len() > 0).n_unique(),
            duplicates=key.filter(pl.col("duplicate")).n_unique(),
            scored=reward.count(),
            reward=reward.sum(),
        )
        for part, *figures in sums.iter_rows():
            self._sums[part] = [a + b for a, b in zip(self._sums[part], figures, strict=True)]
        self._known["flagged"] |= rows["flags"].is_not_null().any()
        self._known["duplicates"] |= rows["duplicate"].is_not_null().any()

    def all(self) -> list[Part]:
        """By responses, most first; what is beyond `MOST` is added up."""
        order = sorted(self._sums.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))
        if len(order) > MOST:
            rest = [sum(column) for column in zip(*(sums for _, sums in order[MOST - 1 :]), strict=True)]
            order = [*order[: MOST - 1], (f"{len(order) - MOST + 1} others", rest)]
        return [self._part(name, sums) for name, sums in order]

    def _part(self, name: str, sums: Iterable[float]) -> Part:
        conversations, responses, flagged, duplicates, scored, reward = sums
        return Part(
            name,
            int(conversations),
            int(responses),
            int(flagged) if self._known["flagged"] else None,
            int(duplicates) if self._known["duplicates"] else None,
            int(scored),
            reward / scored if scored else None,
        )


def _class_place(part: Part) -> tuple[bool, int, int]:
    known = CLASS_ORDER.index(part.name) if part.name in CLASS_ORDER else len(CLASS_ORDER)
    return part.name == "unknown", known, -part.responses


def _duplicates(ws: Workspace, stages: dict[str, Any]) -> Duplicates:
    import polars as pl

    removed = ws.scan("duplicates").filter(pl.col("removed_by").is_not_null())
    kinds = removed.group_by("kind").len().collect(engine="streaming").iter_rows()
    sizes = (
        removed.group_by("cluster").len().collect(engine="streaming").sort("len", "cluster", descending=[True, False])
    )
    by_kind = Counter({str(kind): int(count) for kind, count in kinds})
    largest = {int(key): int(count) for key, count in sizes.head(LARGEST).iter_rows()}
    return Duplicates(by_kind.total(), dict(by_kind.most_common()), sizes.height, largest)


def _weights(entry: dict[str, Any], steps: Funnel) -> Weights:
    counts = entry["counts"]
    total = sum(found["sum"] for found in counts["classes"].values())
    return Weights(
        format=entry["format"],
        weighting=entry["policy"]["weighting"],
        responses=counts["responses"],
        effective_sample_size=counts["effective_sample_size"],
        tokens=counts["supervised_tokens"],
        classes={
            name: ClassWeight(found["responses"], found["mean"], found["sum"] / total if total else 0.0)
            for name, found in counts["classes"].items()
        },
        conditions=counts["conditions"],
        stale=any(step.stale for step in steps.steps if step.stage == "export"),
    )


def _judging(ws: Workspace, entry: dict[str, Any]) -> Judging:
    from curate.judge import store
    from curate.reward import LOCAL_JUDGE

    cost: float | None = 0.0
    answers, tokens_in, tokens_out, source = 0, 0, 0, ""
    for model, api, count, read, written in store.spent(ws.path / store.FILE):
        answers, tokens_in, tokens_out = answers + count, tokens_in + read, tokens_out + written
        price = _list_price(model, api)
        source = price.source if price else source
        if cost is not None:
            cost = cost + (read * price.tokens_in + written * price.tokens_out) / 1e6 if price else None
    statuses = {name: int(count) for name, count in entry["statuses"].items() if count}
    free = entry["judge"] == LOCAL_JUDGE and not answers
    return Judging(
        entry["judge"], entry["rubric"], answers, tokens_in, tokens_out, 0.0 if free else cost, source, statuses
    )


def _list_price(model: str, api: str) -> Any:
    from curate.judge import prices

    price = prices.of(model, None)
    return price.half() if price and api == "batch" else price
