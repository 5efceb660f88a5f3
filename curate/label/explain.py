"""Why the labels are what they are: counts and examples, by class and rule, by conflict and by claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.console import plain
from curate.label.claims import ALONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curate.workspace import Workspace

EXAMPLES = 3


@dataclass(frozen=True)
class Example:
    """One response: where it is, and what was seen."""

    key: int
    turn: int
    source: str
    evidence: str


@dataclass(frozen=True)
class Group:
    """Responses that share a class and rule, or a kind of conflict.

    Attributes:
        name: The class, the kind of conflict, or the claim.
        rule: The rule that decided; None where none did.
        count: Responses.
        examples: The first three.
    """

    name: str
    rule: str | None
    count: int
    examples: list[Example]


@dataclass(frozen=True)
class Explanation:
    """Why the labels are what they are, most first."""

    classes: list[Group]
    conflicts: list[Group]
    claims: list[Group]


def explain(workspace: Workspace) -> Explanation:
    """Counts and examples of a labelled workspace."""
    table = workspace.scan("labels").collect()
    classes = table.with_columns(pl.col("class").fill_null("unknown").alias("name"))
    texts = table.explode("conflicts", empty_as_null=False, keep_nulls=False)
    parts = texts.with_columns(pl.col("conflicts").str.splitn(": ", 2).struct.rename_fields(["kind", "text"])).unnest(
        "conflicts"
    )
    alone = pl.col("kind") == ALONE
    claims = parts.filter(alone).with_columns(
        pl.col("text").str.splitn(": ", 2).struct.rename_fields(["name", "evidence"]).alias("said")
    )
    nobody = pl.lit(None, pl.String).alias("rule")
    grouped = [
        _grouped(classes),
        _grouped(parts.filter(~alone).with_columns(nobody, name="kind", evidence="text")),
        _grouped(claims.drop("evidence").unnest("said").with_columns(nobody)),
    ]
    keys = {row["key"] for groups in grouped for group in groups for row in group["examples"]}
    wanted = workspace.scan("conversations").filter(pl.col("key").is_in(sorted(keys)))
    origin = {row["key"]: row for row in wanted.select("key", "source", "model", "messages").collect().to_dicts()}
    return Explanation(*([_group(group, origin) for group in groups] for groups in grouped))


def render(explanation: Explanation) -> Iterator[str]:
    """The lines of an explanation; nothing in them can reach the terminal but as text."""
    for title, groups in (
        ("classes", explanation.classes),
        ("conflicts: evidence against the class; only `impossible` decided, the rest did not", explanation.conflicts),
        ("claims of responses of unknown class that their record does not confirm; none decided", explanation.claims),
    ):
        if groups:
            yield ""
            yield title
        for group in groups:
            rule = f"by {plain(group.rule, 60)}" if group.rule else ""
            yield f"{group.count:>11,}  {plain(group.name, 40)} {rule}".rstrip()
            for example in group.examples:
                place = f"{example.key}:{example.turn}"
                yield f"{'':>13}{place:<12} {plain(example.source, 40)}  {plain(example.evidence, 160)}".rstrip()


def _grouped(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with `name`, `rule`, `key`, `turn`, `evidence`: a group per name and rule, most first."""
    return (
        rows.group_by("name", "rule", maintain_order=True)
        .agg(pl.len().alias("count"), pl.struct("key", "turn", "evidence").head(EXAMPLES).alias("examples"))
        .sort("count", "name", "rule", descending=[True, False, False])
        .to_dicts()
    )


def _group(group: dict[str, Any], origin: dict[int, dict[str, Any]]) -> Group:
    return Group(**{**group, "examples": [_example(row, origin[row["key"]]) for row in group["examples"]]})


def _example(row: dict[str, Any], conversation: dict[str, Any]) -> Example:
    """One response; where nothing decided, the model that the record states all the same."""
    model = conversation["messages"][row["turn"]]["model"] or conversation["model"]
    evidence = row["evidence"] or (f"model = {model}" if model else "nothing is stated")
    return Example(row["key"], row["turn"], conversation["source"], evidence)
