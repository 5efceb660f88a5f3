"""Who decides the class of a response, and what speaks against it.

The first that knows decides: the side file, the rules, the class stated for the source, the assumed class. An
impossible class becomes unknown. What speaks against the decision is listed as texts `kind: what`:

side_file           a rule says another class than the side file, or the side file a model that no rule knows
source              the record names a model, and the class is that of its source (or assumed)
conversation_model  the conversation names a model of another class than the message
impossible          the class could not be, and was taken away
claim               the response says that it is something else
claim_alone         the response says what it is, its class is unknown, and its record names no such model
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from curate import rules
from curate.label import claims, stated
from curate.responses import responses

if TYPE_CHECKING:
    from curate.label.side_file import SideFile
    from curate.rules import RuleSet

LONGEST = 200


@dataclass(frozen=True)
class Policy:
    """Everything that classes depend on."""

    rules: RuleSet
    impossible: RuleSet
    claims: RuleSet
    side: SideFile | None
    sources: dict[str, str]
    assume: str | None

    @property
    def options(self) -> dict[str, object]:
        """The policy as plain values: for the manifest and the fingerprint."""
        return {
            "rules": self.rules.fingerprint,
            "impossible": self.impossible.fingerprint,
            "claims": self.claims.fingerprint,
            "labels": self.side.fingerprint if self.side else None,
            "sources": self.sources,
            "assume": self.assume,
        }


def decide(conversations: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The rows of the table `labels`.

    Args:
        conversations: Rows with the columns of the table `conversations`, `edits` and the like aside.
        policy: What decides.
    """
    rows = response_rows(conversations)
    with rules.evaluating(policy.rules):
        rows = _other_model(_by_rules(rows, policy.rules), policy.rules)
    rows = policy.side.join(rows) if policy.side else rows.with_columns(stated.NOBODY)
    rows = stated.join(rows, policy.sources, policy.assume)
    by_side, by_rule = pl.col("side_decides").fill_null(False), pl.col("rule_name").is_not_null()

    def first(side: pl.Expr, rule: str, source: str) -> pl.Expr:
        return pl.when(by_side).then(side).when(by_rule).then(pl.col(rule)).otherwise(pl.col(source))

    rows = rows.with_columns(
        first(pl.col("side_class"), "rule_class", "source_class").alias("class"),
        rule=first(pl.lit("side_file"), "rule_name", "source_rule"),
        evidence=first(pl.col("side_evidence"), "rule_evidence", "source_evidence"),
    ).with_columns(
        against_side=pl.when(by_side & by_rule & pl.col("side_class").ne_missing(pl.col("rule_class"))).then(
            _said("side_file: the rule {} says {} ({})", "rule_name", "rule_class", "rule_evidence")
        )
        .when(~by_side & pl.col("side_evidence").is_not_null() & pl.col("class").is_not_null())
        .then(_said("side_file: {}, which no rule knows", "side_evidence")),
        against_source=pl.when(~by_side & ~by_rule & pl.col("source_class").is_not_null() & _named("model")).then(
            _said("source: the record says model = {}", "model")
        ),
    )
    with rules.evaluating(policy.impossible):
        rows = _take_away(rows, policy.impossible)
    with rules.evaluating(policy.claims):
        rows = rows.join(claims.against(rows, policy.claims), on=["key", "turn"], how="left", maintain_order="left")
    spoken = pl.concat_list("against_side", "against_source", "against_message", "against_date").list.drop_nulls()
    nothing = pl.lit([], pl.List(pl.String))
    return rows.select(
        "key",
        "turn",
        "class",
        "rule",
        pl.col("evidence").str.slice(0, LONGEST),
        conflicts=pl.concat_list(spoken, pl.col("claims").fill_null(nothing)),
    )


def verdict(rule_set: RuleSet) -> tuple[pl.Expr, pl.Expr]:
    """Verdict and name of the first rule that fires; null where none does."""
    class_, name = pl.lit(None, pl.String), pl.lit(None, pl.String)
    for rule in reversed(rule_set.rules):
        class_ = pl.when(rule.expression).then(pl.lit(rule.verdict)).otherwise(class_)
        name = pl.when(rule.expression).then(pl.lit(rule.name)).otherwise(name)
    return class_, name


def response_rows(conversations: pl.DataFrame) -> pl.DataFrame:
    """A row per response with every column that a rule, the side file or a claim asks about."""
    origin = conversations.select(
        "key",
        "source",
        "source_file",
        "source_id",
        "source_row",
        "content_hash",
        conversation_model="model",
        created_at=pl.col("created_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        marks=pl.col("marks").list.join(",").fill_null(""),
    )
    return (
        responses(conversations.select("key", "messages"))
        .drop("prompt", "last")
        .join(origin, on="key", how="left", maintain_order="left")
        .with_columns(message_model="model", model=pl.coalesce("model", "conversation_model"))
    )


def _by_rules(rows: pl.DataFrame, rule_set: RuleSet) -> pl.DataFrame:
    class_, name = verdict(rule_set)
    rows = rows.with_columns(rule_class=class_, rule_name=name)
    evidence = pl.lit(None, pl.String)
    for rule in rule_set.rules:
        seen = sorted(rule.expression.meta.root_names(), key=list(rules.COLUMNS["labels"]).index)
        values = [pl.format("{} = {}", pl.lit(column), pl.col(column)) for column in seen]
        evidence = (
            pl.when(pl.col("rule_name") == rule.name)
            .then(pl.concat_str(values, separator="; ", ignore_nulls=True))
            .otherwise(evidence)
        )
    return rows.with_columns(rule_evidence=evidence.str.slice(0, LONGEST))


def _other_model(rows: pl.DataFrame, rule_set: RuleSet) -> pl.DataFrame:
    """Rows with what the conversation's model says where it is of another class than the message's own."""
    class_, _ = verdict(rule_set)
    asked = rows.filter(_named("message_model"), _named("conversation_model")).filter(
        pl.col("message_model") != pl.col("conversation_model")
    )
    other = (
        asked.with_columns(model="conversation_model")
        .with_columns(conversation_class=class_)
        .filter(pl.col("conversation_class").ne_missing(pl.col("rule_class")))
        .select(
            "key",
            "turn",
            against_message=_said("conversation_model: model = {} is {}", "conversation_model", "conversation_class"),
        )
    )
    return rows.join(other, on=["key", "turn"], how="left", maintain_order="left")


def _take_away(rows: pl.DataFrame, impossible: RuleSet) -> pl.DataFrame:
    """Classes that cannot be become unknown, under the name of the rule that says so."""
    name = pl.lit(None, pl.String)
    for rule in reversed(impossible.rules):
        name = pl.when((pl.col("class") == rule.verdict) & rule.expression).then(pl.lit(rule.name)).otherwise(name)
    rows = rows.with_columns(never=name)
    never = pl.col("never").is_not_null()
    why = _said("impossible: {} by {} ({}), created_at = {}", "class", "rule", "evidence", "created_at")
    return rows.with_columns(
        pl.when(~never).then("class").alias("class"),
        rule=pl.when(never).then("impossible:" + pl.col("never")).otherwise("rule"),
        evidence=pl.when(never).then(_said("{}; created_at = {}", "evidence", "created_at")).otherwise("evidence"),
        against_date=pl.when(never).then(why),
    )


def _named(column: str) -> pl.Expr:
    return pl.col(column).str.contains(r"\S").fill_null(False)


def _said(text: str, *columns: str) -> pl.Expr:
    return pl.format(text, *(pl.col(column).fill_null("unknown").str.slice(0, LONGEST) for column in columns))
