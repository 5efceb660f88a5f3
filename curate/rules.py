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
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

# The flat columns a rule may ask about, per kind of file, and what they mean.
COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "labels": {
        "model": ("str", "model as the message states it, else as its conversation does"),
        "name": ("str", "name of the speaker: the role where it was one (chatgpt, bing, bard), else the message's own"),
        "source": ("str", "name of the data set"),
        "source_file": ("str", "file it came from"),
        "source_id": ("str", "id as written in the record"),
    },
    "clean": {
        "messages": ("int", "number of messages"),
        "prompts": ("int", "number of user messages"),
        "responses": ("int", "number of responses"),
        "chars": ("int", "characters in all messages"),
        "first_role": ("str", "role of the first message that is not a system message"),
        "last_role": ("str", "role of the last message"),
        "empty_prompts": ("int", "user messages without a visible character"),
        "empty_responses": ("int", "responses without a visible character"),
        "repeated_roles": ("int", "neighbours with the same role, system messages aside"),
        "system_text": ("str", "the system messages; empty = none"),
        "prompt_text": ("str", "the user messages, one after the other"),
        "response_text": ("str", "the responses, one after the other, each begun by \\x1e"),
    },
    "defects": {
        "response": ("str", "the response"),
        "prompt": ("str", "the user message it answers; null = there is none"),
        "opening": ("str", "its first 400 characters, outer white space aside"),
        "ending": ("str", "the end of its last line, up to 300 characters"),
        "chars": ("int", "characters of the response"),
        "words": ("int", "words of the response"),
        "fences": ("int", "lines of the response that begin with a code fence"),
        "prose_share": ("float", "share of the response outside of code fences"),
        "garbled": ("int", "replacement characters, and UTF-8 read as another encoding"),
        "echo": ("bool", "whether it repeats a prompt of 40+ characters, case, space and punctuation aside"),
        "repeated_lines": ("float", "share of its prose lines of 20+ characters that stand in it already"),
        "sentence_lines": ("float", "share of such lines, the last aside, that end like a sentence; null = under two"),
        "compression": ("float", "characters per compressed byte of its last 4,000; null = under 400 characters"),
        "shared_words": ("int", "different words of 5+ Latin letters that prompt and response share"),
        "prompt_words": ("int", "different words of 5+ Latin letters in the prompt"),
        "language": ("str", "language of the response, ISO 639; null = not sure"),
        "prompt_language": ("str", "language of the prompt, ISO 639; null = not sure"),
        "language_asked": ("bool", "the conversation so far names a language, or another prompt is in the response's"),
        "last": ("bool", "whether the response is the last message"),
        "calls_tool": ("bool", "whether the response calls a tool"),
    },
    "conditions": {
        "class": ("str", "class of the response"),
        "task": ("str", "task of the conversation"),
        "source": ("str", "name of the data set"),
        "model": ("str", "model as written"),
        "reward": ("float", "reward of the response, 0 to 1"),
    },
}

# Files without rules, and who reads them.
_READERS = {
    "keep": ("curate.dedup.policy", "load"),
    "weights": ("curate.reward", "read_weights"),
    "rubric": ("curate.judge.rubric", "load"),
    "recipe": ("curate.pipeline", "load_recipe"),
}

# What a rule of each kind says beside `name`, `why`, `when` and its cases.
VERDICTS: dict[str, tuple[str, type | tuple[type, ...], str]] = {
    "labels": ("class", str, "the class, such as `gpt-4`"),
    "clean": ("export", str, "`drop` or `keep`: what `curate export` does with the conversation by default"),
    "defects": ("severity", (int, float), "0 to 1: how much of the reward the defect takes away"),
    "conditions": ("condition", str, "the text that the prompt carries, such as `GPT4`"),
}


@dataclass(frozen=True)
class Rule:
    """One rule: `verdict` holds when `when` is true.

    Attributes:
        name: Unique in its file.
        why: The reason, for people.
        when: Polars SQL expression over the columns of its kind.
        verdict: class, export policy, severity or condition, by kind.
        cases: Rows with the expected answer under `fires`.
    """

    name: str
    why: str
    when: str
    verdict: Any
    cases: tuple[dict[str, Any], ...] = field(repr=False, default=())

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
        return fingerprint(self.kind, [(rule.name, rule.when, rule.verdict) for rule in self.rules])


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
        raise RuleError(f"a file of kind `{kind}` has no rules", where=path)
    mistakes = _unknown_keys(value, {"schema", "kind", "rule"}, "the file")
    blocks = value.get("rule")
    if not isinstance(blocks, list) or not blocks:
        mistakes.append("the file has no [[rule]]")
        blocks = []
    rules: list[Rule] = []
    for position, block in enumerate(blocks, start=1):
        found, rule = _read_rule(block, kind, f"rule {position}")
        mistakes += found
        if rule and any(rule.name == other.name for other in rules):
            mistakes.append(f"rule {position}: the name `{rule.name}` is taken")
        elif rule:
            rules.append(rule)
            mistakes += _failed_cases(rule, kind) if check_cases and not found else []
    if mistakes:
        count = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
        raise RuleError(f"the rule file has {count}:\n" + "\n".join(f"  - {m}" for m in mistakes), where=path)
    return RuleSet(kind, path, tuple(rules))


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
    kind = _kind(path)
    if kind in VERDICTS:
        rules = load(str(path), kind).rules
        return Checked(str(path), kind, len(rules), sum(len(rule.cases) for rule in rules))
    if kind not in _READERS:
        raise RuleError(f"unknown `kind` {kind!r}", where=path, hint=did_you_mean(kind, {*VERDICTS, *_READERS}))
    module, function = _READERS[kind]
    getattr(import_module(module), function)(str(path))
    return Checked(str(path), kind, 1, 0)


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
    mistakes = _unknown_keys(block, {"name", "why", "when", "case", verdict}, where)
    texts = ("name", "why", "when")
    mistakes += [f"{where}: `{key}` is missing or not text" for key in texts if not _is_text(block.get(key))]
    value = block.get(verdict)
    if not isinstance(value, type_) or isinstance(value, bool) or value == "":
        mistakes.append(f"{where}: `{verdict}` is missing or wrong; it is {meaning}")
    elif kind == "clean" and value not in ("drop", "keep"):
        mistakes.append(f"{where}: `export` is {value!r}; it is {meaning}")
    elif isinstance(value, int | float) and not 0 <= value <= 1:
        mistakes.append(f"{where}: `severity` is {value}; it is {meaning}")
    cases = block.get("case", [])
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        mistakes.append(f"{where}: `case` is not a list of tables; each case begins with [[rule.case]]")
        cases = []
    elif not all(any(case.get("fires") is answer for case in cases) for answer in (True, False)):
        mistakes.append(f"{where}: needs a case that fires and one that does not")
    for case in cases:
        mistakes += _unknown_keys(case, {*COLUMNS[kind], "fires"}, f"{where}, case")
        mistakes += _wrong_types(case, kind, f"{where}, case")
    when = block.get("when")
    if isinstance(when, str):
        mistakes += [f"{where}: {mistake}" for mistake in _bad_expression(when, kind)]
    if not all(_is_text(block.get(key)) for key in texts):
        return mistakes, None
    return mistakes, Rule(block["name"], block["why"], block["when"], value, tuple(cases))


def _kind(path: Path) -> str:
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
