"""Classes that the user gives: each must be one that rules, weights and conditions know, or the export would stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from curate import rules
from curate.errors import CurateError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from curate.label.side_file import SideFile
    from curate.reward import Weights
    from curate.rules import RuleSet

    # Each class, and who gives it.
    Given = Iterable[tuple[str, str]]


def given(side: SideFile | None, sources: Mapping[str, str], assume: str | None) -> list[tuple[str, str]]:
    """Every class that the user gives, with the place where."""
    found = [(class_, f"{side.path}, line {line}") for class_, line in side.classes.items()] if side else []
    found += [(class_, f"the class of the source `{name}`") for name, class_ in sources.items()]
    return [*found, (assume, "the assumed class")] if assume is not None else found


def check(classes: Given, rule_set: RuleSet, weights: Weights) -> None:
    """Refuse a class that no label rule gives and no weight knows.

    Raises:
        CurateError: The first such class, with the one that was meant, or what to add.
    """
    known = {str(rule.verdict) for rule in rule_set.rules} | weights.classes.keys()
    for name, where in classes:
        if name not in known:
            what = f"neither the label rules nor the class weights know the class `{name}`"
            raise CurateError(what, where=where, hint=_meant(name, known) or _add(name, weights))


def check_export(classes: Given, weights: Weights, conditions: RuleSet) -> None:
    """Refuse a class that the export could give no weight or no condition.

    Raises:
        CurateError: The first such class, with what to add.
    """
    for name, where in classes:
        if name not in weights.classes:
            hint = _meant(name, weights.classes) or _add(name, weights)
            raise CurateError(f"the class `{name}` has no weight", where=where, hint=hint)
        if not any(_speaks_of(name, rule) for rule in conditions.rules):
            hint = f"add a rule for it to a copy of {conditions.path.name}: when = \"class = '{name}'\""
            raise CurateError(f"the class `{name}` has no condition", where=where, hint=hint)


def _speaks_of(name: str, rule: rules.Rule) -> bool:
    """Whether a condition rule may fire for a class: it says so of a response without more, or names the class."""
    row = pl.DataFrame({"class": [name]}, schema_overrides={"class": pl.String})
    nothing = [pl.lit(None, type_).alias(column) for column, type_ in rules.schema("conditions").items()]
    row = row.with_columns(column for column in nothing if column.meta.output_name() != "class")
    with rules.evaluating(rules.RuleSet("conditions", rules.locate("conditions"), (rule,))):
        return f"'{name}'" in rule.when or bool(row.select(rule.expression).item())


def _meant(name: str, known: Iterable[str]) -> str | None:
    """The known class that differs in little, case aside."""
    spelt = {word.casefold(): word for word in known}
    if name.casefold() in spelt:
        return f"did you mean `{spelt[name.casefold()]}`?"
    near = did_you_mean(name.casefold(), spelt) or ""
    return near if near.startswith("did") else None


def _add(name: str, weights: Weights) -> str:
    return f'add `"{name}" = 1.0` under [classes] to a copy of {weights.path.name}, and name that with --weights'
