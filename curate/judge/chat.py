"""Judge with a model behind an OpenAI-compatible server: plan, estimate, ask what is not stored, write the table."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from curate.errors import CurateError, JudgeError, PartlyDoneError
from curate.judge import ScoreResult, parse, prompt
from curate.judge import rubric as rubrics
from curate.judge.address import OPENAI, address, identity, is_local
from curate.judge.client import Ask, Client, sampling
from curate.judge.cost import EXPECTED_REPLY, Budget, Estimate, money, tokens_of
from curate.judge.rubric import TOP_LEVEL
from curate.judge.sample import inputs, kept_conversations, sample
from curate.judge.schedule import Outcome, Scheduler
from curate.judge.store import Store, key_of, usage
from curate.judge.table import VERDICT, count, scores
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from curate.console import Talk
    from curate.judge.rubric import Rubric
    from curate.judge.store import Judgement
    from curate.workspace import Workspace

PARSER = 2  # rises when the same reply may be read differently


class Request(NamedTuple):
    """The arguments of `curate.judge.score` that matter here."""

    model: str
    base_url: str | None
    rubric: str
    limit: int | None
    seed: int
    concurrency: int
    max_cost: float | None
    price: tuple[float, float] | None
    dry_run: bool
    confirm: Callable[[Estimate], bool] | None


class Item(NamedTuple):
    """One response to judge, by its place and by what is asked."""

    key: int
    turn: int
    ask: Ask
    partial: bool


class Plan(NamedTuple):
    """What is asked of whom, the same for every response."""

    ws: Workspace
    model: str
    server: str
    rubric: Rubric
    sampling: dict[str, Any]
    chosen: set[tuple[int, int]] | None

    def items(self, shard: int) -> Iterator[Item]:
        """The responses of a shard to judge, in order."""
        rubric = self.rubric.fingerprint
        for key, messages in kept_conversations(self.ws, shard).iter_rows():
            for turn, message in enumerate(messages):
                if message["role"] == "assistant" and (self.chosen is None or (key, turn) in self.chosen):
                    user, partial = prompt.view(messages, turn)
                    judgement = key_of(self.model, self.server, self.sampling, rubric, prompt.VERSION, user)
                    yield Item(key, turn, Ask(judgement, user), partial)


def run(ws: Workspace, talk: Talk, request: Request) -> ScoreResult:
    """Judge the workspace; see `curate.judge.score`."""
    base_url = address(request.base_url)
    model = request.model.removeprefix("openai/") if base_url is None else request.model
    if request.max_cost is not None and request.price is None:
        raise CurateError("`max_cost` needs a price", hint="add --price IN,OUT in dollars per million tokens")
    url, rubric = base_url or OPENAI, rubrics.load(request.rubric)
    plan = Plan(ws, model, identity(url), rubric, sampling(base_url), sample(ws, request.limit, request.seed))
    path = ws.path / "judgements.sqlite"
    free = is_local(url) or request.price == (0, 0)
    price = request.price or ((0.0, 0.0) if free else None)
    before = set(usage(path))
    wanted, estimate = _estimate(plan, before, price)
    talk.say(f"{model}: {estimate}")
    result = ScoreResult(model, plan.rubric.title, cached=estimate.cached, estimate=estimate)
    if request.dry_run:
        return result
    if estimate.calls and request.max_cost is None and not free:
        _confirmed(request, estimate)
    outcome = Outcome()
    try:
        with Store(path) as store:
            if estimate.calls:
                outcome = asyncio.run(_judge(plan, base_url, request, store, talk, estimate.calls))
    except JudgeError as error:
        bought = len(usage(path)) - len(before)
        if not bought:
            raise
        hint = "; ".join([*([error.hint] if error.hint else []), "the same command resumes: none is bought again"])
        raise PartlyDoneError(f"{error.what}; {bought:,} answers are stored", where=error.where, hint=hint) from error
    stored = usage(path)
    absent = {key: _why(key, outcome) for key in wanted if key not in stored}
    statuses, aspects = _write(plan, store, absent, wanted)
    used = [stored[key] for key in set(wanted) if key in stored]
    tokens = [sum(pair[side] or 0 for pair in used) for side in (0, 1)]
    entry: dict[str, Any] = {"judge": model, "rubric": plan.rubric.title, "rubric_hash": plan.rubric.fingerprint}
    entry |= {"prompt": prompt.VERSION, "limit": request.limit, "seed": request.seed}
    entry |= {"statuses": statuses, "graded": aspects}
    ws.record("score", {**entry, "judgements": len(used), "tokens_in": tokens[0], "tokens_out": tokens[1]})
    _raise_if_partial(outcome, absent, statuses)
    return ScoreResult(
        model,
        plan.rubric.title,
        statuses,
        calls=outcome.answered,
        cached=estimate.cached,
        tokens_in=outcome.tokens_in,
        tokens_out=outcome.tokens_out,
        cost=money(price, outcome.tokens_in, outcome.tokens_out),
    )


def _estimate(plan: Plan, stored: set[str], price: tuple[float, float] | None) -> tuple[list[str], Estimate]:
    """The keys wanted, one per response, and what the missing ones will take."""
    wanted, missing, tokens = [], set(), 0
    system_tokens = tokens_of(prompt.system(plan.rubric))
    for shard in plan.ws.shards("conversations"):
        for item in plan.items(shard):
            wanted.append(item.ask.key)
            if item.ask.key not in stored and item.ask.key not in missing:
                missing.add(item.ask.key)
                tokens += tokens_of(item.ask.user) + system_tokens
    replies = EXPECTED_REPLY * len(missing)
    cost = money(price, tokens, replies)
    return wanted, Estimate(len(missing), len(set(wanted) & stored), tokens, replies, cost)


def _confirmed(request: Request, estimate: Estimate) -> None:
    if request.confirm is None or not request.confirm(estimate):
        raise CurateError(
            f"this judge costs money and was not confirmed: {estimate}",
            hint="confirm on a terminal, or give --max-cost DOLLARS and --price IN,OUT (0,0 for a server of your own); "
            "--dry-run only estimates",
        )


async def _judge(plan: Plan, base_url: str | None, request: Request, store: Store, talk: Talk, calls: int) -> Outcome:
    """Ask for every judgement that is not stored, each once."""
    done = set(usage(plan.ws.path / "judgements.sqlite"))

    def asks() -> Iterator[Ask]:
        for shard in plan.ws.shards("conversations"):
            for item in plan.items(shard):
                if item.ask.key not in done:
                    done.add(item.ask.key)
                    yield item.ask

    budget = Budget(request.price, request.max_cost)
    with talk.progress("score", calls, "responses") as advance:
        async with Client(plan.model, base_url, plan.rubric) as client:
            scheduler = Scheduler(client, request.concurrency, budget, store.put, advance)
            await scheduler.run(asks())
    return scheduler.outcome


def _why(key: str, outcome: Outcome) -> str:
    if key in outcome.unsent:
        return "not sent: the cap on cost was reached"
    return outcome.failed.get(key, "its answer is not in the store")


def _write(
    plan: Plan, store: Store, absent: dict[str, str], wanted: list[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """The table, made again when what is stored or why it is not has changed; counts by status and by criterion."""

    def shard(index: int) -> pa.Table:
        items = list(plan.items(index))
        answers = {answer.key: answer for answer in store.read({item.ask.key for item in items})}
        rows = [_verdict(item, answers.get(item.ask.key), plan.rubric, absent) for item in items]
        conversations = plan.ws.read("conversations", index, ["key", "messages"])
        kept = kept_conversations(plan.ws, index)
        return scores(conversations, kept, pl.DataFrame(rows, schema=VERDICT), plan.model, plan.rubric.title)

    options = [plan.model, plan.rubric.fingerprint, prompt.VERSION, PARSER, plan.sampling, fingerprint(wanted, absent)]
    plan.ws.map("scores", shard, inputs=inputs(plan.ws), options=options)
    return count(plan.ws)


def _verdict(item: Item, answer: Judgement | None, rubric: Rubric, absent: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(VERDICT) | {"key": item.key, "turn": item.turn, "aspects": []}
    if answer is None:
        return row | {"status": "failed", "rationale": absent[item.ask.key]}
    reading = parse.read(answer.content, answer.finish_reason, answer.refusal, rubric)
    row |= {"status": reading.status, "rationale": reading.text, "judgement": answer.key}
    if reading.status != "ok":
        return row
    if item.partial:
        row["rationale"] = f"[judged from its head and tail] {reading.text or ''}".strip()
    reward = rubric.reward(reading.levels)
    aspects = [{"name": name, "score": float(level)} for name, level in reading.levels.items()]
    return row | {"reward": reward, "score": reward * TOP_LEVEL, "aspects": aspects}


def _raise_if_partial(outcome: Outcome, absent: dict[str, str], statuses: dict[str, int]) -> None:
    if outcome.unsent:
        raise PartlyDoneError(
            f"the cap on cost was reached: {len(outcome.unsent):,} judgements were not bought",
            hint="run the same command with a higher --max-cost; what is stored is not bought again",
        )
    if absent:
        reason, often = Counter(absent.values()).most_common(1)[0]
        raise PartlyDoneError(
            f"{statuses['failed']:,} responses could not be judged; most often ({often:,}): {reason}",
            hint="run the same command again: only these are sent",
        )
