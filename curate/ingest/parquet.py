"""Parquet: a record a row, read a few at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.errors import InputError
from curate.ingest.window import Record, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAGIC = b"PAR1"
# Bytes of rows that are turned into Python objects at a time.
BATCH = 4 << 20


def rows(path: str, start: int, advance: Callable[[float], None]) -> Iterator[Record | Reject]:
    """The rows of a file from number `start` on; a row group that cannot be read is one reject.

    Args:
        path: The file.
        start: Number of the first row.
        advance: Told after each row group how many packed bytes it has.

    Raises:
        InputError: The file's end, which says where everything is, cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        hint = "it is cut off or no Parquet file; fetch it again"
        what = f"the Parquet file cannot be read: {str(error).splitlines()[0]}"
        raise InputError(what, where=path, hint=hint) from error
    with file:
        row = 0
        for number in range(file.num_row_groups):
            group = file.metadata.row_group(number)
            begin, row = row, row + group.num_rows
            if row <= start:
                continue
            size = max(1, group.total_byte_size // max(1, group.num_rows))
            at = begin
            try:
                for batch in file.iter_batches(max(1, min(4096, BATCH // size)), [number], use_threads=False):
                    for value in batch.to_pylist():
                        at += 1
                        if at > start:
                            yield Record(at - 1, -1, at, value, size=size)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                detail = f"rows {at:,} to {row - 1:,}: {str(error).splitlines()[0]}"
                yield Reject(at, -1, row, "damaged", detail, b"")
            advance(sum(group.column(column).total_compressed_size for column in range(group.num_columns)))
