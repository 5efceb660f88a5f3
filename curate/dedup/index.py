"""An index in a folder: what other sets are compared with when this workspace is gone; it holds no text.

One Parquet file per workspace: the columns of `signatures`, and the distinct shingle hashes of each text,
sorted, so that similarities to it stay exact.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate.dedup import minhash
from curate.dedup.corpus import load
from curate.dedup.kept import kept_rows
from curate.dedup.second_pass import ShingleSets, read_again
from curate.dedup.signing import TABLE_OF
from curate.errors import CurateError
from curate.schema import TABLES
from curate.workspace import STAMP, atomic, fingerprint, parquet_options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import IO

    from numpy.typing import NDArray

    from curate.dedup import Options
    from curate.dedup.corpus import Corpus
    from curate.workspace import Workspace

SUFFIX = ".index.parquet"


@dataclass(frozen=True)
class Part:
    """What one workspace put into the index.

    Attributes:
        path: The file.
        stamp: What it says of itself.
    """

    path: Path
    stamp: dict[str, Any]


def is_index(folder: Path) -> bool:
    """Whether this is a folder with an index."""
    return any(folder.glob(f"*{SUFFIX}"))


def parts(folder: Path, ws: Workspace, options: Options) -> tuple[Part, ...]:
    """What other workspaces have put into an index.

    Raises:
        CurateError: A file is damaged, or was made with other parameters.
    """
    from curate.dedup.references import check

    own = name_of(ws)
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            stamp = json.loads((pq.read_metadata(path).metadata or {}).get(STAMP, b"{}"))
            columns = pq.read_schema(path).names
        except (pa.ArrowException, OSError, ValueError) as error:
            raise CurateError("the index is damaged", where=path, hint=str(error).splitlines()[0]) from error
        if not (isinstance(stamp, dict) and columns == [*TABLES["signatures"].arrow.names, "shingles"]):
            raise CurateError("this is no part of an index", where=path, hint="take the file out of the folder")
        if stamp.get("name") != own:
            check(stamp, options, path, "make it again with `curate dedup --index` and the same options")
            found.append(Part(path, stamp))
    return tuple(found)


def name_of(ws: Workspace) -> str | None:
    """What a workspace is called in indexes, wherever it lies; None before it was put into one."""
    name: str | None = ws.manifest.get("stages", {}).get("index", {}).get("name")
    return name


def named(ws: Workspace) -> str:
    """The name of a workspace in indexes, given now if it has none."""
    name = name_of(ws)
    if name is None:
        name = uuid4().hex[:16]
        ws.record("index", {"name": name})
    return name


def write(folder: Path, ws: Workspace, options: Options) -> Path:
    """Put what `dedup` kept into an index; what this workspace had put there before is replaced.

    Args:
        folder: The index; it is made when missing.
        ws: The workspace, deduplicated.
        options: How.

    Returns:
        The file.
    """
    table, name = TABLE_OF[options.unit], named(ws)
    schema = TABLES[table].arrow.append(pa.field("shingles", pa.list_(pa.uint64()), nullable=False))
    tables = (table, "repeats" if options.unit == "responses" else "duplicates")
    content = fingerprint([[ws.stamp(t, index).get("fingerprint") for index in ws.shards(t)] for t in tables])
    stamp = {**minhash.parameters(options.unit, options.num_perm), "name": name, "fingerprint": content}
    path = folder / f"{name}{SUFFIX}"
    with atomic(path) as temporary, pq.ParquetWriter(temporary, schema, **parquet_options(noise=True)) as writer:
        for index in ws.shards(table):
            with TemporaryFile(dir=ws.path) as band_file, TemporaryFile(dir=ws.path) as set_file:
                corpus = load([(index, ws.shard(table, index))], band_file, (1, 1))
                rows = kept_rows(ws, options.unit, corpus)
                hashes, _ = read_again(ws, options.unit, set_file, corpus, rows)
                data = pq.ParquetFile(ws.shard(table, index)).read().take(pa.array(rows))
                offsets = pa.array(hashes.starts.astype(np.int32))
                lists = pa.ListArray.from_arrays(offsets, pa.array(hashes.hashes, pa.uint64()))
                writer.write_table(data.append_column(schema.field("shingles"), lists).cast(schema))
        writer.add_key_value_metadata({STAMP: json.dumps(stamp, sort_keys=True)})
    return path


def sets(found: Sequence[Part], corpus: Corpus, file: IO[bytes], rows: NDArray[np.int64]) -> ShingleSets:
    """The shingles of some texts of an index.

    Args:
        found: Its files, the shards of `corpus`.
        corpus: Its texts.
        file: Takes them; a temporary file, empty.
        rows: The texts, ascending.
    """
    sizes = [np.zeros(1, np.int64)]
    for part, (_, first, end) in zip(found, corpus.shards, strict=True):
        low, high = np.searchsorted(rows, [first, end])
        if low == high:
            continue
        try:
            with pq.ParquetFile(part.path, page_checksum_verification=True) as table:
                for batch in table.iter_batches(1024, columns=["shingles"]):
                    low, high = np.searchsorted(rows, [first, first + len(batch)])
                    some = batch["shingles"].take(pa.array(rows[low:high] - first))
                    file.write(np.ascontiguousarray(some.flatten().to_numpy()).data)
                    sizes.append(np.diff(some.offsets.to_numpy()).astype(np.int64))
                    first += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise CurateError("the index is damaged", where=part.path, hint=str(error).splitlines()[0]) from error
    return ShingleSets.of(file, np.concatenate(sizes))
