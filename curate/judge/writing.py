"""The table `scores` from what the store holds: made again only when a verdict has changed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.judge import calibration, parse, verdict
from curate.judge.percentile import Ranks
from curate.judge.sample import inputs, kept_conversations
from curate.judge.table import VERDICT, count, scores
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from curate.judge.plan import Item, Plan
    from curate.judge.store import Answers, Place
    from curate.judge.verdict import Verdict

Rows = list[tuple["Item", "Verdict"]]


@dataclass
class Scores:
    """The verdicts of a run.

    Attributes:
        plans: One per judge of the panel.
        escalated: The plan of the stronger judge, for the responses it was asked about; None = there is none.
        store: Where the answers are.
        places: Where the grade of each id stands.
        why: Reasons for ids that have no grade.
    """

    plans: Sequence[Plan]
    store: Answers
    places: Mapping[str, Place]
    why: Mapping[str, str]
    escalated: Plan | None = None

    @property
    def judge(self) -> str:
        """Who judged: `a`, `a+b` for a panel, `a > c` with c for the doubtful."""
        names = "+".join(plan.who.model for plan in self.plans)
        return f"{names} > {self.escalated.who.model}" if self.escalated else names

    @property
    def rubric(self) -> str:
        """name@version of the one rubric, or `auto`."""
        one = self.plans[0].chooser.one
        return one.title if one else "auto"

    def of_shard(self, shard: int) -> Rows:
        """The responses of a shard to judge, each with its verdict."""
        judged = [list(self._of_plan(plan, shard)) for plan in self.plans]
        rows = [
            (same[0][0], verdict.panel([found for _, found in same], same[0][0].rubric))
            for same in zip(*judged, strict=True)
        ]
        if self.escalated is None:
            return rows
        strong = {(item.key, item.turn): found for item, found in self._of_plan(self.escalated, shard)}
        return [(item, _escalated(found, strong.get((item.key, item.turn)))) for item, found in rows]

    def _of_plan(self, plan: Plan, shard: int) -> Iterator[tuple[Item, Verdict]]:
        items = list(plan.items(shard))
        judgements = self.store.read(verdict.calls_of(items, self.places))
        for item in items:
            yield item, verdict.of_item(item, self.places, judgements, self.why)


def write(found: Scores) -> tuple[dict[str, int], dict[str, int]]:
    """Make the table; counts by status and by criterion."""
    plan = found.plans[0]
    ws, shards = plan.ws, plan.ws.shards("conversations")
    rewards: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    seen = []
    for shard in shards:
        for item, one in found.of_shard(shard):
            seen.append((item.key, item.turn, item.rubric.policy, asdict(one)))
            if one.reward is not None:
                rewards[_group(item, one)].append(one.reward)
    ranks = Ranks(rewards)
    calibrated = calibration.load(ws, found.judge)

    def table(shard: int) -> pa.Table:
        rows = []
        for item, one in found.of_shard(shard):
            group = _group(item, one)
            row: dict[str, Any] = dict.fromkeys(VERDICT) | {"key": item.key, "turn": item.turn, "status": one.status}
            row |= {"rubric": item.rubric.title, "rationale": one.text, "judgement": one.call, "raised": one.flags}
            row |= {"spread": one.spread, "samples": one.samples, "judged_task": one.task, "score": one.score}
            row["aspects"] = [{"name": name, "score": level} for name, level in one.levels.items()]
            row |= {"raw": one.reward, "percentile": ranks.of(group, one.reward)}
            row["calibrated"] = calibrated.of(one.reward) if calibrated else None
            row["reward"] = row[calibrated.use if calibrated else "raw"]
            rows.append(row)
        conversations = ws.read("conversations", shard, ["key", "messages"])
        kept = kept_conversations(ws, shard)
        return scores(conversations, kept, pl.DataFrame(rows, schema=VERDICT), found.judge, found.rubric)

    options = [found.judge, parse.VERSION, fingerprint(seen), calibrated.fingerprint if calibrated else None]
    # The store is a file that this process has open.
    ws.map("scores", table, inputs=inputs(ws), options=options, here=True)
    return count(ws)


def doubtful(found: Scores) -> set[tuple[int, int]]:
    """`key` and `turn` of the responses that a stronger judge should look at."""
    shards = found.plans[0].ws.shards("conversations")
    return {(item.key, item.turn) for shard in shards for item, one in found.of_shard(shard) if one.doubtful}


def unread(found: Scores) -> set[str]:
    """Ids whose answers are there and hold no grade."""
    ids: set[str] = set()
    for plan in found.plans:
        for shard in plan.ws.shards("conversations"):
            items = list(plan.items(shard))
            judgements = found.store.read(verdict.calls_of(items, found.places))
            for item in items:
                for i in item.wanted:
                    alone = item._replace(ids=(i,), bare=None)
                    if i in found.places:
                        status = verdict.of_item(alone, found.places, judgements, {}).status
                        ids |= {i} if status in ("unparsed", "refused") else set()
    return ids


def _group(item: Item, one: Verdict) -> tuple[str, str | None]:
    """Rewards are comparable within a rubric and a task."""
    return item.rubric.title, item.task or one.task


def _escalated(found: Verdict, strong: Verdict | None) -> Verdict:
    """The stronger judge's verdict where it has one; what the others disagreed by stays."""
    if strong is None or strong.reward is None:
        return found
    return replace(strong, spread=found.spread, samples=found.samples + strong.samples)
