"""Judgement packs: a store as one Parquet file, for exact replay elsewhere.

A pack holds the replies as received and which responses they grade, and nothing of the data: no row, no label. In a
workspace with the same conversations `curate score --offline` makes the same table of it, byte for byte.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError, WorkspaceError
from curate.judge.database import connect, errors
from curate.judge.store import FILE, Judgement, Store, judgement_of
from curate.workspace import Workspace, atomic, parquet_options

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = b"1"
KEY = b"curate.judgements"
GROUP = 20_000


def schema() -> pa.Schema:
    """The columns of a pack: those of `Judgement`, and `graded` with what the reply grades."""
    import pyarrow as pa

    texts = ("key", "api", "model", "served_model", "system_fingerprint", "rubric", "content", "odds")
    counts = ("tokens_in", "tokens_cached", "tokens_out")
    graded = pa.struct([("id", pa.string()), ("slot", pa.string()), ("partial", pa.bool_()), ("last", pa.int32())])
    fields = [pa.field(name, pa.string()) for name in (*texts, "refusal", "finish_reason")]
    fields += [pa.field(name, pa.int64()) for name in counts]
    fields += [pa.field("seconds", pa.float64()), pa.field("graded", pa.list_(graded))]
    return pa.schema(fields, metadata={KEY: VERSION})


def export(workspace: str | Path, out: str | Path) -> int:
    """Write every judgement of a workspace to a Parquet file, in order of their keys.

    Returns:
        How many there are.

    Raises:
        WorkspaceError: The workspace has none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Workspace(workspace).path / FILE
    if not path.exists():
        raise WorkspaceError("the workspace has no judgements", where=path, hint="run `curate score --judge MODEL`")
    Store(path)  # brings a store of an earlier curate up to date
    count = 0
    with (
        errors(path),
        closing(connect(path)) as connection,
        atomic(Path(out)) as temporary,
        pq.ParquetWriter(temporary, schema(), **parquet_options()) as writer,
    ):
        cursor = connection.execute("SELECT * FROM judgements ORDER BY key")
        while rows := cursor.fetchmany(GROUP):
            graded = "SELECT id, slot, partial, last FROM graded WHERE call = ? ORDER BY id"
            found = [
                _plain(judgement_of(row)) | {"graded": _graded(connection.execute(graded, (row[0],)))} for row in rows
            ]
            writer.write_table(pa.Table.from_pylist(found, schema=schema()))
            count += len(rows)
    return count


def load(workspace: str | Path, pack: str | Path) -> tuple[int, int]:
    """Take a pack into a workspace; what is stored there already stands.

    Returns:
        Judgements in the pack, and those of them that were new.

    Raises:
        InputError: The file is no pack.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    ws = Workspace(workspace)
    try:
        file = pq.ParquetFile(pack)
        if (file.schema_arrow.metadata or {}).get(KEY) != VERSION:
            hint = "make one with `curate judges export`"
            raise InputError("the file is no pack of judgements", where=pack, hint=hint)
        with ws.lock(), Store(ws.path / FILE) as store:
            seen = fresh = 0
            for group in file.iter_batches(GROUP):
                rows = group.to_pylist()
                there = store.read([row["key"] for row in rows])
                for row in rows:
                    seen += 1
                    if row["key"] not in there:
                        fresh += 1
                        graded = row.pop("graded") or []
                        partial = {one["id"] for one in graded if one["partial"]}
                        slots = {one["id"]: one["slot"] for one in graded}
                        last = max((one.get("last") or 0 for one in graded), default=0) or None
                        store.keep(_judgement(row), slots, partial, last)
    except (OSError, pa.ArrowException, ValueError, TypeError, KeyError) as error:
        raise InputError(f"the pack cannot be read: {error}", where=pack) from error
    return seen, fresh


def _plain(judgement: Judgement) -> dict[str, Any]:
    odds = None if judgement.odds is None else json.dumps(judgement.odds)
    return {**vars(judgement), "odds": odds}


def _judgement(row: dict[str, Any]) -> Judgement:
    odds = None if row["odds"] is None else {int(place): found for place, found in json.loads(row["odds"]).items()}
    return Judgement(**{**row, "odds": odds})


def _graded(rows: Any) -> list[dict[str, Any]]:
    return [{"id": i, "slot": slot, "partial": bool(partial), "last": last} for i, slot, partial, last in rows]
