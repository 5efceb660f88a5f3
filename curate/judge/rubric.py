"""Rubrics: TOML in, checked criteria out. A rubric is one file under `rules/rubrics/`, found by name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from curate.errors import RuleError, did_you_mean
from curate.rules import locate, read_toml
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

TOP_LEVEL = 4
RESERVED = ("evidence", "flags", "task", "turn")
APPLIES = ("multi_turn", "refusal")
REPLIES = ("levels", "rating")

# What a level may not be about while the rubric says that it is to be ignored.
IGNORABLE = {
    "length": re.compile(r"\b(long|longer|short|shorter|length|lengthy|brevity|verbose|wordy|padding)\b", re.I),
    "tone": re.compile(r"\b(tone|polite|politeness|friendly|warm|confident|confidently|enthusiastic)\b", re.I),
    "format": re.compile(r"\b(markdown|bullets?|bullet points|headings?|bold|formatting|emojis?)\b", re.I),
}

_Types = type | tuple[type, ...]
_NUMBER = (int, float)
_KEYS: dict[str, dict[str, tuple[_Types, str]]] = {
    "the file": {
        "schema": (int, "1"),
        "kind": (str, "`rubric`"),
        "name": (str, "text"),
        "version": (int, "a whole number"),
        "instructions": (str, "text"),
    },
    "criterion": {
        "name": (str, "text"),
        "weight": (_NUMBER, "a number above 0"),
        "question": (str, "text"),
        "levels": (list, f"a list of {TOP_LEVEL + 1} texts, worst first"),
    },
    "flag": {
        "name": (str, "text"),
        "why": (str, "text"),
        "question": (str, "text"),
        "cap": (_NUMBER, "0 to 1: the most reward with this flag"),
    },
}
_OPTIONAL: dict[str, tuple[_Types, str]] = {
    "tasks": (list, "a list of tasks"),
    "applies": (str, f"one of {', '.join(APPLIES)}"),
    "reference": (bool, "true or false"),
    "ignore": (list, f"a list out of {', '.join(IGNORABLE)}"),
    "reply": (str, f"one of {', '.join(REPLIES)}"),
    "lowest": (_NUMBER, "a number"),
    "highest": (_NUMBER, "a number"),
    "criterion": (list, "a list of [[criterion]]"),
    "case": (list, "a list of [[case]]"),
}


@dataclass(frozen=True)
class Criterion:
    """One question with five anchored levels, 0 (worst) to 4."""

    name: str
    weight: float
    question: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Flag:
    """A fact about a response that is asked for whatever the rubric; `cap` is the most reward it leaves."""

    name: str
    question: str
    cap: float


@dataclass(frozen=True)
class Rubric:
    """What a judge grades by.

    Attributes:
        tasks: Tasks of conversations that it is for.
        applies: `multi_turn` or `refusal`: conversations or responses that it is for; None = neither.
        reference: Whether a reference answer helps.
        ignore: What must not count: length, tone, format.
        reply: `levels` per criterion, or one `rating` in double brackets.
        lowest: Lowest rating, where the reply is one.
        highest: Highest rating.
    """

    name: str
    version: int
    instructions: str
    criteria: tuple[Criterion, ...] = ()
    tasks: tuple[str, ...] = ()
    applies: str | None = None
    reference: bool = False
    ignore: tuple[str, ...] = tuple(IGNORABLE)
    reply: str = "levels"
    lowest: float = 0.0
    highest: float = float(TOP_LEVEL)
    flags: tuple[Flag, ...] = ()
    cases: tuple[dict[str, Any], ...] = field(repr=False, hash=False, default=())

    @property
    def title(self) -> str:
        """name@version, as the table `scores` names it."""
        return f"{self.name}@{self.version}"

    @property
    def fingerprint(self) -> str:
        """Changes with anything that the judge reads, and with nothing else: weights and caps are free to change."""
        criteria = [(c.name, c.question, c.levels) for c in self.criteria]
        flags = [(flag.name, flag.question) for flag in self.flags]
        scale = (self.reply, self.lowest, self.highest)
        return fingerprint(self.name, self.instructions, criteria, flags, self.ignore, scale)

    @property
    def policy(self) -> str:
        """Changes with what is made of the judge's levels."""
        weights = [(c.name, c.weight) for c in self.criteria]
        return fingerprint(self.title, weights, [(flag.name, flag.cap) for flag in self.flags])

    def reward(self, levels: Mapping[str, float], flags: Iterable[str] = ()) -> float:
        """Weighted mean of the levels, 0 to 1, at most the least cap of the flags."""
        if self.reply == "rating":
            return (levels["rating"] - self.lowest) / (self.highest - self.lowest)
        total = sum(criterion.weight for criterion in self.criteria)
        mean = sum(criterion.weight * levels[criterion.name] for criterion in self.criteria) / (TOP_LEVEL * total)
        raised = set(flags)
        return min([mean, *(flag.cap for flag in self.flags if flag.name in raised)])

    def score(self, reward: float) -> float:
        """A reward on the rubric's own scale."""
        return self.lowest + reward * (self.highest - self.lowest)


