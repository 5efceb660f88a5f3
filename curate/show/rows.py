"""The rows of one conversation in an export: by their ids, which alone are read; where a format has none, by text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.show.story import ExportedRow, TurnWeight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

MOST_ROWS = 100
# Characters of a response by which a line of JSON is looked at more closely.
NEEDLE = 200
_TOKENS = ("input_ids", "nz_input_ids")
_BESIDE = ("condition", "weight", "reward", "messages")
_WEIGHTS = ("weight", "loss_weight", "loss_scale")


def find(
    folder: Path, files: Sequence[str], key: int, content_hash: str, messages: Sequence[Mapping[str, Any]]
) -> list[ExportedRow] | None:
    """The rows, at most `MOST_ROWS` of each file.

    Args:
        folder: Of the export.
        files: Those that its manifest names; what does not lie in the folder is not opened.
        key: The conversation.
        content_hash: Its hash.
        messages: As the export has them.

    Returns:
        None where none was found and the format cannot tell: its rows have no ids and no texts.

    Raises:
        InputError: A file is damaged or gone.
    """
    found: list[ExportedRow] = []
    told = True
    for name in sorted(files):
        path = (folder / name).resolve()
        if path.suffix not in (".parquet", ".jsonl") or not path.is_relative_to(folder.resolve()):
            continue
        is_lines = path.suffix == ".jsonl"
        rows = _lines(path, name, messages) if is_lines else _parquet(path, name, key, content_hash, messages)
        told &= rows is not None
        found += rows or []
    return found if found or told else None


def _parquet(
    path: Path, name: str, key: int, content_hash: str, messages: Sequence[Mapping[str, Any]]
) -> list[ExportedRow] | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            if "id" in columns:
                return list(_by_id(file, name, key, content_hash, messages))
            if any(column in columns for column in _TOKENS) or "messages" not in columns:
                return None
            return list(_by_text(file, name, messages))
    except (pa.ArrowException, OSError) as error:
        raise InputError("a file of the export cannot be read", where=path, hint=str(error)) from error


def _by_id(
    file: Any, name: str, key: int, content_hash: str, messages: Sequence[Mapping[str, Any]]
) -> Iterator[ExportedRow]:
    import pyarrow.compute as pc

    prefix = f"{content_hash}-{key}"
    whole = re.compile(re.escape(prefix) + r"(?:[.:/][0-9]+)*")
    first = found = 0
    for group in range(file.num_row_groups):
        ids = file.read_row_group(group, ["id"]).column("id")
        places = [
            place for place in pc.indices_nonzero(pc.starts_with(ids, prefix)).to_pylist()
            if whole.fullmatch(ids[place].as_py())
        ]
        if places:
            wanted = [column for column in _BESIDE if column in file.schema_arrow.names]
            table = file.read_row_group(group, wanted)
            for place in places:
                row = table.slice(place, 1).to_pylist()[0]
                yield _row(name, first + place, ids[place].as_py(), row, messages)
                if (found := found + 1) == MOST_ROWS:
                    return
        first += len(ids)


def _by_text(file: Any, name: str, messages: Sequence[Mapping[str, Any]]) -> Iterator[ExportedRow]:
    """Rows of a table that say the same."""
    wanted = [column for column in (*_BESIDE, "channel") if column in file.schema_arrow.names]
    needle = _first_response(messages)
    first = found = 0
    for group in range(file.num_row_groups):
        table: pa.Table = file.read_row_group(group, wanted)
        for place, row in enumerate(table.select(["messages"]).to_pylist()):
            turns = row["messages"]
            if needle is not None and any(_content(turn) == needle for turn in turns) and _same(turns, messages):
                whole = table.slice(place, 1).to_pylist()[0]
                whole.setdefault("condition", whole.get("channel"))
                yield _row(name, first + place, None, whole, messages)
                if (found := found + 1) == MOST_ROWS:
                    return
        first += table.num_rows


def _lines(path: Path, name: str, messages: Sequence[Mapping[str, Any]]) -> list[ExportedRow]:
    import orjson

    needle = _first_response(messages)
    if needle is None:
        return []
    part = orjson.dumps(needle[:NEEDLE])[1:-1]
    found: list[ExportedRow] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if part not in line:
                    continue
                row = orjson.loads(line)
                turns = row.get("messages") or row.get("items") or []
                if _same(turns, messages):
                    found.append(_row(name, number, None, {**row, "messages": turns}, messages))
                    if len(found) == MOST_ROWS:
                        break
    except (OSError, ValueError, AttributeError) as error:
        raise InputError("a file of the export cannot be read", where=path, hint=str(error)) from error
    return found


def _first_response(messages: Sequence[Mapping[str, Any]]) -> str | None:
    return next((message["content"] for message in messages if message["role"] == "assistant"), None)


def _content(turn: Mapping[str, Any]) -> str:
    """Its text; LLaMA-Factory's v1 has it in blocks."""
    content = turn.get("content")
    if isinstance(content, list):
        return "".join(str(block.get("value", "")) for block in content)
    return str(content or "")


def _same(turns: Sequence[Mapping[str, Any]], messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a row is the conversation or its beginning; system messages carry the condition, and are left aside."""
    mine = [_content(turn) for turn in turns if turn.get("role") != "system"]
    own = [message["content"] for message in messages if message["role"] != "system"]
    return 0 < len(mine) <= len(own) and mine == own[: len(mine)]


def _row(
    name: str, place: int, id_: str | None, row: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]
) -> ExportedRow:
    turns = row.get("messages") or []
    # A target without a place for the condition has it as a system message in front.
    added = bool(turns) and turns[0].get("role") == "system" and not (messages and messages[0]["role"] == "system")
    taken_out = bool(turns) and turns[0].get("role") != "system" and bool(messages) and messages[0]["role"] == "system"
    weights = []
    for turn, message in enumerate(turns, start=int(taken_out) - int(added)):
        weight = next((message[name] for name in _WEIGHTS if message.get(name)), None)
        if weight and turn >= 0:
            weights.append(TurnWeight(turn, round(float(weight), 6)))
    return ExportedRow(
        file=name,
        row=place,
        id=id_,
        condition=row.get("condition"),
        weight=_number(row.get("weight")),
        reward=_number(row.get("reward")),
        weights=tuple(weights),
    )


def _number(value: Any) -> float | None:
    return round(float(value), 6) if isinstance(value, int | float) else None
