"""What each judge said of a response: its stored replies, read again as `curate score` reads them.

The table `scores` has what all judges came to together. Their replies are kept under ids over what a judge was told and
shown, so they are found by asking for every judge that this workspace can have had.
"""

from __future__ import annotations

from itertools import product
from os import environ
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError
from curate.judge import plan, steering, store, verdict, view
from curate.judge.address import OPENAI, identity
from curate.judge.plan import Item, Who
from curate.show.story import Opinion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from curate.judge.rubric import Rubric
    from curate.judge.store import Judgement, Place

APIS = ("chat", "decisions", "reward-model")
EFFORTS = (None, "minimal", "low", "medium", "high")
# Servers that need no probe, beside those that were probed.
SERVERS = ("here", OPENAI, "localhost", "127.0.0.1", "::1")
MOST_REPEATS = 32


def opinions(
    path: Path,
    messages: Sequence[Mapping[str, Any]],
    turns: Iterable[int],
    judges: Iterable[str],
    titles: Iterable[str],
) -> dict[int, tuple[Opinion, ...]]:
    """The opinions of all judges whose replies are in the store, by response; one without is left out.

    Args:
        path: The store.
        messages: Those of the conversation, redacted if the workspace is.
        turns: The responses.
        judges: Names of judges, as the table `scores` has them: `a`, `a+b`, `a > c`.
        titles: name@version of rubrics that are likely beside those that come with curate.

    Raises:
        WorkspaceError: The store is damaged.
    """
    shown = view.texts(messages)
    digests = view.prefixes(messages, shown)
    whos = _whos(path, judges)
    bases = [(who, plan.base_of(who)) for who in whos]
    rubrics = _rubrics(titles)
    asked: dict[str, tuple[int, Who, Rubric, str]] = {}
    for turn in turns:
        texts = {"", *(_references(path, whos, digests[turn - 1]) if turn else ())}
        for (who, base), rubric, text in product(bases, rubrics, texts):
            if not text or rubric.reference:
                asked[plan.answer_ids(base, rubric, digests[turn], text)[0]] = (turn, who, rubric, text)
    found: dict[int, list[Opinion]] = {}
    for first in store.places(path, asked):
        turn, who, rubric, text = asked[first]
        ids = plan.answer_ids(plan.base_of(who), rubric, digests[turn], text, MOST_REPEATS)
        steers = who.api != "reward-model" and steering.steers(shown[turn])
        opinion = _opinion(path, who, rubric, ids, plan.bare_id(first) if steers else None, bool(text))
        found.setdefault(turn, []).append(opinion)
    by_name = {turn: sorted(told, key=lambda one: (one.judge, one.rubric, one.calls)) for turn, told in found.items()}
    return {turn: tuple(told) for turn, told in by_name.items()}


def _opinion(
    path: Path, who: Who, rubric: Rubric, ids: tuple[str, ...], bare: str | None, reference: bool
) -> Opinion:
    places = store.places(path, (*ids, *filter(None, (bare,))))
    judgements = store.answers(path, {place.call for place in places.values()})
    # Repeats are asked for in order, so the first that is not there is behind the last.
    own = tuple(i for i in ids if i in places)
    joint = _verdict(rubric, own, bare, places, judgements)
    each = [_verdict(rubric, (i,), None, places, judgements) for i in own] if len(own) > 1 else []
    alone = _verdict(rubric, (bare,), None, places, judgements) if bare in places and bare else None
    first = judgements.get(places[own[0]].call)
    return Opinion(
        judge=who.model,
        answered_by=first.served_model if first else None,
        backend=who.api,
        rubric=rubric.title,
        status=joint.status,
        reward=_rounded(joint.reward),
        score=_rounded(joint.score),
        levels={name: round(level, 6) for name, level in joint.levels.items()},
        flags=joint.flags,
        rationale=joint.text,
        answers=tuple(round(one.reward, 6) for one in each if one.reward is not None),
        reference=reference,
        partial=any(places[i].partial for i in own),
        without_steering=_rounded(alone.reward) if alone else None,
        calls=tuple(dict.fromkeys(places[i].call for i in own)),
    )


def _verdict(
    rubric: Rubric,
    ids: tuple[str, ...],
    bare: str | None,
    places: Mapping[str, Place],
    judgements: Mapping[str, Judgement],
) -> verdict.Verdict:
    return verdict.of_item(Item(0, 0, None, rubric, ids, bare, None), places, judgements, {})


def _rounded(value: float | None) -> float | None:
    """Without the noise of a mean of floats."""
    return None if value is None else round(value, 6)


def _whos(path: Path, judges: Iterable[str]) -> list[Who]:
    """Every judge that may have answered."""
    servers, models = dict.fromkeys(SERVERS), dict.fromkeys(name for judge in judges for name in _names(judge))
    if address := environ.get("OPENAI_BASE_URL"):
        servers[identity(address)] = None
    for endpoint in store.remembered(path, "endpoints"):
        server, _, rest = endpoint.partition(" ")
        servers[server], models[rest.rpartition(" ")[0]] = None, None
    spelled = dict.fromkeys(name for model in models for name in (model, model.removeprefix("openai/")))
    return [Who(*parts) for parts in product(APIS, spelled, servers, EFFORTS)]


def _names(judge: str) -> list[str]:
    """Of `a+b > c` each; the whole as well, for a name with a plus in it."""
    panel, _, strong = judge.partition(" > ")
    return [name for name in (judge, panel, *panel.split("+"), strong) if name]


def _rubrics(titles: Iterable[str]) -> list[Rubric]:
    from curate.judge import rubric

    found = {one.title: one for one in rubric.shipped()}
    for title in titles:
        if title and title not in found:
            try:
                one = rubric.load(title.rpartition("@")[0])
            except CurateError:
                continue  # a rubric of somebody's own, which lies elsewhere
            found[one.title] = one
    return list(found.values())


def _references(path: Path, whos: list[Who], digest: str) -> set[str]:
    """The reference answers to a prompt."""
    ids = [plan.reference_id(who, digest) for who in whos if who.api == "chat"]
    places = store.places(path, ids)
    found = store.answers(path, {place.call for place in places.values()})
    return {answer.content for answer in found.values() if answer.content and answer.content.strip()}