def load(name: str) -> Rubric:
    """A rubric by name (`general`) or path, with its cases run.

    Raises:
        RuleError: There is no such rubric, or with every mistake of the file.
    """
    from curate.judge.rubric_cases import failures

    path = _locate(name)
    value = read_toml(path, "rubric")
    mistakes = _check(value, "the file", "the file", _OPTIONAL)
    blocks = value.get("criterion", [])
    criteria = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    ignore = value.get("ignore", list(IGNORABLE))
    for position, block in enumerate(criteria, start=1):
        where = f"criterion {position}" + (f" `{block['name']}`" if isinstance(block.get("name"), str) else "")
        mistakes += _check(block, "criterion", where) + _check_criterion(block, where, ignore)
    mistakes += _twice(criteria, "criterion") + _check_choices(value, ignore, criteria)
    if not all(isinstance(case, dict) for case in value.get("case", [])):
        mistakes.append("the file: each case begins with [[case]]")
    if mistakes:
        raise _mistaken(mistakes, path)
    rubric = Rubric(
        value["name"],
        value["version"],
        value["instructions"],
        tuple(Criterion(c["name"], float(c["weight"]), c["question"], tuple(c["levels"])) for c in criteria),
        tuple(value.get("tasks", ())),
        value.get("applies"),
        value.get("reference", False),
        tuple(ignore),
        value.get("reply", "levels"),
        float(value.get("lowest", 0)),
        float(value.get("highest", TOP_LEVEL)),
        flags("judge_flags.toml") if value.get("reply", "levels") == "levels" else (),
        tuple(value.get("case", ())),
    )
    if mistakes := failures(rubric):
        raise _mistaken(mistakes, path)
    return rubric


@cache
def flags(name: str) -> tuple[Flag, ...]:
    """The flags of a file of kind `judge-flags`.

    Raises:
        RuleError: With every mistake of the file.
    """
    path = locate(name)
    value = read_toml(path, "judge-flags")
    blocks = value.get("flag")
    found = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    mistakes = [] if found else ["the file has no [[flag]]"]
    for position, block in enumerate(found, start=1):
        mistakes += _check(block, "flag", f"flag {position}")
        cap = block.get("cap")
        if isinstance(cap, _NUMBER) and not 0 <= cap <= 1:
            mistakes.append(f"flag {position}: `cap` is {cap}; it is {_KEYS['flag']['cap'][1]}")
    if mistakes := mistakes + _twice(found, "flag"):
        raise _mistaken(mistakes, path)
    return tuple(Flag(block["name"], block["question"], float(block["cap"])) for block in found)


