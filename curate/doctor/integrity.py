"""A workspace: whether every shard is whole, of its schema and up to date, and whether there is room for more."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.doctor import NOTE, OK, PROBLEM, Check
from curate.errors import CurateError
from curate.workspace import PUT_BACK, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

# Free space, as a share of what a workspace takes: a rerun of every stage writes each table anew beside the old one,
# and an export takes about as much as the conversations.
SPARE = 1.0
LEAST_FREE = 100_000_000  # bytes
SHOWN = 3


def checks(workspace: str | Path, facts: dict[str, Any]) -> Iterator[Check]:
    """What is wrong with a workspace."""
    path = Path(workspace)
    if not path.exists():
        yield Check("workspace", str(path), NOTE, "does not exist yet", "curate ingest FILE…")
        yield from _space(path, 0, facts)
        return
    try:
        ws = Workspace(path)
        stages = ws.manifest.get("stages", {})
    except (CurateError, OSError) as error:
        what, hint = (error.what, error.hint) if isinstance(error, CurateError) else (str(error), None)
        yield Check("workspace", str(path), PROBLEM, what, hint)
        yield from _space(path, _size(path), facts)
        return
    yield Check("workspace", str(path), OK, f"schema {ws.manifest.get('schema', '-')}, stages: {_names(stages)}")
    yield from _space(path, _size(path), facts)
    yield from _shards(ws, facts)
    yield from _counts(ws, stages)
    yield from _stale(ws, stages)
    yield from _leftovers(path)
    yield from _judgements(path)


def _names(stages: dict[str, Any]) -> str:
    return ", ".join(stages) or "none"


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def _space(path: Path, size: int, facts: dict[str, Any]) -> Iterator[Check]:
    place = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    facts |= {"workspace_bytes": size, "free_bytes": free}
    need = max(LEAST_FREE, int(size * SPARE))
    found = f"{free / 1e9:,.1f} GB free, the workspace takes {size / 1e9:,.2f} GB"
    hint = None if free >= need else f"make room: doing every stage again needs up to {need / 1e9:,.1f} GB"
    yield Check("machine", "disk", OK if free >= need else PROBLEM, found, hint)


def _shards(ws: Workspace, facts: dict[str, Any]) -> Iterator[Check]:
    from curate.schema import TABLES

    facts["tables"] = {}
    for table in TABLES:
        bad, bare, rows = [], 0, 0
        for index in ws.shards(table):
            try:
                rows += _whole(ws, table, index)
                bare += not ws.digest_file(table, index).exists()
            except (CurateError, OSError) as error:
                hint = error.hint if isinstance(error, CurateError) else None
                what = error.what if isinstance(error, CurateError) else str(error)
                bad.append(Check("workspace", f"{table}/{ws.shard(table, index).name}", PROBLEM, what, hint))
        yield from bad
        shards = len(ws.shards(table))
        if shards:
            facts["tables"][table] = {"shards": shards, "rows": rows, "damaged": len(bad)}
        if shards and not bad:
            found = f"{shards:,} shards, {rows:,} rows, checksums hold"
            yield Check("workspace", table, OK, found)
            if bare:
                note = f"{bare:,} shards by an older curate have checksums of their pages only"
                yield Check("workspace", table, NOTE, note)


def _whole(ws: Workspace, table: str, index: int) -> int:
    """The rows of a shard.

    Raises:
        CurateError: A byte of it changed, it has another schema, or it was made from other conversations.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from curate.schema import TABLES

    path = ws.shard(table, index)
    hint = f"delete it and run `curate {TABLES[table].stage}` again"
    if table in ("conversations", "rejects"):
        hint = PUT_BACK
    if table == "corrections":
        hint = "put back a copy of it: what people said cannot be made again"
    stamp = ws.stamp(table, index)
    if (kept := _digest(ws, table, index)) is not None:
        with path.open("rb") as file:
            digest = file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
        if digest != kept.get("blake2b"):
            if kept.get("fingerprint") != stamp.get("fingerprint"):
                raise CurateError("its rewriting was interrupted", hint=f"run `curate {TABLES[table].stage}` again")
            raise CurateError("it is damaged: its bytes are not those that were written", hint=hint)
    rows = 0
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if file.schema_arrow.remove_metadata() != TABLES[table].arrow.remove_metadata():
                raise CurateError("its columns are not those of this table", hint=hint)
            # By groups of rows, so that no shard is in memory as a whole.
            for batch in file.iter_batches(batch_size=8_192):
                rows += batch.num_rows
            stated = file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise CurateError(f"it is damaged: {str(error).splitlines()[0]}", hint=hint) from error
    if rows != stated:
        raise CurateError(f"it has {rows:,} rows and says {stated:,}", hint=hint)
    return rows


