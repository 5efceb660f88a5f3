"""What a rule saw in a row, on one line: the text around what its regular expressions found, and its figures.

Where a rule asks about figures alone, a piece of the conversation is shown beside them: the place of the personal
data that it counts, else how the message begins. Personal data stands there as its placeholder.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl

from curate import redact
from curate.clean import features, personal
from curate.console import plain
from curate.responses import messages

if TYPE_CHECKING:
    from curate.rules import Rule

AROUND = 70  # characters on each side of where a regular expression begins to match
SHORT = 80  # characters of any other text
# Columns that are text and say nothing of what is written.
_NO_TEXT = ("first_role", "last_role", "language", "prompt_language", "marks")
# `column ~* 'pattern'`, `!~` too; a quote in SQL is doubled.
_PATTERN = re.compile(r"\b([a-z_]+)\s*(!?)~(\*?)\s*'((?:[^']|'')*)'")


def asked(rule: Rule) -> list[str]:
    """The columns that a rule asks about, each once."""
    return list(dict.fromkeys(rule.expression.meta.root_names()))


def seen(rule: Rule, row: dict[str, Any]) -> str:
    """What the rule saw, inert for a terminal.

    Args:
        rule: A rule that fires on the row.
        row: At least the columns that the rule asks about.
    """
    patterns = _patterns(rule.when)
    texts, figures = [], []
    for column in asked(rule):
        value = row[column]
        if isinstance(value, str) and column == "ending":
            texts.append(f"{column}: {_cut(value, max(0, len(value) - 2 * AROUND), len(value))}")
        elif isinstance(value, str) and column in patterns:
            begins = (_begin(value, pattern) for pattern in patterns[column])
            texts += [f"{column}: {_around(value, begin)}" for begin in begins if begin is not None][:1]
        elif isinstance(value, str):
            texts.append(f"{column}: {short(value)}")
        else:
            figures.append(f"{column} = {_figure(value)}")
    known = [figure for figure in figures if not figure.endswith(" = null")]
    return plain("; ".join(texts + known if texts or known else figures))


def shows_text(rule: Rule, row: dict[str, Any]) -> bool:
    """Whether `seen` shows a piece of the conversation, and not figures or what a model says of it alone."""
    return any(isinstance(row[column], str) and column not in _NO_TEXT for column in asked(rule))


def beside(rule: Rule, conversation: pl.DataFrame, turn: int | None) -> str:
    """A piece of a conversation for a rule that saw none, inert for a terminal; empty where there is no text.

    Args:
        rule: A rule that fires on it.
        conversation: One row with `key` and `messages`.
        turn: Index of the message; None where the rule is about the conversation.
    """
    spans = personal.find(messages(conversation)).sort("turn", "begin")
    listed = spans.group_by("key").agg(redact=pl.struct("turn", "begin", "end", "kind"))
    said = redact.redacted(conversation, listed)["messages"][0].to_list()
    kinds = [kind for kind, column in features.PERSONAL.items() if column in asked(rule)]
    for span in spans.filter(pl.col("kind").is_in(kinds)).head(1).to_dicts():
        text, place = said[span["turn"]]["content"], redact.placeholder(span["kind"])
        return plain(f"{said[span['turn']]['role']}: {_around(text, text.find(place))}")
    told = [said[turn]] if turn is not None else sorted(said, key=lambda message: message["role"] != "assistant")
    begins = (f"{message['role']}: {short(message['content'])}" for message in told if message["content"].strip())
    return plain(next(begins, ""))


def short(text: str) -> str:
    """The beginning of a text, on one line."""
    return _cut(text, 0, SHORT)


def _patterns(when: str) -> dict[str, list[str]]:
    """The regular expressions that a column shall match, in their order."""
    found: dict[str, list[str]] = {}
    for column, negated, insensitive, pattern in _PATTERN.findall(when):
        if not negated:
            found.setdefault(column, []).append(("(?i)" if insensitive else "") + pattern.replace("''", "'"))
    return found


def _begin(text: str, pattern: str) -> int | None:
    """Where a pattern, in the dialect of the rules, first matches, in characters."""
    place = pl.Series([text]).str.find(pattern).item()
    return None if place is None else len(text.encode()[:place].decode(errors="ignore"))


def _around(text: str, begin: int) -> str:
    return _cut(text, max(0, begin - AROUND), begin + AROUND)


def _cut(text: str, begin: int, end: int) -> str:
    piece = " ".join(text[begin:end].split())
    return f"{'…' if begin else ''}{piece}{'…' if end < len(text) else ''}"


def _figure(value: object) -> str:
    return "null" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