@cache
def shipped() -> tuple[Rubric, ...]:
    """Every rubric that comes with curate, by name."""
    return tuple(load(path.stem) for path in sorted(locate("rubrics/general").parent.glob("*.toml")))


def _locate(name: str) -> Path:
    try:
        return locate(name if name.endswith(".toml") else f"rubrics/{name}.toml")
    except RuleError:
        known = {"auto", *(path.stem for path in locate("rubrics/general.toml").parent.glob("*.toml"))}
        raise RuleError(f"no rubric `{name}`", hint=did_you_mean(name, known)) from None


def _mistaken(mistakes: list[str], path: Path) -> RuleError:
    count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
    return RuleError(f"the rubric has {count}:\n" + "\n".join(f"  - {m}" for m in mistakes), where=path)


def _twice(blocks: list[dict[str, Any]], what: str) -> list[str]:
    names = [str(block.get("name")) for block in blocks]
    return [f"the {what} `{name}` stands there twice" for name in sorted({n for n in names if names.count(n) > 1})]


def _check(
    block: dict[str, Any], kind: str, where: str, optional: Mapping[str, tuple[_Types, str]] | None = None
) -> list[str]:
    keys, more = _KEYS[kind], optional or {}
    known = {*keys, *more}
    mistakes = [f"{where}: unknown key `{key}`; {did_you_mean(key, known)}" for key in block if key not in known]
    for key, (type_, meaning) in {**keys, **{k: v for k, v in more.items() if k in block}}.items():
        value = block.get(key)
        wrong = not isinstance(value, type_) or (isinstance(value, bool) and type_ is not bool)
        if wrong or value == "" or (value == [] and key in keys):
            mistakes.append(f"{where}: `{key}` is missing or wrong; it is {meaning}")
    return mistakes


def _check_choices(value: dict[str, Any], ignore: Any, criteria: list[dict[str, Any]]) -> list[str]:
    """What one key allows or asks of another."""
    mistakes = []
    for name, known in (("applies", APPLIES), ("reply", REPLIES)):
        if isinstance(value.get(name), str) and value[name] not in known:
            mistakes.append(f"the file: `{name}` is {value[name]!r}; {did_you_mean(value[name], known)}")
    if isinstance(ignore, list):
        mistakes += [f"the file: `ignore` knows no {word!r}" for word in ignore if word not in IGNORABLE]
    if value.get("reply", "levels") == "levels" and not criteria:
        mistakes.append("the file has no [[criterion]]")
    lowest, highest = value.get("lowest"), value.get("highest")
    if value.get("reply") == "rating" and not (
        isinstance(lowest, _NUMBER) and isinstance(highest, _NUMBER) and lowest < highest
    ):
        mistakes.append("the file: a rating needs `lowest` below `highest`")
    return mistakes


def _check_criterion(block: dict[str, Any], where: str, ignore: Any) -> list[str]:
    mistakes = []
    name, weight, levels = block.get("name"), block.get("weight"), block.get("levels")
    if isinstance(name, str) and (not name.isidentifier() or name in RESERVED):
        mistakes.append(f"{where}: the name is not one plain word, or is one of `{'`, `'.join(RESERVED)}`")
    if isinstance(weight, _NUMBER) and not 0 < weight < float("inf"):
        mistakes.append(f"{where}: `weight` is {weight}; it is a number above 0")
    if isinstance(levels, list) and levels:
        if len(levels) != TOP_LEVEL + 1 or not all(isinstance(level, str) and level for level in levels):
            mistakes.append(f"{where}: `levels` is {_KEYS['criterion']['levels'][1]}")
        text = " ".join([str(block.get("question")), *map(str, levels)])
        for about in ignore if isinstance(ignore, list) else ():
            if about in IGNORABLE and (found := IGNORABLE[about].search(text)):
                hint = f"reword it, or leave `{about}` out of `ignore`"
                mistakes.append(f"{where}: it grades by {about} (`{found[0]}`), which the rubric ignores; {hint}")
    return mistakes
