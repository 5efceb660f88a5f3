"""The cases that a rubric carries: what its weights and caps make of levels, and what its replies are read as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.errors import did_you_mean
from curate.judge.rubric import TOP_LEVEL

if TYPE_CHECKING:
    from curate.judge.rubric import Rubric

_KNOWN = {
    "levels": ("why", "levels", "flags", "at_least", "at_most"),
    "rating": ("why", "reply", "rating"),
}


def failures(rubric: Rubric) -> list[str]:
    """What is wrong with the cases; empty when every one holds."""
    mistakes = []
    for position, case in enumerate(rubric.cases, start=1):
        where = f"case {position}"
        known = _KNOWN[rubric.reply]
        wrong = [f"{where}: unknown key `{key}`; {did_you_mean(key, known)}" for key in case if key not in known]
        if not isinstance(case.get("why"), str):
            wrong.append(f"{where}: `why` is missing")
        mistakes += wrong or (_levels if rubric.reply == "levels" else _rating)(rubric, case, where)
    return mistakes


def _levels(rubric: Rubric, case: dict[str, Any], where: str) -> list[str]:
    names, levels = {criterion.name for criterion in rubric.criteria}, case.get("levels")
    if not isinstance(levels, dict) or set(levels) != names:
        return [f"{where}: `levels` must give a level to each of {', '.join(sorted(names))}"]
    if not all(type(level) is int and 0 <= level <= TOP_LEVEL for level in levels.values()):
        return [f"{where}: a level is a whole number from 0 to {TOP_LEVEL}"]
    unknown = set(case.get("flags", ())) - {flag.name for flag in rubric.flags}
    if unknown:
        return [f"{where}: there is no flag `{min(unknown)}`"]
    bounds = [case[name] for name in ("at_least", "at_most") if name in case]
    if not bounds or not all(isinstance(bound, (int, float)) for bound in bounds):
        return [f"{where}: needs `at_least` or `at_most`, a reward from 0 to 1"]
    reward = round(rubric.reward(levels, case.get("flags", ())), 9)
    if not case.get("at_least", 0) <= reward <= case.get("at_most", 1):
        return [f"{where}: the reward is {reward:.3f}; {case['why']}"]
    return []


def _rating(rubric: Rubric, case: dict[str, Any], where: str) -> list[str]:
    from curate.judge.parse import rating

    if not isinstance(case.get("reply"), str):
        return [f"{where}: `reply` is missing"]
    reading = rating(case["reply"], rubric)
    found = reading.levels.get("rating")
    return [] if found == case.get("rating") else [f"{where}: it is read as {found}, expected {case.get('rating')}"]
