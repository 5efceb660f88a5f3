"""What is still to be asked, by what is stored now: references, grades, more repeats, a stronger judge.

A run like one that has ended before finds nothing here, and costs nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from curate.judge import backends, batch
from curate.judge.estimate import estimate
from curate.judge.settle import unsettled
from curate.judge.store import known, quarantined
from curate.judge.writing import Scores, doubtful, unread

if TYPE_CHECKING:
    from curate.judge.cost import Estimate
    from curate.judge.plan import Plan, Who
    from curate.judge.request import Request
    from curate.judge.store import Answers
    from curate.judge.tariff import Tariff


def expected(
    request: Request, plans: list[Plan], tariff: Tariff, stored: Answers, base_url: str | None
) -> Estimate:
    """What is missing by what is stored now: nothing, when a run like this one has ended before."""
    path = stored.path
    places = known(path)
    have = set(places) | set(quarantined(path))
    if request.retry:
        have -= set(quarantined(path)) | unread(Scores(plans, stored, places, {}))
    if request.backend == "batch":
        have |= set(batch.waiting(path))
    strong = backends.who(request, request.escalate, base_url) if request.escalate else None
    maybe = [*(plans if request.settle else []), *([replace(plans[0].of(strong), repeats=1)] if strong else [])]
    sure = [first(plan, request) for plan in plans]

    def expect() -> Estimate:
        hosted = base_url is None
        return estimate(sure, have, tariff, request.concurrency, path, hosted=hosted, maybe=maybe)

    found = expect()
    # Once every judge has spoken it is known who needs another answer, and then which responses are doubtful.
    if not found.calls and request.settle:
        sure += [one for plan in plans for one in repeats(plan, request, stored)]
        found = expect()
    if not found.calls and strong:
        sure.append(escalation(plans, stored, strong))
        if request.retry:
            have -= unread(Scores([sure[-1]], stored, places, {}))
        found = expect()
    return found


def first(plan: Plan, request: Request) -> Plan:
    """What is asked of a judge in any case."""
    return replace(plan, repeats=1) if request.settle else plan


def repeats(plan: Plan, request: Request, stored: Answers) -> list[Plan]:
    """One more answer for every response whose mean is not yet known well enough, by how many they have."""
    if request.settle is None:
        return []
    wanting = unsettled(Scores([plan], stored, known(stored.path), {}), request.settle, request.repeats)
    counts = sorted(set(wanting.values()))
    return [
        replace(plan, repeats=count + 1, chosen={place for place, asked in wanting.items() if asked == count})
        for count in counts
    ]


def escalation(plans: list[Plan], stored: Answers, strong: Who) -> Plan:
    """The plan of the stronger judge for what the others are not sure of."""
    found = Scores(plans, stored, known(stored.path), {})
    return replace(plans[0].of(strong, doubtful(found)), repeats=1)


def with_references(plan: Plan, stored: Answers) -> Plan:
    """The plan with the reference answers that are stored."""
    if plan.references is None:
        return plan
    places = known(stored.path)
    wanted = {
        item.reference: places[item.reference].call
        for shard in plan.ws.shards("conversations")
        for item in plan.items(shard)
        if item.reference is not None and item.reference in places
    }
    answers = stored.read(set(wanted.values()))
    texts = {i: answers[call].content for i, call in wanted.items() if call in answers}
    return replace(plan, references={i: text for i, text in texts.items() if text and text.strip()})