def _digest(ws: Workspace, table: str, index: int) -> dict[str, Any] | None:
    try:
        value = json.loads(ws.digest_file(table, index).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and "blake2b" in value else None


def _counts(ws: Workspace, stages: dict[str, Any]) -> Iterator[Check]:
    """Rows against what the manifest says."""
    import pyarrow as pa

    runs = stages.get("ingest", [])
    if not runs and ws.shards("conversations"):
        found = "the manifest names no ingest that has written them"
        yield Check("workspace", "conversations", PROBLEM, found, "run the same `curate ingest` again")
    for table in ("conversations", "rejects"):
        counted = [run[table] for run in runs]
        said = sum(sum(one.values()) if isinstance(one, dict) else one for one in counted)
        try:
            there = ws.rows(table)
        except (pa.ArrowException, OSError):
            continue  # told above, with the shards
        if runs and there != said:
            found = f"{there:,} rows, the manifest counts {said:,}"
            yield Check("workspace", table, PROBLEM, found, "ingest the dumps again into a new workspace")


def _stale(ws: Workspace, stages: dict[str, Any]) -> Iterator[Check]:
    from curate.schema import TABLES

    whole = ws.shards("conversations")
    for table, declared in TABLES.items():
        shards = ws.shards(table)
        stage = declared.stage.split()[0]
        if not shards or stage in ("ingest", "correct"):
            continue
        again = f"run `curate {declared.stage}` again"
        try:
            for index in shards:
                ws.require_current(table, index)
        except CurateError as error:
            yield Check("workspace", table, PROBLEM, error.what, again)
            continue
        if shards != whole and table != "restored":
            found = f"{len(shards):,} of {len(whole):,} shards"
            yield Check("workspace", table, NOTE, found, again)
        if stage not in stages and table != "restored":
            yield Check("workspace", table, NOTE, "made by a run that did not finish", again)
    if "export" in stages:
        from curate.export import inputs

        try:
            if stages["export"].get("inputs") != inputs(ws):
                yield Check(
                    "workspace", "export", NOTE, "made before what it reads changed", "run `curate export` again"
                )
        except CurateError:
            return  # a shard that cannot be opened was told above


def _leftovers(path: Path) -> Iterator[Check]:
    found = sorted(file.relative_to(path).as_posix() for file in path.rglob("*.tmp") if file.is_file())
    if found:
        names = ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else "")
        hint = "left by a run that was killed; when no curate is running, they can be deleted"
        yield Check("workspace", "unfinished files", NOTE, names, hint)


def _judgements(path: Path) -> Iterator[Check]:
    from curate.judge.database import reader
    from curate.judge.store import FILE

    file = path / FILE
    if not file.exists():
        return
    try:
        with closing(reader(file)) as connection:
            said = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
            count = connection.execute("SELECT count(*) FROM judgements").fetchone()[0] if said == ["ok"] else 0
    except sqlite3.Error as error:
        said, count = [str(error)], 0
    if said == ["ok"]:
        yield Check("workspace", FILE, OK, f"{count:,} judgements")
    else:
        yield Check(
            "workspace", FILE, PROBLEM, said[0], "put back a copy, or import a pack with `curate judges import`"
        )
