"""Rule files: TOML in, checked rules out, each with a reason and cases of its own.

A rule's `when` is a polars SQL expression over the flat columns of its kind (`COLUMNS`): no files,
no Python. Null means "cannot tell". All mistakes of a file are reported at once.
"""

from __future__ import annotations

import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import RuleError, did_you_mean
from curate.rule_kinds import COLUMNS as COLUMNS
from curate.rule_kinds import UNITS as UNITS
from curate.rule_kinds import VERDICTS as VERDICTS
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

# Files without rules, and who reads them.
_READERS = {
    "keep": ("curate.dedup.policy", "load"),
    "examples": ("curate.tasks.prototypes", "load"),
    "weights": ("curate.reward", "read_weights"),
    "rubric": ("curate.judge.rubric", "load"),
    "judge-flags": ("curate.judge.rubric", "flags"),
    "injections": ("curate.judge.attack", "load"),
    "recipe": ("curate.pipeline", "load_recipe"),
}

# Kinds whose verdicts somebody checks further.
_STRICTER = {"conditions": ("curate.export.conditions", "load"), "tasks": ("curate.tasks", "load")}


@dataclass(frozen=True)
class Rule:
    """One rule: `verdict` holds when `when` is true.

    Attributes:
        name: Unique in its file.
        why: The reason, for people.
        when: Polars SQL expression over the columns of its kind.
        verdict: class, export policy, severity, task or condition, by kind.
        cases: Rows with the expected answer under `fires`.
        unit: One of `UNITS`.
    """

    name: str
    why: str
    when: str
    verdict: Any
    cases: tuple[dict[str, Any], ...] = field(repr=False, default=())
    unit: str = "conversation"

    @property
    def expression(self) -> pl.Expr:
        """The condition as a polars expression: true, false or null."""
        return _expression(self.when)


@dataclass(frozen=True)
class RuleSet:
    """The checked rules of one file, in order."""

    kind: str
    path: Path
    rules: tuple[Rule, ...]

    @property
    def fingerprint(self) -> str:
        """Changes when what the rules decide may change; not with reasons, cases or comments."""
        return fingerprint(self.kind, [(rule.name, rule.unit, rule.when, rule.verdict) for rule in self.rules])


def locate(name: str) -> Path:
    """A rule file by name or by path, `.toml` or not: curate's own first, then the file as given.

    A name never finds a file in the working folder before curate's own: that folder may be somebody else's
    data set. A file of your own with one of these names is `./labels.toml`.

    Raises:
        RuleError: There is no such file.
    """
    package = Path(__file__).parent
    folders = (package / "rules", package.parent / "rules")
    file = Path(f"{name.removesuffix('.toml')}.toml")
    own = [] if name.startswith((".", "/", "~")) else [folder / file for folder in folders]
    for candidate in (*own, file.expanduser()):
        if candidate.is_file():
            return candidate
    known = {path.stem for folder in folders for path in (folder / file).parent.glob("*.toml")}
    raise RuleError(f"no rule file `{name}`", hint=did_you_mean(file.stem, known))


def shipped() -> list[Path]:
    """Every file that comes with curate."""
    return sorted(locate("labels.toml").parent.rglob("*.toml"))


def read_toml(path: Path, kind: str) -> dict[str, Any]:
    """A TOML file of a given kind.

    Raises:
        RuleError: Not TOML, of another kind, or of a newer schema.
    """
    try:
        value = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleError(f"not TOML: {error}", where=path) from error
    except OSError as error:
        raise RuleError(f"cannot be read: {error.strerror}", where=path) from error
    if value.get("schema") != 1:
        raise RuleError(f"`schema` is {value.get('schema')!r}, this curate reads 1", where=path, hint="schema = 1")
    if value.get("kind") != kind:
        raise RuleError(f"`kind` is {value.get('kind')!r}, expected {kind!r}", where=path)
    return value


def load(name: str, kind: str, *, check_cases: bool = True) -> RuleSet:
    """The rules of a file, checked, with their cases run.

    Raises:
        RuleError: With every mistake of the file, each with its rule and a way to mend it.
    """
    path = locate(name)
    value = read_toml(path, kind)
    if kind not in VERDICTS:
        known = ", ".join(f"`{name}`" for name in VERDICTS)
        raise RuleError(f"a file of kind `{kind}` has no rules", where=path, hint=f"kinds with rules: {known}")
    # A weights file is more than its rules, and may have none.
    more = {"classes", "unknown", "floor", "ceiling"} if kind == "weights" else set()
    mistakes = _unknown_keys(value, {"schema", "kind", "rule", *more}, "the file")
    blocks = value.get("rule", [] if more else None)
    if not isinstance(blocks, list) or not (blocks or more):
        mistakes.append("the file has no [[rule]]")
        blocks = []
    found, rules = read_blocks(blocks, kind, check_cases=check_cases)
    if mistakes := mistakes + found:
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        raise RuleError(f"the rule file has {count}:\n" + "\n".join(f"  - {m}" for m in mistakes), where=path)
    return RuleSet(kind, path, tuple(rules))


