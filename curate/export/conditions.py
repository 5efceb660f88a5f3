"""Conditions: the text that the prompt of a response carries, chosen by rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from curate import rules
from curate.errors import RuleError

if TYPE_CHECKING:
    from curate.rules import RuleSet

# OpenChat tokenises the condition with special tokens live, so one inside it would become a control token there. Here
# it is text whatever it says; but shards of text are tokenised by others.
_MARKUP = re.compile(r"<[^>]*>|\[/?INST\]")


def load(name: str) -> RuleSet:
    """The condition rules of a file.

    Raises:
        RuleError: With every mistake, including conditions that would not survive a tokenizer.
    """
    found = rules.load(name, "conditions")
    mistakes = [f"  - rule `{rule.name}`: {why}" for rule in found.rules if (why := _mistake(rule.verdict))]
    if mistakes:
        raise RuleError("conditions must be plain text:\n" + "\n".join(mistakes), where=found.path)
    return found


def check_tokens(conditions: RuleSet, specials: set[str]) -> None:
    """See that no condition holds a special token of the tokenizer in use.

    Raises:
        RuleError: One does.
    """
    for rule in conditions.rules:
        if found := sorted(token for token in specials if token and token in str(rule.verdict)):
            what = f"the condition {rule.verdict!r} of rule `{rule.name}` holds the special token `{found[0]}`"
            raise RuleError(what, where=conditions.path, hint="say it in plain words")


def choose(conditions: RuleSet) -> pl.Expr:
    """The condition by the first rule that answers true; null where none does."""
    return pl.coalesce([pl.when(rule.expression).then(pl.lit(rule.verdict)) for rule in conditions.rules])


def _mistake(text: str) -> str | None:
    if not text.isprintable():
        return f"{text!r} has a control character"
    if text != text.strip():
        return f"{text!r} begins or ends with a space"
    if _MARKUP.search(text):
        return f"{text!r} looks like a special token"
    if ":" in text:
        return f"{text!r} has a colon, which ends a role prefix: `GPT4 User:`"
    return None
