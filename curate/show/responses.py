"""What the tables say of one response: its label, what was said by hand, its score, and what it repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from curate.show.story import Label, Said, Score

if TYPE_CHECKING:
    from curate.dedup.explain import Explanation
    from curate.show.story import Opinion
    from curate.workspace import Workspace


def by_turn(rows: list[dict[str, Any]] | None) -> dict[int, dict[str, Any]]:
    """The rows of a conversation that has a row for each of its responses, which may be a million."""
    return {row["turn"]: row for row in rows or ()}


def label(row: dict[str, Any] | None) -> Label | None:
    """The label that a row says; None = there is none."""
    if row is None:
        return None
    return Label(row["class"], row["rule"], row["evidence"], tuple(row["conflicts"] or ()))


def said(rows: list[dict[str, Any]], turn: int) -> tuple[Said, ...]:
    """Every correction of a response, the oldest first.

    Args:
        rows: Those of the table `corrections` about the conversation, in their order.
        turn: The response.
    """
    own = [row for row in rows if row["turn"] == turn]
    undone = max((place for place, row in enumerate(own) if row["undo"]), default=-1)
    last = {name: max((p for p, row in enumerate(own) if row[name] is not None), default=-1) for name in _SAID}
    return tuple(
        Said(
            class_=row["class"],
            reward=_rounded(row["reward"]),
            undo=row["undo"],
            by=row["by"],
            at=row["at"].isoformat(timespec="seconds").replace("+00:00", "Z"),
            why=row["why"],
            holds=place > undone and any(last[name] == place for name in _SAID),
        )
        for place, row in enumerate(own)
    )


_SAID = ("class", "reward")


def opinions(
    ws: Workspace, rows: list[dict[str, Any]] | None, messages: list[dict[str, Any]]
) -> dict[int, tuple[Opinion, ...]]:
    """What each judge said of the responses of a conversation, by turn.

    Args:
        ws: The workspace.
        rows: Those of the table `scores` about the conversation.
        messages: Its messages.
    """
    from curate.judge.store import FILE

    path = ws.path / FILE
    if not rows or not path.exists():
        return {}
    from curate.show import judges

    names, titles = ([row[name] for row in rows] for name in ("judge", "rubric"))
    return judges.opinions(path, messages, [row["turn"] for row in rows], names, titles)


def score(row: dict[str, Any] | None, told: tuple[Opinion, ...]) -> Score | None:
    """The score that a row says, with what each judge said; None = there is none."""
    if row is None:
        return None
    return Score(
        reward=_rounded(row["reward"]),
        raw=_rounded(row["raw"]),
        percentile=_rounded(row["percentile"]),
        calibrated=_rounded(row["calibrated"]),
        score=_rounded(row["score"]),
        aspects={aspect["name"]: _rounded(aspect["score"]) for aspect in row["aspects"]},
        flags=tuple(row["raised"]),
        status=row["status"],
        judge=row["judge"],
        rubric=row["rubric"],
        rationale=row["rationale"],
        spread=_rounded(row["spread"]),
        samples=row["samples"],
        judged_task=row["judged_task"],
        opinions=told,
    )


def repeated(ws: Workspace, key: int) -> set[int]:
    """The responses of a conversation that repeat another's, or that others repeat."""
    if not ws.shards("repeats"):
        return set()
    rows = ws.scan("repeats")
    own = rows.filter(pl.col("key") == key).select("turn")
    kept = rows.filter((pl.col("repeats") == key) & pl.col("against").is_null()).select(turn="repeats_turn")
    return set(pl.concat([own, kept]).collect()["turn"])


def repeats(ws: Workspace, key: int, turn: int) -> Explanation:
    """Which response it goes for, or which ones go for it."""
    from curate.dedup.explain import explain_duplicate

    return explain_duplicate(ws.path, key, turn, compare=False)


def _rounded(value: float | None) -> float | None:
    """Without the digits that a float32 does not have."""
    return None if value is None else round(value, 6)