def read_blocks(blocks: list[Any], kind: str, *, check_cases: bool = True) -> tuple[list[str], list[Rule]]:
    """The mistakes among blocks of rules, and the rules, with their cases run."""
    mistakes: list[str] = []
    rules: list[Rule] = []
    for position, block in enumerate(blocks, start=1):
        found, rule = _read_rule(block, kind, f"rule {position}")
        mistakes += found
        if rule and any(rule.name == other.name for other in rules):
            mistakes.append(f"rule {position}: the name `{rule.name}` is taken")
        elif rule:
            rules.append(rule)
            mistakes += _failed_cases(rule, columns_of(kind, rule.unit)) if check_cases and not found else []
    return mistakes, rules


@dataclass(frozen=True)
class Checked:
    """A rule file that holds."""

    path: str
    kind: str
    rules: int
    cases: int


def check(name: str) -> Checked:
    """Read a rule file of any kind as the stage that uses it would.

    Raises:
        RuleError: With every mistake of the file.
    """
    path = locate(name)
    kind = kind_of(path)
    if kind in VERDICTS and kind not in _READERS:
        rules = load_any(str(path)).rules
        return Checked(str(path), kind, len(rules), sum(len(rule.cases) for rule in rules))
    if kind not in _READERS:
        raise RuleError(f"unknown `kind` {kind!r}", where=path, hint=did_you_mean(kind, {*VERDICTS, *_READERS}))
    module, function = _READERS[kind]
    found = getattr(import_module(module), function)(str(path))
    # A weights file may have rules; of others, the file itself is the one.
    rules = getattr(found, "rules", ())
    cases = sum(len(rule.cases) for rule in rules) or len(getattr(found, "cases", ()))
    return Checked(str(path), kind, len(rules) or 1, cases)


def load_any(name: str) -> RuleSet:
    """The rules of a file of whatever kind has rules.

    Raises:
        RuleError: With every mistake of the file, or it is of a kind without rules.
    """
    path = locate(name)
    kind = kind_of(path)
    if kind not in _STRICTER:
        return load(str(path), kind)
    module, function = _STRICTER[kind]
    found: RuleSet = getattr(import_module(module), function)(str(path))
    return found


@contextmanager
def evaluating(rule_set: RuleSet) -> Iterator[None]:
    """Around the evaluation of rules on data.

    Raises:
        RuleError: A rule passed its cases and fails on the data, such as a cast of text that is no number.
    """
    import polars as pl

    try:
        yield
    except pl.exceptions.PolarsError as error:
        what = f"a rule cannot be evaluated on these conversations: {str(error).splitlines()[0]}"
        raise RuleError(what, where=rule_set.path, hint="add a case with such a row, then mend the rule") from error


def columns_of(kind: str, unit: str) -> str:
    """The key in `COLUMNS` of what rules of a kind and unit may ask about."""
    return kind if unit == "conversation" else "clean-messages"


def schema(kind: str) -> dict[str, pl.DataType]:
    """The polars types of the columns of a kind."""
    import polars as pl

    types = {"str": pl.String(), "int": pl.Int64(), "float": pl.Float64(), "bool": pl.Boolean()}
    return {name: types[type_] for name, (type_, _) in COLUMNS[kind].items()}


