"""Which cleaning rules fired on one conversation, and on what of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curate import rules
from curate.clean import features
from curate.errors import CurateError
from curate.explain.excerpts import asked, beside, seen, shows_text
from curate.show.story import Fired

if TYPE_CHECKING:
    from curate.rules import Rule
    from curate.workspace import Workspace

FILE = "clean.toml"


def fired(ws: Workspace, conversation: dict[str, Any], flags: list[dict[str, Any]]) -> tuple[Fired, ...]:
    """The rules that fired.

    Args:
        ws: The workspace.
        conversation: Its row of the table, redacted if the workspace is.
        flags: Its row of the table `flags`; empty = it has none.
    """
    names = flags[0]["rules"] if flags else []
    if not names:
        return ()
    turns: dict[str, list[int]] = {name: [] for name in names}
    for hit in flags[0]["turns"] or ():
        turns.setdefault(hit["rule"], []).append(hit["turn"])
    known = _known(ws)
    return tuple(
        Fired(
            rule=name,
            turns=tuple(turns[name]),
            export=str(known[name].verdict) if name in known else None,
            why=" ".join(known[name].why.split()) if name in known else None,
            saw=_saw(known[name], conversation, turns[name]) if name in known else None,
        )
        for name in names
    )


def _known(ws: Workspace) -> dict[str, Rule]:
    """The rules by name, if they are still those that fired."""
    used = ws.manifest.get("stages", {}).get("clean", {}).get("rules")
    try:
        rule_set = rules.load(FILE, "clean", check_cases=False)
    except CurateError:
        return {}
    return {rule.name: rule for rule in rule_set.rules} if used in (None, rule_set.fingerprint) else {}


def _saw(rule: Rule, conversation: dict[str, Any], turns: list[int]) -> str | None:
    """What the rule sees in the conversation as it is shown here; None = nothing any more, it was redacted."""
    frame = pl.DataFrame(
        [{"key": 0, "messages": conversation["messages"], "marks": conversation["marks"]}],
        schema_overrides={"key": pl.UInt64, "marks": pl.List(pl.String)},
    )
    wanted = asked(rule)
    if rule.unit == "conversation":
        rows = features.of_conversations(frame, wanted, None)
    else:
        rows = features.of_messages(frame, rule.unit, wanted)
    rows = rows.filter(rule.expression)
    turn = turns[0] if turns else None
    if turn is not None:
        rows = rows.filter(pl.col("turn") == turn)
    if rows.is_empty():
        return None
    row = rows.row(0, named=True)
    text = seen(rule, row)
    return text if shows_text(rule, row) else "; ".join(filter(None, (text, beside(rule, frame.drop("marks"), turn))))
