"""Parquet: a record a row, read a few at a time."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from curate.errors import InputError
from curate.ingest.window import Record, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

MAGIC = b"PAR1"
# Bytes of rows that are turned into Python objects at a time.
BATCH = 4 << 20
# A larger file is read through a buffer, so that no row group is in memory as a whole. The buffer believes what a page
# says of its size, which in a damaged one may be 2 GB.
BUFFERED = 64 << 20


def rows(
    file: str | IO[bytes], where: str, start: int, advance: Callable[[float], None], size: int = 0
) -> Iterator[Record | Reject]:
    """The rows of a file from number `start` on; a row group that cannot be read is one reject.

    Args:
        file: Path, or what can be sought in.
        where: The file, for errors.
        start: Number of the first row.
        advance: Told after each row group how many packed bytes it has, about.
        size: Packed bytes of the file.

    Raises:
        InputError: The file's end, which says where everything is, cannot be read, or two columns have one name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        buffer = 1 << 20 if size > BUFFERED else 0
        parquet = pq.ParquetFile(file, page_checksum_verification=True, buffer_size=buffer, pre_buffer=False)
        names = parquet.schema_arrow.names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        hint = "it is cut off or no Parquet file; fetch it again"
        what = f"the Parquet file cannot be read: {str(error).splitlines()[0]}"
        raise InputError(what, where=where, hint=hint) from error
    with parquet:
        if twice := {name for name in names if names.count(name) > 1}:
            raise InputError(f"two columns have the name `{min(twice)}`", where=where, hint="rename one of them")
        row = 0
        for number in range(parquet.num_row_groups):
            group = parquet.metadata.row_group(number)
            begin, row = row, row + group.num_rows
            if row <= start:
                continue
            row_size = max(1, group.total_byte_size // max(1, group.num_rows))
            at = begin
            try:
                for batch in parquet.iter_batches(max(1, min(1024, BATCH // row_size)), [number], use_threads=False):
                    for record in _records(batch, at):
                        if record.row >= start:
                            yield record
                    at += batch.num_rows
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                detail = f"rows {at:,} to {row - 1:,}: {str(error).splitlines()[0]}"
                yield Reject(at, -1, row, "damaged", detail, b"")
            # Not from the metadata of the columns: where that is damaged, asking for it ends the process.
            advance(size * group.num_rows / max(1, parquet.metadata.num_rows))


def _records(batch: pa.RecordBatch, first: int) -> Iterator[Record | Reject]:
    """The rows of a batch; what takes much memory as Python objects is turned into them bit by bit."""
    step = max(1, batch.num_rows * BATCH // max(1, batch.nbytes))
    for begin in range(0, batch.num_rows, step):
        piece = batch.slice(begin, step)
        size = max(1, piece.nbytes // piece.num_rows)
        for number, value in enumerate(_values(piece), first + begin):
            if isinstance(value, str):
                yield Reject(number, -1, number + 1, "bad_value", value, b"")
            else:
                yield Record(number, -1, number + 1, value, size=size)


def _values(batch: pa.RecordBatch) -> list[dict[str, Any] | str]:
    """Rows as Python objects; of a row with a value that Python has no type for, what is wrong with it."""
    import pyarrow as pa

    schema = pa.schema([pa.field(field.name, _coarser(field.type)) for field in batch.schema])
    coarse = pa.table(batch).cast(schema, safe=False) if schema != batch.schema.remove_metadata() else batch
    try:
        values: list[dict[str, Any] | str] = coarse.to_pylist()
        return values
    except (ValueError, OverflowError) as error:
        if batch.num_rows == 1:
            return [f"a value that cannot be: {error}"]
        return [value for row in range(batch.num_rows) for value in _values(batch.slice(row, 1))]


def _coarser(type_: pa.DataType) -> pa.DataType:
    """The type with microseconds for nanoseconds, which Python does not know."""
    import pyarrow as pa

    if pa.types.is_timestamp(type_) and type_.unit == "ns":
        return pa.timestamp("us", type_.tz)
    if pa.types.is_duration(type_) and type_.unit == "ns":
        return pa.duration("us")
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        make = pa.list_ if pa.types.is_list(type_) else pa.large_list
        return make(pa.field(type_.value_field.name, _coarser(type_.value_type)))
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(field.name, _coarser(field.type)) for field in type_])
    return type_

