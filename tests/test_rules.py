"""A rule file holds as a whole or says everything that is wrong with it, and can reach nothing but its columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from curate import rules
from curate.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable

SHIPPED = sorted((Path(__file__).parents[1] / "rules").rglob("*.toml"))

GOOD = """\
[[rule]]
name = "from_x"
why = "Made up."
when = "model = 'x'"
class = "gpt-4"
  [[rule.case]]
  model = "x"
  fires = true
  [[rule.case]]
  model = "y"
  fires = false
"""


@pytest.fixture
def rule_file(tmp_path: Path) -> Callable[..., str]:
    """A file of label rules: the good rule with some of its text replaced."""

    def write(*changes: tuple[str, str], text: str = GOOD, kind: str = "labels") -> str:
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "mine.toml"
        path.write_text(f'schema = 1\nkind = "{kind}"\n{text}')
        return str(path)

    return write


def mistakes(file: str) -> str:
    with pytest.raises(RuleError) as caught:
        rules.check(file)
    assert caught.value.where == file
    return caught.value.what


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_file_holds(path: Path) -> None:
    assert rules.check(str(path)).rules > 0


def test_every_shipped_rule_says_why_and_has_both_kinds_of_case() -> None:
    for name, kind in (("labels", "labels"), ("clean", "clean"), ("defects", "defects"), ("conditions", "conditions")):
        for rule in rules.load(f"{name}.toml", kind).rules:
            assert len(rule.why) > 20, rule.name
            assert {case["fires"] for case in rule.cases} == {True, False}, rule.name


def test_the_good_rule_holds(rule_file: Callable[..., str]) -> None:
    checked = rules.check(rule_file())
    assert (checked.kind, checked.rules, checked.cases) == ("labels", 1, 2)


def test_all_mistakes_are_told_at_once_with_where_and_the_nearest_key(rule_file: Callable[..., str]) -> None:
    second = GOOD.replace("from_x", "from_y").replace("class =", "clas =")
    said = mistakes(rule_file(("why =", "wyh ="), ("model = 'x'", "modle = 'x'"), text=GOOD + second))
    assert "rule 1 `from_x`: unknown key `wyh`; did you mean `why`?" in said
    assert "rule 1 `from_x`: `why` is missing" in said
    assert "rule 1 `from_x`: unknown column `modle`; did you mean `model`?" in said
    assert "rule 2 `from_y`: unknown key `clas`; did you mean `class`?" in said
    assert said.startswith("the rule file has ")
    assert len(said.splitlines()) == 1 + int(said.split()[4])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("model = 'x'", "model || 'x'", "does not answer true or false"),
        ("model = 'x'", "model = ", "is not an expression"),
        ("model = 'x'", "model ~ '('", "regex"),
        ("model = 'x'", "count(model) > 1", "each row by itself"),
        ("model = 'x'", "row_number() OVER () > 1", "each row by itself"),
        ("model = 'x'", "true", "each row by itself"),
        ('model = "y"', 'model = "x"', "the case {model = 'x'} answers True, expected False"),
        ('model = "y"', "model = 3", "`model` is 3, it must be of type str"),
        ('model = "y"', 'modle = "y"', "unknown key `modle`; did you mean `model`?"),
        ("fires = false", 'fires = "no"', "`fires` is 'no', it must be of type bool"),
        ("fires = false", "fires = [false]", "`fires` is [False]"),
        ("  fires = false\n", "", "needs a case that fires and one that does not"),
        ("[[rule.case]]\n  model = \"y\"\n  fires = false", "", "needs a case that fires and one that does not"),
        ("[[rule]]", "[rule]", "the file has no [[rule]]"),
        (GOOD, "", "the file has no [[rule]]"),
        (GOOD, "rule = 'x'", "the file has no [[rule]]"),
        (GOOD, GOOD + GOOD, "the name `from_x` is taken"),
        ('class = "gpt-4"', 'class = ""', "`class` is missing or wrong"),
        ('class = "gpt-4"', "class = 4", "`class` is missing or wrong"),
        ('name = "from_x"', 'name = " "', "`name` is missing or not text"),
        ("schema = 1", "schema = 2", "this curate reads 1"),
        ('kind = "labels"', 'kind = "lables"', "unknown `kind` 'lables'"),
        ('name = "from_x"', "name = from_x", "not TOML"),
    ],
)
def test_each_mistake_has_a_sentence_of_its_own(
    rule_file: Callable[..., str], old: str, new: str, says: str
) -> None:
    path = Path(rule_file())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert says in mistakes(str(path))


def test_cases_that_are_no_tables_are_a_mistake(rule_file: Callable[..., str]) -> None:
    head = GOOD.split("  [[rule.case]]")[0]
    assert "`case` is not a list of tables" in mistakes(rule_file(text=head + "case = [1, 2]\n"))
    assert "`case` is not a list of tables" in mistakes(rule_file(text=head + "case = {model = 'x', fires = true}\n"))


@pytest.mark.parametrize("severity", ["-0.1", "1.1", "nan", "true", '"high"'])
def test_a_severity_is_a_number_from_0_to_1(rule_file: Callable[..., str], severity: str) -> None:
    text = (
        f"[[rule]]\nname = 'x'\nwhy = 'y'\nwhen = 'chars = 0'\nseverity = {severity}\n"
        "case = [{chars = 0, fires = true}, {chars = 1, fires = false}]\n"
    )
    assert "`severity` is" in mistakes(rule_file(text=text, kind="defects"))


@pytest.mark.parametrize(
    "attempt",
    [
        "model = read_csv('/etc/passwd')",
        "model = (SELECT column_0 FROM read_csv('/etc/passwd'))",
        "model IN (SELECT * FROM read_parquet('x.parquet'))",
        "model = readfile('/etc/passwd')",
        "model = __import__('os')",
        "eval('1') = model",
        "getenv('HOME') = model",
        "model = 'x'; DROP TABLE rules",
        "random() > 0.5",
    ],
)
def test_a_rule_reads_no_file_runs_no_code_and_throws_no_dice(rule_file: Callable[..., str], attempt: str) -> None:
    assert "is not an expression" in mistakes(rule_file(("model = 'x'", attempt)))


def test_a_file_that_is_not_there_is_named_with_its_nearest_neighbour() -> None:
    with pytest.raises(RuleError, match=r"no rule file `labls\.toml`") as caught:
        rules.load("labls.toml", "labels")
    assert caught.value.hint == "did you mean `labels`?"


def test_a_file_is_found_by_path_and_by_name_with_and_without_its_ending(rule_file: Callable[..., str]) -> None:
    assert rules.locate("labels") == rules.locate("labels.toml")
    assert rules.locate(rule_file()) == rules.locate(rule_file().removesuffix(".toml")) == Path(rule_file())


def test_a_file_without_rules_says_so() -> None:
    with pytest.raises(RuleError, match="a file of kind `keep` has no rules"):
        rules.load("keep.toml", "keep")


def test_only_what_decides_changes_the_fingerprint(rule_file: Callable[..., str]) -> None:
    before = rules.load(rule_file(), "labels").fingerprint
    assert rules.load(rule_file(("Made up.", "Another reason.")), "labels").fingerprint == before
    assert rules.load(rule_file(('model = "y"', 'model = "z"')), "labels").fingerprint == before
    assert rules.load(rule_file(('"gpt-4"', '"gpt-5"')), "labels").fingerprint != before


NAMES = {
    "gpt-4": "gpt-4",
    "GPT-4": "gpt-4",
    "openai/gpt-4": "gpt-4",
    "gpt-4-0314": "gpt-4",
    "gpt-4-32k-0613": "gpt-4",
    "gpt-4-turbo": "gpt-4",
    "gpt-4o": "gpt-4",
    "Model: GPT-4": "gpt-4",
    "gpt-3.5-turbo": "gpt-3.5",
    "gpt-3.5-turbo-16k-0613": "gpt-3.5",
    "Model: Default (GPT-3.5)": "gpt-3.5",
    "Model: Legacy (GPT-3.5)": "gpt-3.5",
    "text-davinci-002-render-sha": "gpt-3.5",
    "chatgpt": "gpt-3.5",
    "human": "human",
    "text_davinci_003": None,
    "text-davinci-003": None,
    "gpt4all-13b-snoozy": None,
    "gpt4all-j": None,
    "gpt4_gamed": None,
    "gpt-4o-mini": None,
    "gpt-4o-mini-2024-07-18": None,
    "gpt-4.1-nano": None,
    "gpt-40": None,
    "not-gpt-4": None,
    "vicuna-13b": None,
    "humanizer": None,
    "": None,
    None: None,
}


@pytest.mark.parametrize(("model", "expected"), NAMES.items())
def test_real_model_names_get_the_right_class_or_none(model: str | None, expected: str | None) -> None:
    row = pl.DataFrame([{"model": model}], schema=rules.schema("labels"))
    shipped = rules.load("labels.toml", "labels").rules
    verdicts = {rule.verdict for rule in shipped if row.select(rule.expression).item()}
    assert verdicts == ({expected} if expected else set())


def test_a_file_in_the_working_folder_never_stands_in_for_one_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working folder may be somebody else's data set."""
    monkeypatch.chdir(tmp_path)
    ours = rules.locate("labels")
    for folder in (tmp_path, tmp_path / "rules"):
        folder.mkdir(exist_ok=True)
        (folder / "labels.toml").write_text(ours.read_text())
    assert rules.locate("labels") == rules.locate("labels.toml") == ours
    assert rules.locate("./labels.toml").resolve() == tmp_path / "labels.toml"
