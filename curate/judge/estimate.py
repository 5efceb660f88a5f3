"""What a run would take: the calls that are missing, their real lengths, their price."""

from __future__ import annotations

from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING

from curate.judge import prices
from curate.judge.cost import EXPECTED_REPLY, SECONDS_PER_CALL, Estimate, money
from curate.judge.store import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence
    from pathlib import Path

    from curate.judge.call import Call
    from curate.judge.plan import Plan
    from curate.judge.prices import Price

HOSTED_REPLY = 4_000  # reasoning that api.openai.com may bill on top of a reply


def estimate(
    plans: Sequence[Plan],
    have: Container[str],
    price_of: Callable[[Plan], Price | None],
    concurrency: int,
    store: Path,
    *,
    hosted: bool,
) -> Estimate:
    """What the missing judgements of these judges will take; nothing is sent.

    Args:
        plans: One per judge.
        have: Ids that are graded, or set aside.
        price_of: The price of a judge; None = not known.
        concurrency: Calls in flight.
        store: Path of the store, for how long earlier calls took.
        hosted: Whether replies may carry reasoning that is billed.
    """
    calls = tokens_in = tokens_out = 0
    cost: float | None = 0.0
    most: float | None = 0.0
    responses: set[str] = set()
    cached: set[str] = set()
    rubrics: Counter[str] = Counter()
    sources: list[str] = []
    for plan in plans:
        price = price_of(plan)
        sources += [price.source] if price and price.source else []
        own_in = own_out = own_most = 0
        for shard in plan.ws.shards("conversations"):
            cached.update(i for item in plan.items(shard) for i in item.wanted if i in have)
            for call in _fresh(plan, shard, have, responses):
                calls += 1
                own_in += call.tokens_in
                own_out += EXPECTED_REPLY * len(call.slots)
                own_most += call.reply_tokens + (HOSTED_REPLY if hosted else 0)
                if call.rubric:
                    rubrics[call.rubric.title] += len(call.slots)
        tokens_in += own_in
        tokens_out += own_out
        pair = None if price is None else (price.tokens_in, price.tokens_out)
        cost = _add(cost, money(pair, own_in, own_out))
        most = _add(most, money(pair, own_in, own_most))
    each = fmean(known) if (known := seconds(store)) else SECONDS_PER_CALL
    time = calls * each / concurrency
    source = ", ".join(dict.fromkeys(sources))
    return Estimate(
        calls, len(responses), len(cached), tokens_in, tokens_out, cost, most, time, source, dict(rubrics)
    )


def price_of(model: str, base_url: str | None, given: tuple[float, float] | None, *, free: bool) -> Price | None:
    """What a judge costs: as given, nothing for a server of one's own, or by the list; None = not known."""
    if given is not None:
        return prices.Price(float(given[0]), float(given[1]), "as given")
    return prices.Price(0.0, 0.0, "") if free else prices.of(model, base_url)


def _fresh(plan: Plan, shard: int, have: Container[str], seen: set[str]) -> list[Call]:
    """The calls of a shard for what no call before asks for."""
    fresh = [call for call in plan.calls(shard, _Either(have, seen))]
    for call in fresh:
        seen.update(call.slots)
    return fresh


class _Either:
    """Membership in one of two."""

    def __init__(self, first: Container[str], second: Container[str]) -> None:
        self._both = (first, second)

    def __contains__(self, item: object) -> bool:
        return any(item in one for one in self._both)


def _add(total: float | None, more: float | None) -> float | None:
    return None if total is None or more is None else total + more
