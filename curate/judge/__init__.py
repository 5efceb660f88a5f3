"""Score every response: a reward from 0 to 1 with its reasons, or a status that says why there is none.

`local` is the embedded default: defect rules, no key, no network. Any other judge is the name of a
model behind an OpenAI-compatible server, or the folder of a reward model.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from curate.judge.result import ScoreResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from curate.judge.cost import Estimate

__all__ = ["LOCAL_NOTE", "ScoreResult", "score"]

# What everyone who shows or uses scores of the local judge has to say with them.
LOCAL_NOTE = "the local judge finds defects only; it is not an LLM judge and cannot tell whether an answer is right"


def score(
    workspace: str | Path,
    *,
    judge: str = "local",
    backend: str | None = None,
    base_url: str | None = None,
    rubric: str = "auto",
    panel: Sequence[str] = (),
    escalate: str | None = None,
    repeats: int = 1,
    settle: float | None = None,
    references: str | None = None,
    effort: str | None = None,
    context: int = 16_384,
    limit: int | None = None,
    sample: float | None = None,
    where: str | None = None,
    seed: int = 0,
    concurrency: int = 8,
    max_cost: float | None = None,
    price: tuple[float, float] | None = None,
    dry_run: bool = False,
    offline: bool = False,
    retry: bool = False,
    wait: bool = False,
    confirm: Callable[[Estimate], bool] | None = None,
    engine: str = "local",
    quiet: bool = False,
) -> ScoreResult:
    """Judge every response of the kept conversations; judgements that are stored are never bought twice.

    Args:
        workspace: Folder of the workspace.
        judge: `local`, the name of a model, or the folder of a reward model.
        backend: `chat`, `decisions`, `batch` or `reward-model`; None = chat, or reward-model for a folder.
        base_url: Address of an OpenAI-compatible server; None = `OPENAI_BASE_URL`, else api.openai.com.
        rubric: `auto` (by task), or name or path of one. The local judge has its own rules.
        panel: Further judges on the same server; the reward is the mean over all.
        escalate: Stronger judge for the responses whose grades are doubtful.
        repeats: Answers per response; the reward is their mean.
        settle: Ask for another answer only until 95 % of the mean reward's error is below this; `repeats` is the most.
        references: Model that writes reference answers for maths and code, one per prompt.
        effort: How much a reasoning model shall think: minimal, low, medium or high.
        context: Tokens of context that a call may take; a server with less is found out.
        limit: Judge a uniform sample of this many responses; a larger one contains it.
        sample: Judge this share of the responses, above 0, up to 1.
        where: Judge only those that a polars SQL condition over the columns of `curate.scan` holds for.
        seed: Seed of the sample.
        concurrency: Most requests in flight.
        max_cost: Dollars after which nothing more is sent. Needs a price.
        price: Dollars per million prompt tokens and per million reply tokens; None = by genai-prices.
        dry_run: Only say what it would take.
        offline: Send nothing: read what is stored again, with this version's parser and rubric weights.
        retry: Ask again for what was set aside, refused or could not be read, each in a call of its own.
        wait: Wait for a batch to end instead of coming back for it.
        confirm: Asked with the estimate before money is spent without `max_cost`.
        engine: Who makes the shards of the local judge, see `curate.engine`. What another judge answers is asked for
            and stored by this process, whatever the engine: one store, so that nothing is bought twice.
        quiet: Say nothing but warnings.

    Raises:
        CurateError: Wrong options, or a paid judge without `max_cost` or confirmation.
        JudgeError: The endpoint refuses to work; what was received is stored.
        PartlyDoneError: Some responses have no score; the hint says what to type.
    """
    from curate.console import Talk
    from curate.judge.request import Request, check
    from curate.workspace import Workspace

    request = Request(
        judge=judge,
        backend=backend,
        base_url=base_url,
        rubric=rubric,
        panel=tuple(panel),
        escalate=escalate,
        repeats=repeats,
        settle=settle,
        references=references,
        effort=effort,
        context=context,
        limit=limit,
        share=sample,
        where=where,
        seed=seed,
        concurrency=concurrency,
        max_cost=max_cost,
        price=price,
        dry_run=dry_run,
        offline=offline,
        retry=retry,
        wait=wait,
        confirm=confirm,
    )
    check(request)
    ws, talk = Workspace(workspace, engine=engine), Talk(quiet=quiet)
    with nullcontext() if dry_run else ws.lock():
        if judge == "local":
            from curate.judge import local

            return local.run(ws, talk, limit=limit, share=sample, where=where, seed=seed, dry_run=dry_run)
        from curate.judge import run

        return run.run(ws, talk, request)
