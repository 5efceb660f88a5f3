"""What responses say of themselves: weak evidence that is reported and never decides.

A model says what its training data says; many that learned from ChatGPT call themselves ChatGPT. And a
response may quote, translate or play a part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from curate.rules import RuleSet

# The kind of a claim that contradicts the class, and of one by a response of unknown class.
AGAINST, ALONE = "claim", "claim_alone"
# The claim that suits every model that a record may name.
MACHINE = "says_machine"
# What may stand before a sentence that says who speaks.
WORDS = (
    r"(?i:yes|no|well|sure|hi|hello|hey|hi there|hello there|indeed|actually|certainly|of course|correct|sorry|thanks"
    r"|thank you|nice to meet you|great question|good question|also|however|unfortunately"
    r"|(?:please )?(?:note|remember|keep in mind) that)[,:!]? "
)
GREETING = f"^{WORDS}"
# Sentences in the first person that may say who speaks. Only where a sentence begins: what stands behind a colon, a
# quotation mark or `whether` is somebody else's. `as`, and a clause behind `but` or `since`, may stand inside.
SAYING = (
    rf"(?:^|\n|[.!?]\s+)[ \t]*(?:{WORDS})?"
    r"(?:[Ii] am|[Ii]['’]m|I was (?:created|trained|developed|made|built)|[Mm]y name is|[Yy]ou can call me|This is|As)"
    r"\s(?:[^.!?\n]|\.\d){1,200}"
    r"|(?:[,;] as|,? (?:but|since|because) (?:as|I am|I['’]m)|(?:that|and|because|since|so) as)"
    r"\s(?:[^.!?\n]|\.\d){1,200}"
)
SPACE = " \t\r\n,;:.!?>(-"
# `I'm sorry, but as an AI` says `as an AI`, and `as I am a model` says `I am a model`.
PREFACE = r"(?i)^(?:(?:I(?:['’]| a)m (?:very |really )?(?:sorry|afraid)|but|that|and|because|since|so),? )+"
AS_I_AM = r"(?i)^as I(?:['’]| a)m"
LONGEST = 120


def against(rows: pl.DataFrame, rule_set: RuleSet) -> pl.DataFrame:
    """The claims of each response that makes any.

    Args:
        rows: `key`, `turn`, `response` (its text), `class` and `model` (as the record states it).
        rule_set: Rules of kind `claims`.

    Returns:
        `key`, `turn`, `claims` (list of texts `kind: name of the claim: what was said`, first said first; those
        that suit the class, or without a class the stated model, left out). Responses without one are left out.
    """
    sayings = (
        rows.select("key", "turn", "class", "model", saying=pl.col("response").str.extract_all(SAYING))
        .explode("saying", empty_as_null=False, keep_nulls=False)
        .with_columns(pl.col("saying").str.strip_chars(SPACE).str.replace(GREETING, ""))
        .with_columns(pl.col("saying").str.replace(PREFACE, "").str.replace(AS_I_AM, "I am"))
    )
    found = sayings.select(
        "key",
        "turn",
        "class",
        "model",
        "saying",
        claim=pl.concat_list(pl.when(rule.expression).then(pl.lit(rule.name)) for rule in rule_set.rules),
    ).explode("claim", empty_as_null=False, keep_nulls=False)
    refutes = {rule.name: list(rule.verdict) for rule in rule_set.rules}
    speaks = pl.col("claim").replace_strict(refutes, default=None, return_dtype=pl.List(pl.String))
    kind = (
        pl.when(pl.col("class").is_null() & ~_is_stated())
        .then(pl.lit(ALONE))
        .when(speaks.list.contains(pl.col("class")))
        .then(pl.lit(AGAINST))
    )
    text = pl.format("{}: {}: {}", kind, "claim", pl.col("saying").str.slice(0, LONGEST))
    return (
        found.drop_nulls("claim")
        .unique(["key", "turn", "claim"], keep="first", maintain_order=True)
        .select("key", "turn", claims=text)
        .drop_nulls("claims")
        .group_by("key", "turn", maintain_order=True)
        .agg("claims")
    )


def _is_stated() -> pl.Expr:
    """Whether the record names a model of which the saying has a word, as `I'm Claude` of `claude-2`."""
    model = pl.col("model").fill_null("").str.to_lowercase()
    named = model.str.extract_all("[a-z]{3,}")
    said = pl.col("saying").str.to_lowercase().str.extract_all("[a-z]{3,}")
    return (named.list.set_intersection(said).list.len() > 0) | ((pl.col("claim") == MACHINE) & (model != ""))
