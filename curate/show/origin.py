"""Where the record of a conversation begins in its file.

The tables keep file and row. The byte is found when somebody asks: the file is read again by the reader that read it,
from where the shard began, so that no more than a shard of it is looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.ingest.inputs import Input
    from curate.ingest.window import Record
    from curate.workspace import Workspace

HEAD = 1 << 20
# Bytes that are read at most.
MOST_BYTES = 128 << 20


class Found(NamedTuple):
    """A record in its file: its first byte and its length, or why they are not known; and the record itself."""

    begin: int | None
    length: int | None
    why_not: str | None
    file: Input | None = None
    record: Record | None = None


def place(ws: Workspace, shard: int, file: str, row: int) -> Found:
    """A record where it lies.

    Args:
        ws: The workspace.
        shard: The shard that the record's conversation is in.
        file: As the table names it.
        row: Its position in the file.
    """
    try:
        return _place(ws, shard, file, row)
    except CurateError as error:
        return Found(None, None, error.what)
    except OSError as error:
        return Found(None, None, error.strerror or "the file cannot be read")


def _place(ws: Workspace, shard: int, file: str, row: int) -> Found:
    from curate.ingest.inputs import Input
    from curate.ingest.sources import STDIN, expand, unpacker_for
    from curate.ingest.stream import Position, Record, sniff

    known = _known(ws, shard, file)
    if known is None:
        return Found(None, None, "the manifest does not know the file")
    run, number = known
    entry = run["files"][number]
    if file == STDIN:
        return Found(None, None, "it came through a pipe")
    if not Path(file).is_file():
        return Found(None, None, "the file is not here any more, or lies in an archive")
    (source,) = expand([file])
    if source.identity != entry["identity"]:
        return Found(None, None, "the file has changed since it was ingested")
    with Path(file).open("rb") as stream:
        head = stream.read(HEAD)
    if unpacker_for(head[:4]) is not None:
        return Found(None, None, "the file is packed")
    mode = sniff(head, file)
    if mode in ("parquet", "csv", "tsv", "page"):
        why = "a page has no records" if mode == "page" else "a row of a table has no place of its own"
        return Found(None, None, why)
    begin = _begin(ws, run, shard, number)
    if begin is None:
        return Found(None, None, "the records were read in another order than they stand in")
    looked = Input(source, mode, entry["format"], run["options"])
    for record in looked.records(Position(*begin, mode)):
        if record.row == row and isinstance(record, Record):
            return Found(record.offset, record.end - record.offset, None, looked, record)
        if record.row > row or record.end - begin[0] > MOST_BYTES:
            break
    return Found(None, None, "the record was not found there again")


def _known(ws: Workspace, shard: int, file: str) -> tuple[dict[str, Any], int] | None:
    """The ingest that made the shard, and the number of the file in it."""
    for run in ws.manifest.get("stages", {}).get("ingest", []):
        if run["shards"][0] <= shard < run["shards"][1]:
            files = [entry["file"] for entry in run["files"]]
            return (run, files.index(file)) if file in files else None
    return None


def _begin(ws: Workspace, run: dict[str, Any], shard: int, number: int) -> tuple[int, int] | None:
    """Offset and row at which the shard, or the file in it, begins; None = they say nothing of the file's order."""
    if number in (ws.stamp("conversations", shard).get("apart") or []):
        return None
    if shard > run["shards"][0]:
        following = ws.stamp("conversations", shard - 1).get("next")
        if following and following[0] == number:
            return following[1], following[2]
    return 0, 0
