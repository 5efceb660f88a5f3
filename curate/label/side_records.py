"""The records of a side file: CSV, JSON Lines or Parquet, plain or with gzip."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

GZIP = b"\x1f\x8b"
DELIMITERS = ",;\t"


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each record with its 1-based line, or row of a Parquet file; the names of columns stripped of outer space.

    Raises:
        InputError: It cannot be read, is of no such kind, or is not what its name says; with the line.
    """
    name = path.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    if suffix not in _READERS:
        what = f"a side file ends in {', '.join(_READERS)}, or in one of them and .gz"
        raise InputError(what, where=path, hint=did_you_mean(suffix, _READERS))
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(GZIP) else content
        yield from _READERS[suffix](content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"the side file cannot be unpacked: {error}", where=path) from error
    except OSError as error:
        raise InputError(f"the side file cannot be read: {error.strerror or error}", where=path) from error
    except (ValueError, pl.exceptions.PolarsError) as error:
        what = f"not a {suffix[1:]} file: {str(error).splitlines()[0]}"
        raise InputError(what, where=path) from error


def _csv(content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    text = _text(content)
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    names: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = [cell.strip() for cell in cells]
                if twice := [name for name in names if name and names.count(name) > 1]:
                    raise ValueError(f"line {reader.line_num}: two columns are called `{twice[0]}`")
                continue
            if len(cells) > len(names):
                raise ValueError(f"line {reader.line_num} has more cells than the header")
            filled = cells + [""] * (len(names) - len(cells))
            yield reader.line_num, {name: cell or None for name, cell in zip(names, filled, strict=True)}
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error


def _jsonl(content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    import orjson

    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            # orjson counts lines within what it is given: here always the first.
            raise ValueError(f"line {number}: {error.msg} (column {error.colno})") from error
        if not isinstance(record, dict):
            raise ValueError(f"line {number} is not an object")
        yield number, {name.strip(): value for name, value in record.items()}


def _parquet(content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    yield from enumerate(pl.read_parquet(io.BytesIO(content)).iter_rows(named=True), start=1)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: the byte 0x{content[error.start]:02x} is no UTF-8; save it as UTF-8") from error


_READERS = {".csv": _csv, ".tsv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet}