def _read_rule(block: Any, kind: str, where: str) -> tuple[list[str], Rule | None]:
    if not isinstance(block, dict):
        return [f"{where}: not a table"], None
    verdict, type_, meaning = VERDICTS[kind]
    name = block.get("name")
    where = f"{where} `{name}`" if isinstance(name, str) else where
    units = {"unit"} if kind == "clean" else set()
    mistakes = _unknown_keys(block, {"name", "why", "when", "case", verdict, *units}, where)
    unit = block.get("unit", "conversation")
    if unit not in UNITS:
        mistakes.append(f"{where}: `unit` is {unit!r}; it is one of {', '.join(f'`{name}`' for name in UNITS)}")
    columns = columns_of(kind, unit)
    texts = ("name", "why", "when")
    mistakes += [f"{where}: `{key}` is missing or not text" for key in texts if not _is_text(block.get(key))]
    value = block.get(verdict)
    texts_only = not isinstance(value, list) or all(_is_text(item) for item in value)
    if not isinstance(value, type_) or isinstance(value, bool) or value == "" or not texts_only:
        mistakes.append(f"{where}: `{verdict}` is missing or wrong; it is {meaning}")
    elif kind == "clean" and value not in ("drop", "keep", *(["mask"] if unit == "response" else [])):
        mistakes.append(f"{where}: `export` is {value!r}; it is {meaning}")
    elif kind == "defects" and isinstance(value, int | float) and not 0 <= value <= 1:
        mistakes.append(f"{where}: `severity` is {value}; it is {meaning}")
    cases = block.get("case", [])
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        mistakes.append(f"{where}: `case` is not a list of tables; each case begins with [[rule.case]]")
        cases = []
    elif not all(any(case.get("fires") is answer for case in cases) for answer in (True, False)):
        mistakes.append(f"{where}: needs a case that fires and one that does not")
    for case in cases:
        mistakes += _unknown_keys(case, {*COLUMNS[columns], "fires"}, f"{where}, case")
        mistakes += _wrong_types(case, columns, f"{where}, case")
    when = block.get("when")
    if isinstance(when, str):
        mistakes += [f"{where}: {mistake}" for mistake in _bad_expression(when, columns)]
    if not all(_is_text(block.get(key)) for key in texts):
        return mistakes, None
    return mistakes, Rule(block["name"], block["why"], block["when"], value, tuple(cases), unit)


def kind_of(path: Path) -> str:
    """The kind that a file says it is of.

    Raises:
        RuleError: It cannot be read, or is not TOML.
    """
    try:
        return str(tomllib.loads(path.read_text("utf-8")).get("kind"))
    except (OSError, ValueError) as error:
        raise RuleError(f"not TOML: {error}", where=path) from error


def _unknown_keys(block: dict[str, Any], known: set[str], where: str) -> list[str]:
    return [f"{where}: unknown key `{key}`; {did_you_mean(key, known)}" for key in block if key not in known]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _wrong_types(case: dict[str, Any], kind: str, where: str) -> list[str]:
    types: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float), "bool": bool}
    expected = {"fires": "bool", **{name: type_ for name, (type_, _) in COLUMNS[kind].items() if name in case}}
    return [
        f"{where}: `{name}` is {case.get(name)!r}, it must be of type {type_}"
        for name, type_ in expected.items()
        if not isinstance(case.get(name), types[type_]) or (isinstance(case[name], bool) and type_ != "bool")
    ]


@cache
def _expression(when: str) -> pl.Expr:
    import polars as pl

    return pl.sql_expr(when)


def _bad_expression(when: str, kind: str) -> list[str]:
    import polars as pl

    try:
        columns = _expression(when).meta.root_names()
        unknown = [f"unknown column `{c}`; {did_you_mean(c, COLUMNS[kind])}" for c in columns if c not in COLUMNS[kind]]
        if not unknown and pl.DataFrame(schema=schema(kind)).select(_expression(when)).dtypes != [pl.Boolean]:
            return ["`when` does not answer true or false"]
    except (pl.exceptions.PolarsError, BaseException) as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        return [f"`when` is not an expression: {str(error).splitlines()[0]}"]
    return unknown


def _failed_cases(rule: Rule, kind: str) -> list[str]:
    import polars as pl

    rows = [{name: case.get(name) for name in COLUMNS[kind]} for case in rule.cases]
    cases = pl.DataFrame(rows, schema=schema(kind))
    try:
        together = cases.select(rule.expression).to_series().to_list()
        answers = [row.select(rule.expression).to_series().to_list() for row in cases.iter_slices(1)]
    except pl.exceptions.PolarsError as error:
        return [f"rule `{rule.name}`: a case cannot be answered: {str(error).splitlines()[0]}"]
    if [[answer] for answer in together] != answers:
        return [f"rule `{rule.name}`: `when` must answer for each row by itself, whatever the other rows are"]
    return [
        f"rule `{rule.name}`: the case {_show(case)} answers {answer}, expected {case['fires']}"
        for case, answer in zip(rule.cases, together, strict=True)
        if bool(answer) != case["fires"]
    ]


def _show(case: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{k} = {v!r}" for k, v in case.items() if k != "fires") + "}"
