"""What a rule saw in a row, on one line: the text around what its regular expressions found, and its figures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.console import plain

if TYPE_CHECKING:
    from curate.rules import Rule

AROUND = 70  # characters on each side of where a regular expression begins to match
SHORT = 80  # characters of any other text
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
        if isinstance(value, str) and column in patterns:
            begins = (_begin(value, pattern) for pattern in patterns[column])
            texts += [f"{column}: {_around(value, begin)}" for begin in begins if begin is not None][:1]
        elif isinstance(value, str):
            texts.append(f"{column}: {short(value)}")
        else:
            figures.append(f"{column} = {_figure(value)}")
    known = [figure for figure in figures if not figure.endswith(" = null")]
    return plain("; ".join(texts + known if texts or known else figures))


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
