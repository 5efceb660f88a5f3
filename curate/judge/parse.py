"""From a judge's reply to levels per response, or to a reason why there are none. Never a guess, never a default.

A reply may quote a grade from the data, so only what cannot be a quotation counts: a reply that is one object
and nothing else, thoughts and a fence aside. No object is picked out of prose, and none is mended: either may well
take a quoted grade for the judge's own. What is nearly JSON (`curate.judge.lenient`) is an object whose every key
was asked for: a quotation that breaks out of its string has to bring another.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curate.judge import lenient
from curate.judge import levels as odds_of
from curate.judge.rubric import TOP_LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curate.judge.rubric import Rubric

VERSION = 4  # rises when the same reply may be read differently

_FENCE = re.compile(r"\s*```(?:json5?|python)?\s*(\{.*\})\s*```\s*", re.DOTALL | re.IGNORECASE)
_THOUGHT = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_RATING = re.compile(r"\[\[\s*(-?\d+(?:\.\d+)?)\s*\]\]")
_COMMA = re.compile(r",(\s*[}\]])")
_SLOT = re.compile(r"r([1-9]\d?)")
_MENU = {str(level) for level in range(TOP_LEVEL + 1)}
REFUSED = frozenset({"content_filter", "safety", "refusal"})


@dataclass(frozen=True)
class Reading:
    """What a reply says of one response.

    Attributes:
        status: ok, unparsed or refused.
        levels: By criterion; expected values where the reply came with probabilities.
        flags: Those raised.
        text: The judge's evidence, or why there are no levels.
        task: What the judge takes the conversation for, where it was asked.
        doubt: The largest standard deviation of a level, where the reply came with probabilities.
    """

    status: str
    levels: dict[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    text: str | None = None
    task: str | None = None
    doubt: float | None = None


class UnparsedError(Exception):
    """Why a reply has no levels."""


def read(
    content: str | None,
    finish_reason: str | None,
    refusal: str | None,
    rubric: Rubric,
    slots: Sequence[str] = ("r1",),
    odds: dict[int, dict[str, float]] | None = None,
    last: int | None = None,
) -> dict[str, Reading]:
    """The readings of a reply, by slot.

    Args:
        content: The reply as received.
        finish_reason: As the server gave it.
        refusal: The server's refusal text.
        rubric: Its criteria must all be there, each 0 to 4.
        slots: The responses asked about: r1, r2 …
        odds: Probabilities of digits by their place in the reply, as of `levels.digits`.
        last: Number of the last response that the call asked about; None = not known.
    """
    if refusal or finish_reason in REFUSED:
        declined = Reading("refused", text=f"the judge declined: {(refusal or finish_reason or '')[:200]}")
        return dict.fromkeys(slots, declined)
    if not content or not content.strip():
        return dict.fromkeys(slots, Reading("unparsed", text=f"empty reply (finish_reason {finish_reason})"))
    if rubric.reply == "rating":
        return {slots[0]: rating(content, rubric, cut=finish_reason == "length")}
    try:
        value, exact, strict = _answer(content, slots, cut=finish_reason == "length")
        _check_keys(value, rubric, last, strict=strict)
    except UnparsedError as reason:
        return dict.fromkeys(slots, Reading("unparsed", text=str(reason)))
    where = odds_of.places(content) if odds and exact else {}
    task = value.get("task") if isinstance(value.get("task"), str) else None
    return {slot: _grade(value[slot], slot, rubric, task, where, odds or {}) for slot in slots}


def rating(content: str, rubric: Rubric, *, cut: bool = False) -> Reading:
    """The number in double brackets, where there is one and the reply says no other."""
    found = {float(number) for number in _RATING.findall(content)}
    if not found:
        return Reading("unparsed", text="no rating in double brackets" + ("; the reply was cut" if cut else ""))
    if len(found) > 1:
        return Reading("unparsed", text="the reply holds several ratings that differ")
    value = found.pop()
    if not rubric.lowest <= value <= rubric.highest:
        return Reading("unparsed", text=f"the rating {value:g} is not from {rubric.lowest:g} to {rubric.highest:g}")
    return Reading("ok", {"rating": value}, text=_evidence(content))


def _grade(
    value: Any,
    slot: str,
    rubric: Rubric,
    task: str | None,
    where: dict[tuple[str, ...], int],
    odds: dict[int, dict[str, float]],
) -> Reading:
    if not isinstance(value, dict):
        return Reading("unparsed", text=f"`{slot}` is no JSON object")
    levels: dict[str, float] = {}
    doubts: list[float] = []
    try:
        for criterion in rubric.criteria:
            if criterion.name not in value:
                raise UnparsedError(f"`{slot}` has no `{criterion.name}`")
            sampled = _level(criterion.name, value[criterion.name])
            seen = odds.get(where.get((slot, criterion.name), -1))
            spread = odds_of.expected(seen) if seen else None
            levels[criterion.name] = sampled if spread is None else spread.mean
            doubts += [] if spread is None else [spread.deviation]
    except UnparsedError as reason:
        return Reading("unparsed", text=str(reason))
    known = {flag.name for flag in rubric.flags}
    raised = value.get("flags")
    # A flag that nobody asked about says nothing; the levels stand.
    flags = tuple(sorted({f for f in raised if isinstance(f, str)} & known)) if isinstance(raised, list) else ()
    return Reading("ok", levels, flags, _evidence(value.get("evidence")), task, max(doubts, default=None))


def _evidence(value: Any) -> str | None:
    text = value.encode("utf-8", "replace").decode().strip()[:500] if isinstance(value, str) else ""
    return text or None


def _answer(content: str, slots: Sequence[str], *, cut: bool) -> tuple[dict[str, Any], bool, bool]:
    """The reply as an object with all slots; whether it is that to the letter, and whether it is JSON at all."""
    text = _THOUGHT.sub("", content)
    fenced = _FENCE.fullmatch(text)
    inner = fenced[1] if fenced else text
    value, strict = _object(inner), True
    if value is None:
        value, strict = _nearly(inner), False
    if value is None:
        why = "the reply was cut at its token limit" if cut else "text around an object may quote one"
        raise UnparsedError(f"the reply is not one JSON object; {why}")
    if missing := [slot for slot in slots if slot not in value]:
        raise UnparsedError(f"the JSON object has no `{missing[0]}`")
    return value, strict and text == content and fenced is None, strict


def _nearly(text: str) -> dict[str, Any] | None:
    try:
        return lenient.read(text)
    except lenient.NoObjectError:
        return None


def _check_keys(value: dict[str, Any], rubric: Rubric, last: int | None, *, strict: bool) -> None:
    """What was not asked for: of JSON no object, of what is nearly JSON nothing.

    A quotation that ends its string can put a grade of its own in place of the judge's, but must then begin another
    object for the judge's words to go on in.
    """
    known = {"evidence", "flags", *(criterion.name for criterion in rubric.criteria)}
    for key, grade in value.items():
        number = _SLOT.fullmatch(key)
        asked = number is not None and (last is None or int(number[1]) <= last)
        stray = not asked and (isinstance(grade, dict) or not (strict or key == "task"))
        inside = sorted(grade.keys() - known) if asked and not strict and isinstance(grade, dict) else []
        if stray or inside:
            name = (key if stray else inside[0])[:40]
            raise UnparsedError(f"`{name}` was not asked for; a quotation may have made it")


def _object(text: str) -> dict[str, Any] | None:
    for attempt in (text, _COMMA.sub(r"\1", text)):
        try:
            value = json.loads(attempt, object_pairs_hook=_unique)
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict) else None
    return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise UnparsedError("a key stands twice in the JSON object")
    return value


def _level(name: str, value: Any) -> float:
    if isinstance(value, str) and value.strip() in _MENU:
        return float(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TOP_LEVEL:
        return float(value)
    raise UnparsedError(f"`{name}` is {str(value)[:40]!r}, not one of 0 to {TOP_LEVEL}")
