"""Getting the judgements that are missing: each once, and none that the store has."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from curate.judge import backends
from curate.judge.schedule import Outcome, Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curate.console import Talk
    from curate.judge.call import Call
    from curate.judge.cost import Budget
    from curate.judge.plan import Plan
    from curate.judge.store import Store

def buy(
    plan: Plan,
    base_url: str | None,
    have: set[str],
    store: Store,
    budget: Budget,
    outcome: Outcome,
    talk: Talk,
    *,
    concurrency: int,
    expected: int,
    references: bool = False,
) -> None:
    """Ask the judge of a plan for everything that is not there.

    Args:
        plan: What is asked of whom.
        base_url: Where.
        have: Ids that are graded or set aside; those that are asked for now are added.
        store: Where answers go.
        budget: Money, with the judge's price set.
        outcome: What came of it is added here.
        talk: For progress.
        concurrency: Most calls in flight.
        expected: Responses to grade, for the progress bar.
        references: Ask for reference answers instead of grades.

    Raises:
        JudgeError: The endpoint cannot work; what was received is stored.
    """

    async def run() -> None:
        judge = plan.helper or plan.who if references else plan.who
        async with backends.opened(judge, base_url, store, talk, plan.context, budget) as (backend, context):
            fitted = replace(plan, context=context)
            with talk.progress("references" if references else "score", expected, "responses") as advance:
                scheduler = Scheduler(backend, concurrency, budget, store, advance, outcome)
                await scheduler.run(calls(fitted))

    def calls(fitted: Plan) -> Iterator[Call]:
        for shard in fitted.ws.shards("conversations"):
            made = fitted.reference_calls(shard, have) if references else fitted.calls(shard, have)
            for call in made:
                if missing := {i: slot for i, slot in call.slots.items() if i not in have}:
                    have.update(missing)
                    yield call

    asyncio.run(run())
