"""Judge a workspace with a model: plan, estimate, ask for what is not stored, escalate, write the table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError, JudgeError, PartlyDoneError
from curate.judge import ahead, backends, batch, choose, prompt
from curate.judge.address import OPENAI, address, is_local
from curate.judge.buying import buy
from curate.judge.cost import Budget, Estimate
from curate.judge.plan import Plan
from curate.judge.result import ScoreResult
from curate.judge.sample import sample
from curate.judge.schedule import Outcome
from curate.judge.store import FILE, Answers, Store, known, quarantined, receipts, usage
from curate.judge.tariff import Tariff
from curate.judge.writing import Scores, unread, write

if TYPE_CHECKING:
    from curate.console import Talk
    from curate.judge.request import Request
    from curate.workspace import Workspace

OFFLINE = "not in the store, and nothing was sent (--offline)"


@dataclass
class Job:
    """What one run has to remember between its steps."""

    ws: Workspace
    talk: Talk
    request: Request
    base_url: str | None
    store: Store
    budget: Budget
    tariff: Tariff
    outcome: Outcome = field(default_factory=Outcome)

    def buy(self, plan: Plan, expected: int, *, references: bool = False) -> None:
        """Ask for what is missing, and count what it cost against the cap."""
        who = (plan.helper or plan.who) if references else plan.who
        budget = self.budget.at(self.tariff.pair(who, single=references))
        have = set(known(self.store.path)) | set(quarantined(self.store.path))
        if self.request.retry:
            have -= unread(Scores([plan], self.store, known(self.store.path), {})) if not references else set()
        if self.request.backend == "batch" and not references:
            probing, wait = self.budget.at(self.tariff.pair(who, single=True)), self.request.wait
            outcome, talk = self.outcome, self.talk
            batch.buy(plan, self.base_url, have, self.store, budget, outcome, talk, probing=probing, wait=wait)
            return
        buy(
            plan,
            self.base_url,
            have,
            self.store,
            budget,
            self.outcome,
            self.talk,
            concurrency=self.request.concurrency,
            expected=expected,
            references=references,
        )


def run(ws: Workspace, talk: Talk, request: Request) -> ScoreResult:
    """Judge the workspace; see `curate.judge.score`."""
    base_url = address(request.base_url)
    path = ws.path / FILE
    stored = Answers(path)
    plans = [ahead.with_references(plan, stored) for plan in _plans(ws, request, base_url)]
    free = all(plan.who.server == "here" for plan in plans) or is_local(base_url or OPENAI)
    helpers = [backends.who(request, name, base_url) for name in (request.escalate, request.references) if name]
    tariff = Tariff(request, [*(plan.who for plan in plans), *helpers], base_url, free=free)
    expected = ahead.expected(request, plans, tariff, stored, base_url)
    if not request.offline:
        talk.say(f"{_names(request)}: {expected}{_more(request, expected)}")
    if request.dry_run:
        return ScoreResult(_names(request), request.rubric, cached=expected.cached, estimate=expected)
    if expected.calls and not request.offline and request.max_cost is None and not tariff.nothing:
        _confirmed(request, expected)
    with Store(path) as store:
        if store.moved:
            what = f"{store.moved:,} answers of an earlier curate answer another question"
            talk.warn(f"{what}; they stay in `judgements_1`, and no grade is read from them")
        return _judged(Job(ws, talk, request, base_url, store, Budget(request.max_cost), tariff), plans, expected)


def _judged(job: Job, plans: list[Plan], expected: Estimate) -> ScoreResult:
    store, request = job.store, job.request
    before = usage(store.path)
    lost = _account_for_lost(job)
    escalated: Plan | None = None
    stopped: JudgeError | None = None
    try:
        if not request.offline:
            plans, escalated = _bought(job, plans, expected)
    except JudgeError as error:
        if len(usage(store.path)) == len(before):
            raise
        stopped = error
    if request.offline:
        escalated = _escalated(job, plans)
    places = known(store.path)
    found = Scores(plans, store, places, _why(job, plans, stopped), escalated)
    statuses, aspects = write(found)
    after = usage(store.path)
    fresh = receipts(store.path, before)
    _record(job, found, statuses, aspects, after)
    if stopped is not None:
        hint = "; ".join([*([stopped.hint] if stopped.hint else []), "the same command resumes: none is bought again"])
        raise PartlyDoneError(
            f"{stopped.what}; {len(fresh):,} answers are stored", where=stopped.where, hint=hint
        ) from stopped
    cost = job.tariff.cost(fresh)
    result = ScoreResult(
        found.judge,
        found.rubric,
        statuses,
        calls=len(fresh),
        cached=expected.cached,
        lost=lost,
        tokens_in=sum(one.tokens_in or 0 for one in fresh),
        tokens_out=sum(one.tokens_out or 0 for one in fresh),
        cost=None if cost is None else cost + job.budget.probing,
    )
    _raise_if_partial(job, result)
    return result


def _plans(ws: Workspace, request: Request, base_url: str | None) -> list[Plan]:
    """One per judge."""
    chooser = choose.chooser(request.rubric)
    judges = [backends.who(request, name, base_url) for name in (request.judge, *request.panel)]
    for judge in judges:
        backends.check(judge, chooser, base_url)
    chosen = sample(ws, request.limit, request.seed, share=request.share, where=request.where)
    helper = backends.who(request, request.references, base_url) if request.references else None
    if helper and helper.api != "chat":
        what = f"`{helper.model}` writes no reference answers: it is asked through the backend `{helper.api}`"
        raise CurateError(what, where="--references", hint="name a chat model, with --backend chat or batch")
    references: dict[str, str] | None = {} if helper else None
    first = Plan(ws, judges[0], chooser, chosen, request.context, request.repeats, references, helper)
    return [first.of(judge) for judge in judges]


def _bought(job: Job, plans: list[Plan], expected: Estimate) -> tuple[list[Plan], Plan | None]:
    """Everything that is missing: references, then each judge's grades, then the stronger judge's."""
    request = job.request
    if not (expected.calls or (request.backend == "batch" and batch.waiting(job.store.path))):
        return plans, _escalated(job, plans)
    if request.retry:
        job.store.release()
        plans = [replace(plan, solo=True, again=str(len(usage(job.store.path)))) for plan in plans]
    if request.references:
        job.buy(plans[0], expected.responses, references=True)
        if failed := len(job.outcome.failed):
            job.talk.warn(f"{failed:,} reference answers could not be had: what they are for is judged without")
        job.outcome.failed.clear()
        plans = [ahead.with_references(plan, job.store) for plan in plans]
    for plan in plans:
        job.buy(ahead.first(plan, request), expected.responses)
        _settle(job, plan)
    escalated = _escalated(job, plans)
    if escalated is not None and escalated.chosen:
        job.buy(escalated, len(escalated.chosen))
    return plans, escalated


def _settle(job: Job, plan: Plan) -> None:
    """Answers one by one, for those that need them; it ends when a round brought nothing."""
    answers = -1
    while len(have := known(job.store.path)) > answers and (more := ahead.repeats(plan, job.request, job.store)):
        answers = len(have)
        for one in more:
            job.buy(one, len(one.chosen or ()))


def _escalated(job: Job, plans: list[Plan]) -> Plan | None:
    """The plan of the stronger judge for what the others are not sure of; None = nobody is asked again."""
    if job.request.escalate is None:
        return None
    strong = backends.who(job.request, job.request.escalate, job.base_url)
    return ahead.escalation(plans, job.store, strong)


def _account_for_lost(job: Job) -> int:
    """Calls that a crash cut off may have been billed: their worst case counts against the cap."""
    count, worst = job.store.lost(job.tariff.dearest)
    if count:
        job.budget.book(worst)
        job.talk.warn(f"{count:,} calls were cut off by a crash and may have been billed, up to ${worst:,.2f}")
    return count


def _confirmed(request: Request, expected: Estimate) -> None:
    if request.confirm is None or not request.confirm(expected):
        raise CurateError(
            f"this judge costs money and was not confirmed: {expected}",
            hint="confirm on a terminal, or give --max-cost DOLLARS (and --price IN,OUT where the list has none; 0,0 "
            "for a server of your own); --dry-run only estimates",
        )


def _why(job: Job, plans: list[Plan], stopped: JudgeError | None) -> dict[str, str]:
    """Why ids have no grade."""
    outcome = job.outcome
    why: dict[str, str] = {}
    if job.request.offline or stopped:
        reason = OFFLINE if job.request.offline else f"not asked: {stopped.what if stopped else ''}"
        shards = job.ws.shards("conversations")
        why = {i: reason for plan in plans for shard in shards for item in plan.items(shard) for i in item.wanted}
    why |= {i: f"rejected, set aside: {reason}" for i, reason in quarantined(job.store.path).items()}
    why |= dict.fromkeys(outcome.unsent, "not sent: the cap on cost was reached")
    return why | outcome.failed


def _record(
    job: Job,
    found: Scores,
    statuses: dict[str, int],
    aspects: dict[str, int],
    after: dict[str, tuple[int | None, int | None]],
) -> None:
    request = job.request
    tokens = [sum(pair[side] or 0 for pair in after.values()) for side in (0, 1)]
    entry: dict[str, Any] = {"judge": found.judge, "rubric": found.rubric}
    entry |= {"rubrics": {title: r.policy for title, r in found.plans[0].chooser.rubrics.items()}}
    entry |= {"prompt": prompt.VERSION, "limit": request.limit, "sample": request.share, "where": request.where}
    entry |= {"seed": request.seed, "repeats": request.repeats, "settle": request.settle}
    entry |= {"references": request.references}
    entry |= {"statuses": statuses, "graded": aspects, "judgements": len(after)}
    job.ws.record("score", {**entry, "tokens_in": tokens[0], "tokens_out": tokens[1]})


def _raise_if_partial(job: Job, result: ScoreResult) -> None:
    """A run that leaves responses unscored does not end as if it were done."""
    outcome, statuses = job.outcome, result.statuses
    if outcome.unsent:
        raise PartlyDoneError(
            f"the cap on cost was reached: {len(outcome.unsent):,} judgements were not bought",
            hint="run the same command with a higher --max-cost; what is stored is not bought again",
        )
    if not any(statuses[name] for name in ("failed", "unparsed", "refused")):
        return
    scan = job.ws.scan("scores").select("status", "rationale").collect()
    lost = scan.filter(scan["status"].is_in(["failed", "unparsed", "refused"]))
    reason, often = Counter(lost["rationale"].to_list()).most_common(1)[0]
    aside = len(lost.filter(lost["rationale"].str.starts_with("rejected, set aside") | (lost["status"] != "failed")))
    hint = "run the same command again: only these are sent"
    if job.request.offline:
        hint = "run the same command without --offline: only these are sent"
    elif aside:
        hint = f"run the same command with --retry to ask again for the {aside:,} that are set aside or unreadable"
    what = f"{len(lost):,} responses could not be judged; most often ({often:,}): {reason}"
    raise PartlyDoneError(what, hint=hint, result=result if aside == len(lost) else None)


def _names(request: Request) -> str:
    names = "+".join((request.judge, *request.panel))
    return f"{names} > {request.escalate}" if request.escalate else names


def _more(request: Request, expected: Estimate) -> str:
    """What an estimate cannot know."""
    return f"; besides: the doubtful again by {request.escalate}" if request.escalate and expected.calls else ""
