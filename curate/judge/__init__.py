"""Score every response: a reward from 0 to 1 with its reasons, or a status that says why there is none.

`local` is the embedded default: defect rules, no key, no network. Any other judge is the name of a
model behind an OpenAI-compatible server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curate.judge.cost import Estimate

__all__ = ["LOCAL_NOTE", "ScoreResult", "score"]

# What everyone who shows or uses scores of the local judge has to say with them.
LOCAL_NOTE = "the local judge finds defects only; it is not an LLM judge and cannot tell whether an answer is right"
MOST_DOLLARS = 1e9


@dataclass(frozen=True)
class ScoreResult:
    """What `score` did.

    Attributes:
        judge: Name of the judge, `local` for the embedded one.
        rubric: name@version.
        statuses: Responses per status: ok, unparsed, refused, failed, skipped.
        defects: Responses per defect (local judge).
        calls: Requests sent now.
        cached: Judgements that were in the store already.
        tokens_in: Prompt tokens of the calls sent now.
        tokens_out: Reply tokens of the calls sent now.
        cost: Dollars for them; None = no price known.
        estimate: What a dry run expects; None otherwise.
        note: What a reader of the scores must know.
    """

    judge: str
    rubric: str
    statuses: dict[str, int] = field(default_factory=dict)
    defects: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    cached: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    estimate: Estimate | None = None
    note: str | None = None


def score(
    workspace: str | Path,
    *,
    judge: str = "local",
    base_url: str | None = None,
    rubric: str = "general",
    limit: int | None = None,
    seed: int = 0,
    concurrency: int = 8,
    max_cost: float | None = None,
    price: tuple[float, float] | None = None,
    dry_run: bool = False,
    confirm: Callable[[Estimate], bool] | None = None,
    quiet: bool = False,
) -> ScoreResult:
    """Judge every response of the kept conversations; judgements that are stored are never bought twice.

    Args:
        workspace: Folder of the workspace.
        judge: `local`, or the name of a model.
        base_url: Address of an OpenAI-compatible server; None = `OPENAI_BASE_URL`, else api.openai.com.
        rubric: Name or path of a rubric file. The local judge has its own rules.
        limit: Judge a uniform sample of this many responses; a larger one contains it.
        seed: Seed of the sample.
        concurrency: Most requests in flight.
        max_cost: Dollars after which nothing more is sent. Needs `price`.
        price: Dollars per million prompt tokens and per million reply tokens.
        dry_run: Only say what it would take.
        confirm: Asked with the estimate before money is spent without `max_cost`.
        quiet: Say nothing but warnings.

    Raises:
        CurateError: Wrong options, or a paid judge without `max_cost` or confirmation.
        JudgeError: The endpoint refuses to work; what was received is stored.
        PartlyDoneError: Some responses have no score yet; the same command resumes.
    """
    from curate.console import Talk
    from curate.errors import CurateError
    from curate.workspace import Workspace

    for name, value in (("limit", limit), ("concurrency", concurrency)):
        if value is not None and value < 1:
            raise CurateError(f"`{name}` is {value}; it must be 1 or more")
    if not judge.strip() or judge != judge.encode("utf-8", "replace").decode():
        raise CurateError(f"`judge` is {judge!r}; it must be `local` or the name of a model")
    pair = tuple(price) if isinstance(price, (list, tuple)) else ()
    if price is not None and not (len(pair) == 2 and all(map(_dollars, pair))):
        raise CurateError(f"`price` is {price}; it must be two numbers of dollars", hint="--price 0.20,0.50")
    if max_cost is not None and not (_dollars(max_cost) and max_cost > 0):
        raise CurateError(f"`max_cost` is {max_cost}; it must be a number of dollars above 0")
    ws, talk = Workspace(workspace), Talk(quiet=quiet)
    with ws.lock():
        if judge == "local":
            from curate.judge import local

            return local.run(ws, talk, limit=limit, seed=seed, dry_run=dry_run)
        from curate.judge import chat

        dollars = None if price is None else (float(price[0]), float(price[1]))
        request = chat.Request(judge, base_url, rubric, limit, seed, concurrency, max_cost, dollars, dry_run, confirm)
        return chat.run(ws, talk, request)


def _dollars(value: object) -> bool:
    """Whether this is an amount that can be reckoned with; a recipe may hold anything."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MOST_DOLLARS
