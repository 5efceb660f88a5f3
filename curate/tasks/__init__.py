"""The task of every conversation: maths, code, reasoning … by rules over its prompts, then by likeness."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from curate import rules
from curate.console import Talk
from curate.errors import CurateError, RuleError, did_you_mean
from curate.responses import messages
from curate.schema import TABLES
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from curate.rules import RuleSet
    from curate.workspace import Workspace

    # Prompts in, the task of each or None out.
    Tell = Callable[[list[str]], list[str | None]]

VERSION = 1  # rises when a column of the same name changes its value

OTHER = "other"
SEMANTIC = "semantic"
TASKS = ("maths", "code", "reasoning", "writing", "extraction", "translation", "role-play", OTHER)

PROMPT = 2_000  # characters; what is asked stands at the beginning or the end
END = 400
EACH = 300
SYSTEM = 1_000
RESPONSE = 4_000

_VISIBLE = r"[^\s\u200b\u200c\u200d\u2060\ufeff]"
_CODE_FENCE = (
    r"```(?i:python|py|javascript|js|jsx|typescript|ts|tsx|java|c|cpp|c\+\+|csharp|c#|cs|go|golang|rust|php|ruby|swift|"
    r"kotlin|scala|perl|lua|dart|haskell|matlab|vba|vbnet|powershell|bash|sh|shell|sql|html|css|scss|xml|json|yaml|"
    r"dockerfile|makefile|diff|solidity|jinja|graphql|arduino|assembly|objectivec|vim|r)\s*\n"
)
_FORMULA = r"\\(?:frac|sqrt|boxed|cdot|times|sum|int|begin\{)|\$\$"
_NUMBER = (
    r"(?i)\d+(?:[.,]\d+)*|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|twenty|thirty|hundred|"
    r"half|third|quarter|twice|double|triple|percent)\b"
)


def load(name: str = "tasks.toml") -> RuleSet:
    """The task rules of a file, checked.

    Raises:
        RuleError: With every mistake, including a task that there is not.
    """
    found = rules.load(name, "tasks")
    mistakes = [
        f"  - rule `{rule.name}`: no task `{rule.verdict}`; {did_you_mean(rule.verdict, TASKS)}"
        for rule in found.rules
        if rule.verdict not in TASKS
    ]
    if mistakes:
        raise RuleError("the rule file names tasks that there are not:\n" + "\n".join(mistakes), where=found.path)
    return found


def features(conversations: pl.DataFrame) -> pl.DataFrame:
    """What task rules may ask about, one row per conversation; `rules.COLUMNS["tasks"]` says what each means.

    Args:
        conversations: Rows with `key`, `messages`, `task` and `source`.
    """
    role, content = pl.col("role"), pl.col("content")
    user, assistant = role == "user", role == "assistant"
    asked = (
        messages(conversations.select("key", "messages"))
        .group_by("key", maintain_order=True)
        .agg(
            prompt=content.filter(user & content.str.contains(_VISIBLE)).first(),
            prompts=content.filter(user).str.slice(0, EACH).str.join("\n"),
            system=content.filter(role == "system").str.join("\n").str.slice(0, SYSTEM),
            turns=user.sum().cast(pl.Int64),
            responses=assistant.sum().cast(pl.Int64),
            code_responses=(assistant & content.str.contains(_CODE_FENCE)).sum().cast(pl.Int64),
            maths_responses=(assistant & content.str.slice(0, RESPONSE).str.contains(_FORMULA)).sum().cast(pl.Int64),
        )
    )
    return (
        conversations.select("key", "source", stated="task")
        .join(asked, on="key", how="left", maintain_order="left")
        .with_columns(prompt=pl.col("prompt").str.strip_chars())
        .with_columns(
            beginning=pl.col("prompt").str.slice(0, END),
            ending=pl.col("prompt").str.tail(END),
            prompt=pl.col("prompt").str.slice(0, PROMPT),
            system=pl.when(pl.col("system") != "").then("system"),
        )
        .with_columns(numbers=pl.col("prompt").str.count_matches(_NUMBER).cast(pl.Int64))
    )



def by_rules(rows: pl.DataFrame, rule_set: RuleSet) -> pl.DataFrame:
    """`key`, `task` and `rule` by the first rule that fires; `other` and null where none does.

    Args:
        rows: As `features` makes them.
        rule_set: Rules of kind `tasks`.
    """
    # Each rule sees only what the ones before it left: half the time of asking all of them about everything.
    left, decided = rows, []
    for rule in rule_set.rules:
        fires = left.select(rule.expression.fill_null(False)).to_series()
        decided.append(left.filter(fires).select("key", task=pl.lit(rule.verdict), rule=pl.lit(rule.name)))
        left = left.filter(~fires)
    decided.append(left.select("key", task=pl.lit(OTHER), rule=pl.lit(None, pl.String)))
    return rows.select("key").join(pl.concat(decided), on="key", how="left", maintain_order="left")


def by_likeness(rows: pl.DataFrame, decided: pl.DataFrame, tell: Tell) -> pl.DataFrame:
    """What the rules decided, and `tell` for the prompts that none of them knew, as the rule `semantic`.

    Args:
        rows: As `features` makes them.
        decided: As `by_rules` makes it.
        tell: Prompts in, the task of each or None out.
    """
    open_ = rows.join(decided.filter(pl.col("rule").is_null()), on="key", how="semi").drop_nulls("prompt")
    told = pl.Series(tell(open_["prompt"].to_list()), dtype=pl.String)
    found = open_.select("key", told=told)
    return decided.join(found, on="key", how="left", maintain_order="left").select(
        "key",
        task=pl.coalesce("told", "task"),
        rule=pl.when(pl.col("told").is_not_null()).then(pl.lit(SEMANTIC)).otherwise("rule"),
    )


def assign(
    workspace: Workspace,
    *,
    rules_file: str = "tasks.toml",
    examples_file: str = "tasks_examples.toml",
    semantic: bool = False,
    embedder: str | None = None,
    talk: Talk | None = None,
) -> dict[str, int]:
    """Fill the table `tasks`, one row per conversation. It takes the workspace's lock itself.

    Args:
        workspace: The workspace.
        rules_file: Rule file of kind `tasks`, by path or name; its first rule that fires decides.
        examples_file: File of kind `examples` that `semantic` learns from.
        semantic: Ask the classifier about what no rule knows; needs the extra `semantic`.
        embedder: Folder or name of a sentence-transformers model; without one, the one that the extra brings.
        talk: Where progress goes.

    Returns:
        Conversations per task, most first.

    Raises:
        RuleError: A file has mistakes.
        CurateError: An embedder without `semantic`, or one that cannot be loaded.
        MissingExtraError: `semantic` without the extra.
    """
    if embedder and not semantic:
        raise CurateError("`embedder` has no effect without `semantic`", hint="curate label --semantic --embedder NAME")
    rule_set = load(rules_file)
    if not workspace.shards("conversations"):
        return {}
    talk = talk or Talk(quiet=True)
    rows = workspace.scan("conversations").select(pl.len()).collect().item()
    with workspace.lock(), talk.progress("tasks", rows, "conversations") as advance:
        store = workspace.path / "embeddings.sqlite"
        tell, likeness = teller(store, examples_file, embedder, advance) if semantic else (None, None)

        def shard(index: int) -> pa.Table:
            known = workspace.read("conversations", index, ["key", "messages", "task", "source"])
            found = features(known)
            with rules.evaluating(rule_set):
                decided = by_rules(found, rule_set)
            if tell:
                advance(decided["rule"].count())
                decided = by_likeness(found, decided, tell)
            return decided.to_arrow().cast(TABLES["tasks"].arrow)

        options = {"version": VERSION, "rules": rule_set.fingerprint, "semantic": likeness}
        # The classifier's vectors are kept in a file that one process writes.
        workspace.map("tasks", shard, inputs=["conversations"], options=options, here=semantic, processes=True)
    counts = workspace.scan("tasks").group_by("task").len().collect(engine="streaming")
    counts = counts.sort("len", "task", descending=[True, False])
    return dict(counts.iter_rows())


def teller(
    store: Path,
    examples_file: str = "tasks_examples.toml",
    embedder: str | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[Tell, str]:
    """A classifier as a function of prompts, and what its answers depend on; it is trained when it is first asked.

    Args:
        store: Where vectors are kept.
        examples_file: File of kind `examples`.
        embedder: Folder or name of a sentence-transformers model.
        advance: Told how many prompts are done.

    Raises:
        RuleError: The examples have mistakes.
        MissingExtraError: The extra `semantic` is not installed.
    """
    from curate import embedding
    from curate.tasks import prototypes

    examples = prototypes.load(examples_file)
    model = embedding.Embedder(embedder or embedding.DEFAULT)
    prompts = [prompt for of_task in examples.prompts.values() for prompt in of_task]

    @cache
    def classifier() -> prototypes.Classifier:
        return prototypes.train(examples, embedding.cached(prompts, model, store, lambda _: None))

    def tell(texts: list[str]) -> list[str | None]:
        return classifier().tell(embedding.cached(texts, model, store, advance)) if texts else []

    return tell, fingerprint(examples.fingerprint, model.id)
