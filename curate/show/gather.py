"""From the tables to the story of one conversation, its rows alone being read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl

from curate import redact
from curate.corrections import store
from curate.errors import CurateError
from curate.show import edits, exports, fired, origin, responses
from curate.show.story import BenchmarkHit, Edited, Message, NotYet, Origin, Redacted, Story

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from curate.dedup.explain import Explanation
    from curate.show.find import Found
    from curate.workspace import Workspace

# Copies that are compared with the one that stays for them.
MOST_COPIES = 5
# Commands by the table that they make.
STAGES = {"flags": "clean", "labels": "label", "duplicates": "dedup", "scores": "score"}


def gather(ws: Workspace, found: Found, more_exports: Sequence[str]) -> Story:
    """The story; see `curate.show.show`."""
    shard, key, turn = found
    (row,) = redact.read(ws, shard, keys=[key]).to_dicts()
    messages: list[dict[str, Any]] = row["messages"]
    _check_turn(ws, key, turn, messages)
    lies = origin.place(ws, shard, row["source_file"], row["source_row"])
    redacting = "flags" in redact.inputs(ws)
    flags = rows_of(ws, "flags", shard, key)
    tasks = rows_of(ws, "tasks", shard, key)
    duplicate = _duplicate(ws, shard, key)
    went = exports.exports(ws, shard, key, row["content_hash"], messages, more_exports)
    turns = range(len(messages)) if turn is None else _about(messages, turn)
    return Story(
        key=key,
        turn=turn,
        content_hash=row["content_hash"],
        origin=_origin(row, lies),
        edits=tuple(row["edits"]),
        edited=_edited(lies, messages) if not redacting else None,
        redacted=_redacted(flags) if redacting else (),
        rules=fired.fired(ws, row, flags) if flags is not None else None,
        rules_unknown=tuple(flags[0]["unknown"]) if flags else (),
        task=tasks[0]["task"] if tasks else None,
        task_rule=tasks[0]["rule"] if tasks else None,
        duplicate=duplicate,
        copies=_copies(ws, duplicate),
        benchmarks=_benchmarks(ws, shard, key, messages),
        messages=tuple(_messages(ws, shard, row, turns)),
        messages_in_all=len(messages),
        exports=went,
        not_yet=_not_yet(ws, shard, went),
    )


def rows_of(ws: Workspace, table: str, shard: int, key: int) -> list[dict[str, Any]] | None:
    """The rows of a table that speak of a conversation; None = the table does not have its shard yet."""
    if not ws.shard(table, shard).exists():
        return None
    try:
        return ws.scan(table, shard).filter(pl.col("key") == key).collect().to_dicts()
    except pl.exceptions.PolarsError:
        # The checked way of reading says what is wrong with the shard.
        return ws.read(table, shard).filter(pl.col("key") == key).to_dicts()


def _check_turn(ws: Workspace, key: int, turn: int | None, messages: Sequence[dict[str, Any]]) -> None:
    if turn is None or (0 <= turn < len(messages) and messages[turn]["role"] == "assistant"):
        return
    own = ", ".join(str(place) for place, message in enumerate(messages) if message["role"] == "assistant")
    hint = f"its responses are the messages {own}" if own else "it has no response"
    raise CurateError(f"message {turn} of conversation {key} is no response", where=ws.path, hint=hint)


def _about(messages: Sequence[dict[str, Any]], turn: int) -> list[int]:
    """A response and the question right before it."""
    asked = [place for place in range(turn) if messages[place]["role"] == "user"]
    return [*asked[-1:], turn]


def _origin(row: dict[str, Any], found: origin.Found) -> Origin:
    return Origin(
        source=row["source"],
        file=row["source_file"],
        row=row["source_row"],
        joined_rows=tuple(row["joined_rows"] or ()),
        byte=found.begin,
        bytes=found.length,
        why_no_byte=found.why_not,
        id=row["source_id"],
        model=row["model"],
        created_at=None if row["created_at"] is None else row["created_at"].isoformat().replace("+00:00", "Z"),
        language=row["language"],
        task=row["task"],
        marks=tuple(row["marks"] or ()),
        rank=row["rank"],
    )


def _edited(lies: origin.Found, messages: Sequence[dict[str, Any]]) -> tuple[Edited, ...] | None:
    return edits.edited(lies.file, lies.record, messages) if lies.file and lies.record else None


def _redacted(flags: list[dict[str, Any]] | None) -> tuple[Redacted, ...]:
    spans = flags[0]["redact"] or () if flags else ()
    counts = Counter((span["turn"], span["kind"]) for span in spans)
    return tuple(Redacted(turn, kind, count) for (turn, kind), count in sorted(counts.items()))


def _duplicate(ws: Workspace, shard: int, key: int) -> Explanation | None:
    from curate.dedup.explain import explain_duplicate

    if not ws.shard("duplicates", shard).exists():
        return None
    return explain_duplicate(ws.path, key, compare=False)


def _copies(ws: Workspace, duplicate: Explanation | None) -> tuple[Explanation, ...]:
    from curate.dedup.explain import explain_duplicate

    keys = [key for key, _ in duplicate.stands_for[:MOST_COPIES]] if duplicate else []
    return tuple(explain_duplicate(ws.path, key, compare=False) for key in keys)


def _benchmarks(
    ws: Workspace, shard: int, key: int, messages: Sequence[dict[str, Any]]
) -> tuple[BenchmarkHit, ...] | None:
    hits = rows_of(ws, "contamination", shard, key)
    if hits is None:
        return None
    return tuple(
        BenchmarkHit(
            hit["turn"],
            hit["benchmark"],
            hit["item"],
            hit["column"],
            hit["kind"],
            round(hit["overlap"], 4),
            # The stretch counts on into the tool calls.
            (messages[hit["turn"]]["content"] + (messages[hit["turn"]]["tool_calls"] or ""))[hit["begin"] : hit["end"]],
        )
        for hit in hits
    )


def _messages(ws: Workspace, shard: int, row: dict[str, Any], turns: Iterable[int]) -> Iterator[Message]:
    messages, key = row["messages"], row["key"]
    labels = responses.by_turn(rows_of(ws, "labels", shard, key))
    scores = responses.by_turn(rows_of(ws, "scores", shard, key))
    turns = list(turns)
    asked = [scores[turn] for turn in sorted(set(turns)) if turn in scores]
    opinions = responses.opinions(ws, asked, messages)
    repeated = responses.repeated(ws, key)
    said = store.read(ws).filter(pl.col("content_hash") == row["content_hash"]).to_dicts()
    for turn in turns:
        message = messages[turn]
        is_response = message["role"] == "assistant"
        yield Message(
            turn=turn,
            role=message["role"],
            text=message["content"],
            model=message["model"],
            name=message["name"],
            tool_calls=message["tool_calls"],
            weight=message["weight"],
            label=responses.label(labels.get(turn)) if is_response else None,
            corrections=responses.said(said, turn) if is_response else (),
            score=responses.score(scores.get(turn), opinions.get(turn, ())) if is_response else None,
            repeats=responses.repeats(ws, key, turn) if turn in repeated else None,
        )


def _not_yet(ws: Workspace, shard: int, went: Sequence[object]) -> tuple[NotYet, ...]:
    words = {"flags": "cleaned", "labels": "labelled", "duplicates": "compared", "scores": "scored"}
    lacking = [
        NotYet(words[table], f"curate {stage}")
        for table, stage in STAGES.items()
        if not ws.shard(table, shard).exists()
    ]
    if not went and "export" in ws.manifest.get("stages", {}):
        # Made before curate wrote down where it exports to.
        lacking.append(NotYet("told where it was exported to", "curate show --export FOLDER"))
    elif not went:
        lacking.append(NotYet("exported", "curate export"))
    return tuple(lacking)
