"""What a run would take: the calls that are missing, their real lengths, their price."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from curate.judge import backends, decisions, prices, probe, view
from curate.judge.chat import REASONING_TOKENS
from curate.judge.cost import EXPECTED_REPLY, SECONDS_PER_CALL, Estimate, money
from curate.judge.store import seconds

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence
    from pathlib import Path

    from curate.judge.call import Call
    from curate.judge.plan import Plan, Who
    from curate.judge.prices import Price
    from curate.judge.tariff import Tariff

EXPECTED_REFERENCE = 300  # tokens
REFERENCE_BYTES = 4 * view.MOST_PROMPT  # the most of a reference that a judge is shown


@dataclass
class _Bill:
    """What calls add up to."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0
    most: float | None = 0.0
    sources: list[str] = field(default_factory=list)

    def add(self, price: Price | None, expected: tuple[int, int], most: tuple[int, int], *, calls: int = 1) -> None:
        """One more: its expected and its largest counts of tokens; calls that are only possible expect none."""
        pair = None if price is None else (price.tokens_in, price.tokens_out)
        self.calls += calls
        self.tokens_in += expected[0]
        self.tokens_out += expected[1]
        self.cost = _add(self.cost, money(pair, *expected))
        self.most = _add(self.most, money(pair, *most))
        if price is not None and price.source and price.source not in self.sources:
            self.sources.append(price.source)


def estimate(
    plans: Sequence[Plan],
    have: Container[str],
    tariff: Tariff,
    concurrency: int,
    store: Path,
    *,
    hosted: bool,
    maybe: Sequence[Plan] = (),
) -> Estimate:
    """What the missing judgements of these judges will take; nothing is sent.

    Args:
        plans: What is asked for in any case, one or more per judge, with the reference answers that there are.
        have: Ids that are graded, set aside, or on their way.
        tariff: The price of every judge.
        concurrency: Calls in flight.
        store: Path of the store, for how long earlier calls took, and what is known of the servers.
        hosted: Whether replies may carry reasoning that is billed.
        maybe: What may be asked for besides: more repeats, a stronger judge. It counts for the most alone.
    """
    bill, reasoning = _Bill(), REASONING_TOKENS if hosted else 0
    responses: set[str] = set()
    cached: set[str] = set()
    rubrics: Counter[str] = Counter()
    asked: dict[Who, int] = {}
    awaited = {i: call for call in _reference_calls(plans[0], have) for i in call.slots}
    for call in awaited.values():
        helper = plans[0].helper or plans[0].who
        asked[helper] = plans[0].context
        most = (call.most_in, call.reply_tokens + reasoning)
        bill.add(tariff.of(helper, single=True), (call.tokens_in, EXPECTED_REFERENCE), most)
    for number, plan in enumerate((*plans, *maybe)):
        price = tariff.of(plan.who)
        sure = number < len(plans)
        for shard in plan.ws.shards("conversations"):
            items = list(plan.items(shard))
            late = {i for item in items if item.reference in awaited for i in item.wanted}
            if sure:
                cached.update(i for item in items for i in item.wanted if i in have and i not in late)
            for call in _fresh(plan, shard, _Without(have, late), responses if sure else set()):
                asked[plan.who] = plan.context
                unseen = sum(i in late for i in call.slots)
                most_in = decisions.most_in(call) if plan.who.api == "decisions" else call.most_in
                most = (most_in + unseen * REFERENCE_BYTES, call.reply_tokens + reasoning)
                if not sure:
                    bill.add(price, (0, 0), most, calls=0)
                    continue
                expected_in = call.tokens_in + unseen * EXPECTED_REFERENCE
                bill.add(price, (expected_in, EXPECTED_REPLY * len(call.slots)), most)
                if call.rubric:
                    rubrics[call.rubric.title] += len(call.slots)
    for who, context in asked.items():
        if who.api == "chat" and backends.abilities(who, store, context) is None:
            _add_probe(bill, tariff.of(who, single=True), context, reasoning)
    each = fmean(known) if (known := seconds(store)) else SECONDS_PER_CALL
    time = bill.calls * each / concurrency
    counts = (bill.calls, len(responses), len(cached), bill.tokens_in, bill.tokens_out)
    return Estimate(*counts, bill.cost, bill.most, time, ", ".join(bill.sources), dict(rubrics))


def price_of(model: str, base_url: str | None, given: tuple[float, float] | None, *, free: bool) -> Price | None:
    """What a judge costs: as given, nothing for a server of one's own, or by the list; None = not known."""
    if given is not None:
        return prices.Price(float(given[0]), float(given[1]), "as given")
    return prices.Price(0.0, 0.0, "") if free else prices.of(model, base_url)


def _reference_calls(plan: Plan, have: Container[str]) -> Iterator[Call]:
    """The calls for reference answers that are missing, each once."""
    if plan.references is None:
        return
    seen: set[str] = set()
    for shard in plan.ws.shards("conversations"):
        for call in plan.reference_calls(shard, have):
            if not seen.issuperset(call.slots):
                seen.update(call.slots)
                yield call


def _fresh(plan: Plan, shard: int, have: Container[str], seen: set[str]) -> Iterable[Call]:
    """The calls of a shard for what no call before asks for."""
    fresh = list(plan.calls(shard, _Either(have, seen)))
    for call in fresh:
        seen.update(call.slots)
    return fresh


def _add_probe(bill: _Bill, price: Price | None, context: int, reasoning: int) -> None:
    """The questions that find out what a server does: as many as a good one is asked, and as a bad one is."""
    questions = probe.most(context)
    expected = questions[-probe.EXPECTED :]
    tokens_in = sum(call.tokens_in for call in expected[:-1]) + int(context * probe.SHARE)
    tokens_out = sum(call.reply_tokens for call in expected)
    most_in = sum(call.most_in for call in questions)
    most_out = sum(call.reply_tokens + reasoning for call in questions)
    bill.add(price, (tokens_in, tokens_out), (most_in, most_out), calls=0)


class _Either:
    """Membership in one of two."""

    def __init__(self, first: Container[str], second: Container[str]) -> None:
        self._both = (first, second)

    def __contains__(self, item: object) -> bool:
        return any(item in one for one in self._both)


class _Without:
    """Membership in one and not in the other."""

    def __init__(self, first: Container[str], second: Container[str]) -> None:
        self._both = (first, second)

    def __contains__(self, item: object) -> bool:
        return item in self._both[0] and item not in self._both[1]


def _add(total: float | None, more: float | None) -> float | None:
    return None if total is None or more is None else total + more
