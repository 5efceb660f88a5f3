"""The options of `curate.score` for a judge that is a model, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from curate.errors import CurateError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from curate.judge.cost import Estimate

MOST_DOLLARS = 1e9
BACKENDS = ("chat", "decisions", "batch", "reward-model")
EFFORTS = ("minimal", "low", "medium", "high")


class Request(NamedTuple):
    """See `curate.judge.score` for what each means."""

    judge: str
    backend: str | None
    base_url: str | None
    rubric: str
    panel: tuple[str, ...]
    escalate: str | None
    repeats: int
    settle: float | None
    references: str | None
    effort: str | None
    context: int
    limit: int | None
    share: float | None
    where: str | None
    seed: int
    concurrency: int
    max_cost: float | None
    price: tuple[float, float] | None
    dry_run: bool
    offline: bool
    retry: bool
    wait: bool
    confirm: Callable[[Estimate], bool] | None


def check(request: Request) -> None:
    """Refuse what cannot work before anything is read or sent.

    Raises:
        CurateError: The first option that cannot.
    """
    least = {"limit": 1, "concurrency": 1, "repeats": 1, "context": 2_048}
    for name, bound in least.items():
        value = getattr(request, name)
        if value is not None and value < bound:
            raise CurateError(f"`{name}` is {value}; it must be {bound:,} or more")
    if request.share is not None and not 0 < request.share <= 1:
        raise CurateError(f"`sample` is {request.share}; it must be above 0, up to 1")
    if request.settle is not None and not 0 < request.settle <= 1:
        raise CurateError(f"`settle` is {request.settle}; it must be a reward above 0, up to 1")
    if request.settle is not None and request.repeats < 2:
        raise CurateError("`settle` needs answers to settle by", hint="--repeats 5: at most five per response")
    for name in (request.judge, *request.panel, *filter(None, (request.escalate, request.references))):
        if not name.strip() or name != name.encode("utf-8", "replace").decode():
            raise CurateError(f"`judge` is {name!r}; it must be `local` or the name of a model")
    if len({request.judge, *request.panel, request.escalate}) < 2 + len(request.panel) - (request.escalate is None):
        raise CurateError("the same judge stands twice in `judge`, `panel` and `escalate`")
    for option, value, known in (("backend", request.backend, BACKENDS), ("effort", request.effort, EFFORTS)):
        if value is not None and value not in known:
            raise CurateError(f"unknown {option} `{value}`", hint=did_you_mean(value, known))
    pair: Sequence[object] = tuple(request.price) if isinstance(request.price, (list, tuple)) else ()
    if request.price is not None and not (len(pair) == 2 and all(map(_dollars, pair))):
        raise CurateError(f"`price` is {request.price}; it must be two numbers of dollars", hint="--price 0.20,0.50")
    if request.max_cost is not None and not (_dollars(request.max_cost) and request.max_cost > 0):
        raise CurateError(f"`max_cost` is {request.max_cost}; it must be a number of dollars above 0")


def _dollars(value: object) -> bool:
    """Whether this is an amount that can be reckoned with; a recipe may hold anything."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MOST_DOLLARS
