"""From the stored replies of one or several judges to a verdict per response: a reward, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from curate.judge import decisions, parse, reward_model
from curate.judge.parse import Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from curate.judge.plan import Item
    from curate.judge.rubric import Rubric
    from curate.judge.store import Judgement, Place

LEVEL = 0.25  # of the reward: one level of a rubric
STEERS = "steers"


@dataclass(frozen=True)
class Verdict:
    """What is known of one response.

    Attributes:
        status: ok, unparsed, refused or failed.
        reward: 0 to 1; None = there is none.
        score: On the rubric's own scale.
        levels: By criterion.
        flags: Raised by the judge, or because the response speaks to its grader.
        text: Evidence, or why there is no reward.
        spread: Standard deviation of the reward over repeats or judges; None = there is one answer.
        samples: Answers behind it.
        call: The judgement it is from, the first where there are several.
        task: What the judge takes the conversation for.
        doubt: Standard deviation of the least certain level, where there are probabilities.
    """

    status: str
    reward: float | None = None
    score: float | None = None
    levels: dict[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    text: str | None = None
    spread: float | None = None
    samples: int = 0
    call: str | None = None
    task: str | None = None
    doubt: float | None = None

    @property
    def doubtful(self) -> bool:
        """Whether a stronger judge should look: answers a level apart, a level that is a guess, or steering."""
        unsure = (self.spread or 0) >= LEVEL or (self.doubt or 0) >= 1
        return self.status != "ok" or unsure or STEERS in self.flags


def readings(
    judgement: Judgement, rubric: Rubric, slots: Sequence[str], last: int | None = None
) -> dict[str, Reading]:
    """What a judgement says, by slot; `last` is the number of the last response that it was asked about."""
    if judgement.api == "decisions":
        return decisions.read(judgement.content, rubric, slots)
    if judgement.api == "reward-model":
        return {slots[0]: reward_model.read(judgement.content)}
    return parse.read(
        judgement.content, judgement.finish_reason, judgement.refusal, rubric, slots, judgement.odds, last
    )


def of_item(
    item: Item, places: Mapping[str, Place], judgements: Mapping[str, Judgement], why: Mapping[str, str]
) -> Verdict:
    """The verdict of one judge.

    Args:
        item: The response.
        places: Where the grade of each id stands.
        judgements: By call.
        why: Reasons for ids that have no grade.
    """
    found = [(i, _reading(i, item.rubric, places, judgements)) for i in item.ids]
    ok = [(i, reading) for i, reading in found if reading is not None and reading.status == "ok"]
    if not ok:
        first, reading = found[0]
        if reading is None:
            return Verdict("failed", text=why.get(first, "its answer is not in the store"))
        return Verdict(reading.status, text=reading.text, call=places[first].call)
    first, reading = ok[0]
    rewards = [_reward(item.rubric, one, places[i]) for i, one in ok]
    levels = {name: fmean(one.levels[name] for _, one in ok) for name in reading.levels}
    flags = {flag for _, one in ok for flag in one.flags}
    text = reading.text
    if places[first].partial:
        text = f"[judged from its head and tail] {text or ''}".strip()
    verdict = Verdict(
        "ok",
        fmean(rewards),
        None,
        levels,
        tuple(sorted(flags)),
        text,
        pstdev(rewards) if len(rewards) > 1 else None,
        len(rewards),
        places[first].call,
        reading.task,
        reading.doubt,
    )
    return _scored(_unsteered(verdict, item, places, judgements), item.rubric)


def panel(verdicts: Sequence[Verdict], rubric: Rubric) -> Verdict:
    """The verdict of several judges over the same response: the mean of the rewards, and their disagreement."""
    ok = [verdict for verdict in verdicts if verdict.reward is not None]
    if not ok or len(verdicts) == 1:
        return verdicts[0]
    rewards = [verdict.reward for verdict in ok if verdict.reward is not None]
    levels = {name: fmean(v.levels[name] for v in ok if name in v.levels) for name in ok[0].levels}
    flags = tuple(sorted({flag for verdict in ok for flag in verdict.flags}))
    spread = pstdev(rewards) if len(rewards) > 1 else ok[0].spread
    samples = sum(verdict.samples for verdict in ok)
    joined = replace(ok[0], reward=fmean(rewards), levels=levels, flags=flags, spread=spread, samples=samples)
    return _scored(joined, rubric)


def _reading(
    i: str, rubric: Rubric, places: Mapping[str, Place], judgements: Mapping[str, Judgement]
) -> Reading | None:
    place = places.get(i)
    judgement = judgements.get(place.call) if place else None
    if place is None or judgement is None:
        return None
    # By its own slot alone: one that is missing spoils no other.
    return readings(judgement, rubric, (place.slot,), place.last)[place.slot]


def _reward(rubric: Rubric, reading: Reading, place: Place) -> float:
    # What the judge did not see may well be there: nothing is held against it for being cut.
    flags = [flag for flag in reading.flags if not (place.partial and flag == "truncated")]
    if reward_model.CRITERION in reading.levels:
        return reward_model.reward(reading.levels[reward_model.CRITERION])
    return rubric.reward(reading.levels, flags)


def _unsteered(
    verdict: Verdict, item: Item, places: Mapping[str, Place], judgements: Mapping[str, Judgement]
) -> Verdict:
    """No more than the response earns without what it says to its grader; a level of difference raises the flag."""
    if item.bare is None or verdict.reward is None:
        return verdict
    reading = _reading(item.bare, item.rubric, places, judgements)
    if reading is None or reading.status != "ok":
        why = "it speaks to its grader, and could not be judged without that"
        return Verdict("failed", text=why, call=verdict.call)
    bare = _reward(item.rubric, reading, places[item.bare])
    if verdict.reward - bare < LEVEL:
        return replace(verdict, reward=min(bare, verdict.reward))
    text = f"[judged without what it says to its grader] {reading.text or ''}".strip()
    flags = tuple(sorted({*verdict.flags, STEERS}))
    caps = [flag.cap for flag in item.rubric.flags if flag.name == STEERS]
    return replace(verdict, reward=min([bare, *caps]), levels=reading.levels, flags=flags, text=text)


def _scored(verdict: Verdict, rubric: Rubric) -> Verdict:
    if verdict.reward is None:
        return verdict
    if reward_model.CRITERION in verdict.levels:
        return replace(verdict, score=verdict.levels[reward_model.CRITERION])
    return replace(verdict, score=rubric.score(verdict.reward))


def calls_of(items: Iterable[Item], places: Mapping[str, Place]) -> set[str]:
    """The calls that grade these responses."""
    return {places[i].call for item in items for i in item.wanted if i in places}
