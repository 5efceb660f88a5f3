"""Files of JSON lines, for OpenChat's converter and for hosted services: keys, types, roles, weights, line by line."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.verify import lines, targets
from curate.verify import weights as weight_checks
from curate.verify.text import SPECIAL

if TYPE_CHECKING:
    from pathlib import Path

    from curate.verify.findings import Findings
    from curate.verify.targets import Target

# Weights that are looked at together.
_BATCH = 10_000


@dataclass
class Lines:
    """Findings and counts of one file.

    Attributes:
        conditioned: Lines with a condition; None = the condition is no key of its own.
    """

    findings: Findings
    file: str
    target: Target | None = None
    rows: int = 0
    trained_rows: int = 0
    weighted: int = 0
    weight_sum: float = 0.0
    conditioned: int | None = None
    row: int = 0
    _weights: list[tuple[int, float]] = field(default_factory=list)

    def flag(self, code: str, detail: str) -> None:
        """Note something about the line that is looked at."""
        self.findings.add(code, self.file, row=self.row, detail=detail)

    def number(self, value: object, where: str) -> float | None:
        """A weight as a number above or below 0; None, and noted, where it is none."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.flag("null" if value is None else "wrong_type", f"`{where}` is {_kind(value)}, not a number")
            return None
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            self.flag("weight_nan", f"`{where}` is {found}")
            return None
        return found

    def keep(self, weight: float) -> None:
        """Remember a weight for what is asked of many together."""
        self._weights.append((self.row, weight))
        if len(self._weights) >= _BATCH:
            self.look()

    def look(self) -> None:
        """Ask whether the weights that were kept survive a cast to bfloat16."""
        if self._weights and self.target:
            rows, values = (np.array(column) for column in zip(*self._weights, strict=True))
            cast = self.target.weights == "message"
            weight_checks.check(self.findings, self.file, values, rows, f"{self.target.turns}[].weight", rounded=cast)
        self._weights.clear()


def examine(path: Path, file: str, findings: Findings, target: Target | None) -> Lines | None:
    """Look at every line of a file; None where its first one is of no target.

    Args:
        path: The file.
        file: Its name in findings.
        findings: Where to note.
        target: Whose lines these are; None = as the first object looks.
    """
    found = Lines(findings, file, target)
    try:
        for number, line in lines.read(path):
            found.rows, found.row = number + 1, number
            if isinstance(line, lines.OddLineError):
                found.flag(line.code, str(line))
                continue
            if found.target is None and (target := targets.guessed(line)) is None:
                keys = ", ".join(str(key)[:40] for key in list(line)[:8])
                found.flag("unknown_layout", f"keys: {keys}" if keys else "no keys")
                return None
            found.target = found.target or target
            _line(found, line)
    except OSError as error:
        found.flag("unreadable", str(error.strerror))
    found.look()
    _whole(found)
    return found


def _line(found: Lines, line: dict[str, Any]) -> None:
    """One object: what stands beside the messages, then those."""
    target = found.target
    assert target
    share = _beside(found, target, line)
    turns = line.get(target.turns)
    if not isinstance(turns, list):
        _lacks(found, line, target.turns, "a list")
        return
    if not turns:
        found.flag("no_messages", "an empty list")
        return
    roles: list[str] = []
    total = 0.0
    said = False
    for turn in turns:
        if not isinstance(turn, dict):
            found.flag("wrong_type", f"a message is {_kind(turn)}, not an object")
            return
        role = turn.get("role")
        if not isinstance(role, str):
            _lacks(found, turn, "role", "a string", "a message's ")
            return
        roles.append(role)
        content = _content(found, target, turn)
        weight = _weight(found, target, turn, role)
        if role == "assistant" and weight:
            total += weight
            if content:
                said = True
            elif content is not None:
                found.flag("empty_response", "refused" if target.no_empty else "its end of turn alone is learned")
        elif role == "assistant" and target.no_empty and not content:
            found.flag("empty_response", "refused")
    if odd := next((role for role in roles if not targets.known_role(role)), None):
        found.flag("role", f"`{odd[:80]}`")
    elif not target.takes(roles):
        found.flag("role_order", " ".join(roles[:12]))
    trained = said and share > 0
    found.trained_rows += trained
    found.weight_sum += total * share if target.weights == "message" else share * (total > 0)
    if not trained:
        found.flag("never_trained", "the line weighs 0" if said else "no response with text has a weight above 0")


