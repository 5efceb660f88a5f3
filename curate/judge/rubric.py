"""Rubrics: TOML in, checked criteria out. A rubric is one file under `rules/rubrics/`, found by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.errors import RuleError, did_you_mean
from curate.rules import locate, read_toml
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

TOP_LEVEL = 4
RESERVED = "evidence"
_KEYS: dict[str, dict[str, tuple[type | tuple[type, ...], str]]] = {
    "the file": {
        "schema": (int, "1"),
        "kind": (str, "`rubric`"),
        "name": (str, "text"),
        "version": (int, "a whole number"),
        "instructions": (str, "text"),
        "criterion": (list, "a list of [[criterion]]"),
    },
    "criterion": {
        "name": (str, "text"),
        "weight": ((int, float), "a number above 0"),
        "question": (str, "text"),
        "levels": (list, f"a list of {TOP_LEVEL + 1} texts, worst first"),
    },
}


@dataclass(frozen=True)
class Criterion:
    """One question with five anchored levels, 0 (worst) to 4."""

    name: str
    weight: float
    question: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Rubric:
    """What a judge grades by."""

    name: str
    version: int
    instructions: str
    criteria: tuple[Criterion, ...]

    @property
    def title(self) -> str:
        """name@version, as the table `scores` names it."""
        return f"{self.name}@{self.version}"

    @property
    def fingerprint(self) -> str:
        """Changes with anything the judge reads or the reward depends on."""
        criteria = [(c.name, c.weight, c.question, c.levels) for c in self.criteria]
        return fingerprint(self.title, self.instructions, criteria)

    def reward(self, levels: dict[str, int]) -> float:
        """Weighted mean of the levels, 0 to 1."""
        total = sum(criterion.weight for criterion in self.criteria)
        return sum(criterion.weight * levels[criterion.name] for criterion in self.criteria) / (TOP_LEVEL * total)


def load(name: str) -> Rubric:
    """A rubric by name (`general`) or path.

    Raises:
        RuleError: There is no such rubric, or with every mistake of the file.
    """
    path = _locate(name)
    value = read_toml(path, "rubric")
    mistakes = _check(value, "the file", "the file")
    blocks = value.get("criterion")
    criteria = [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    for position, block in enumerate(criteria, start=1):
        where = f"criterion {position}" + (f" `{block['name']}`" if isinstance(block.get("name"), str) else "")
        mistakes += _check(block, "criterion", where) + _check_criterion(block, where)
    names = [block.get("name") for block in criteria]
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    mistakes += [f"the criterion `{name}` stands there twice" for name in twice]
    if mistakes:
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        raise RuleError(f"the rubric has {count}:\n" + "\n".join(f"  - {m}" for m in mistakes), where=path)
    return Rubric(
        value["name"],
        value["version"],
        value["instructions"],
        tuple(Criterion(c["name"], float(c["weight"]), c["question"], tuple(c["levels"])) for c in criteria),
    )


def _locate(name: str) -> Path:
    try:
        return locate(name if name.endswith(".toml") else f"rubrics/{name}.toml")
    except RuleError:
        known = {path.stem for path in locate("rubrics/general.toml").parent.glob("*.toml")}
        raise RuleError(f"no rubric `{name}`", hint=did_you_mean(name, known)) from None


def _check(block: dict[str, Any], kind: str, where: str) -> list[str]:
    keys = _KEYS[kind]
    mistakes = [f"{where}: unknown key `{key}`; {did_you_mean(key, keys)}" for key in block if key not in keys]
    for key, (type_, meaning) in keys.items():
        value = block.get(key)
        if not isinstance(value, type_) or isinstance(value, bool) or value in ("", []):
            mistakes.append(f"{where}: `{key}` is missing or wrong; it is {meaning}")
    return mistakes


def _check_criterion(block: dict[str, Any], where: str) -> list[str]:
    mistakes = []
    name, weight, levels = block.get("name"), block.get("weight"), block.get("levels")
    if isinstance(name, str) and (not name.isidentifier() or name == RESERVED):
        mistakes.append(f"{where}: the name is not one plain word, or is `{RESERVED}`")
    if isinstance(weight, (int, float)) and not 0 < weight < float("inf"):
        mistakes.append(f"{where}: `weight` is {weight}; it is a number above 0")
    if isinstance(levels, list) and levels and (
        len(levels) != TOP_LEVEL + 1 or not all(isinstance(level, str) and level for level in levels)
    ):
        mistakes.append(f"{where}: `levels` is {_KEYS['criterion']['levels'][1]}")
    return mistakes