def _beside(found: Lines, target: Target, line: dict[str, Any]) -> float:
    """What the line weighs, 1 where it does not say; OpenChat's condition and system message."""
    if target.weights == "message":
        for key in ("condition", "system"):
            if key in line and not isinstance(line[key], str):
                _lacks(found, line, key, "a string")
        condition = line.get("condition")
        found.conditioned = (found.conditioned or 0) + bool(condition)
        if isinstance(condition, str) and SPECIAL.search(condition):
            found.flag("condition", f"`{condition[:80]}` holds a special token")
    if "weight" not in line:
        return 1.0
    if target.weights in ("message", "none"):
        found.flag("weight_unread", "the line's `weight`")
        return 1.0
    found.weighted += 1
    share = found.number(line["weight"], "weight")
    if share is None:
        return 1.0
    if share < 0 and not target.negative:
        found.flag("weight_negative", f"`weight` is {share:.6g}")
    return abs(share)


def _content(found: Lines, target: Target, turn: dict[str, Any]) -> str | None:
    """The text of a message, "" where there is none; None where it cannot be text."""
    content = turn.get("content")
    if isinstance(content, str):
        if special := SPECIAL.search(content):
            found.flag("live_tokens", f"`{special[0]}`")
        return content
    if isinstance(content, list) and target.parts:
        return "parts" if content else ""
    if content is None and turn.get("tool_calls") and target.parts:
        return "calls"
    _lacks(found, turn, "content", "a string", "a message's ")
    return None


def _weight(found: Lines, target: Target, turn: dict[str, Any], role: str) -> float:
    """What a message weighs: where it does not say, a response weighs 1 and all else 0."""
    if target.weights == "message":
        if "weight" not in turn:
            found.flag("missing_key", "a message's `weight`, without which the converter stops")
            return 0.0
        weight = found.number(turn["weight"], "items[].weight")
        if weight is None:
            return 0.0
        found.keep(weight)
        if weight > 0 and role != "assistant":
            found.flag("label_outside", f"a {role[:40]} message")
        return max(weight, 0.0)
    if "weight" not in turn:
        return float(role == "assistant")
    weight = found.number(turn["weight"], "messages[].weight")
    if weight is None:
        return float(role == "assistant")
    if weight not in (0, 1):
        found.flag("weight_value", f"`messages[].weight` is {weight:.6g}")
    if weight and role != "assistant":
        found.flag("label_outside", f"a {role[:40]} message")
    return abs(weight)


def _whole(found: Lines) -> None:
    """What only all lines together say."""
    if not found.rows:
        found.findings.add("no_rows", found.file, detail="no line")
        return
    if not found.trained_rows:
        found.findings.add("all_zero", found.file, detail="no line has anything to learn")
    if found.target is None:
        return
    if found.target.weights == "row" and not found.weighted:
        found.findings.add("unweighted", found.file, detail="no line has a `weight`")
    if found.target.weights in ("row", "either") and 0 < found.weighted < found.rows:
        found.findings.add("mixed_weights", found.file, detail=f"{found.weighted:,} of {found.rows:,} lines have one")
    if found.conditioned == 0:
        found.findings.add("unconditioned", found.file, detail="`condition` is empty")


def _lacks(found: Lines, holder: dict[str, Any], key: str, wanted: str, whose: str = "") -> None:
    """Note a key that is not there, null, or of another type."""
    value = holder.get(key)
    code = "missing_key" if key not in holder else "null" if value is None else "wrong_type"
    found.flag(code, f"{whose}`{key}`" + (f" is {_kind(value)}, not {wanted}" if key in holder else ""))


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
