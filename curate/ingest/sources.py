"""Which files an ingest reads, and their bytes: paths, globs, folders, stdin; plain, gzip or zstd."""

from __future__ import annotations

import gzip
import sys
from dataclasses import dataclass
from functools import cached_property
from glob import glob, has_magic
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from curate.errors import InputError, did_you_mean
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import BufferedReader

DATA_SUFFIXES = (".json", ".jsonl", ".ndjson")
PACKED_SUFFIXES = (".gz", ".zst")
STDIN = "-"


@dataclass(frozen=True)
class Source:
    """One input file.

    Attributes:
        file: As given on the command line; `-` is stdin.
        identity: Changes when the file does: size, first and last 64 kB. Empty for stdin.
        bytes: Size on disk; None for stdin.
    """

    file: str
    identity: str = ""
    bytes: int | None = None

    @cached_property
    def name(self) -> str:
        """Name of the data set when none is given: the file's name without its endings."""
        name = Path(self.file).name
        for suffix in (*PACKED_SUFFIXES, *DATA_SUFFIXES):
            name = name.removesuffix(suffix)
        return "stdin" if self.file == STDIN else name

    def open(self) -> Stream:
        """The decompressed bytes.

        Raises:
            InputError: The file cannot be opened.
        """
        if self.file == STDIN:
            return Stream(cast("BufferedReader", sys.stdin.buffer))
        try:
            return Stream(Path(self.file).open("rb"))
        except OSError as error:
            raise InputError(f"the file cannot be read: {error.strerror}", where=self.file) from error


class Stream:
    """Decompressed bytes of a file or pipe: read forward, with a look ahead.

    Args:
        raw: The file's own bytes; gzip and zstd are told by their first bytes.
    """

    def __init__(self, raw: BufferedReader) -> None:
        self._raw = raw
        self._ahead = b""
        magic = raw.peek(4)[:4]
        self._file: BinaryIO = raw
        if magic.startswith(b"\x1f\x8b"):
            self._file = cast("BinaryIO", gzip.GzipFile(fileobj=raw))
        elif magic == b"\x28\xb5\x2f\xfd":
            import pyarrow as pa

            self._file = cast("BinaryIO", pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd"))

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end. A cut-off container raises EOFError or OSError."""
        if self._ahead:
            block, self._ahead = self._ahead[:size], self._ahead[size:]
            return block
        return self._file.read(size)

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or all there are, without using them up."""
        try:
            while len(self._ahead) < size and (block := self._file.read(size - len(self._ahead))):
                self._ahead += block
        except (EOFError, OSError):
            pass
        return self._ahead

    def skip(self, size: int) -> None:
        """Go on behind the next `size` bytes."""
        if self._file is self._raw and self._raw.seekable():
            self._raw.seek(size)
            return
        while size > 0 and (block := self.read(min(size, 4 << 20))):
            size -= len(block)

    def tell(self) -> int:
        """Compressed bytes used so far; 0 for a pipe."""
        return self._raw.tell() if self._raw.seekable() else 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, unless it is stdin."""
        if self._raw is not sys.stdin.buffer:
            self._raw.close()


def expand(paths: Iterable[str]) -> list[Source]:
    """The files behind paths, globs, folders and `-`, each once, in a stable order.

    Raises:
        InputError: A path that does not exist, or a folder or glob without data.
    """
    found: dict[Path, Source] = {}
    for path in paths:
        if path == STDIN:
            found[Path(STDIN)] = Source(STDIN)
            continue
        for file in _files(path):
            found.setdefault(file.resolve(), _source(file))
    if not found:
        raise InputError("no input", hint="curate ingest FILE…, a folder, a glob, or - for stdin")
    return list(found.values())


def _files(path: str) -> list[Path]:
    place = Path(path)
    if place.is_file():
        return [place]
    if place.is_dir():
        files = [file for file in sorted(place.rglob("*")) if file.is_file() and _is_data(file.relative_to(place))]
        if not files:
            raise InputError("the folder has no .json or .jsonl file, plain or packed with .gz or .zst", where=path)
        return files
    if has_magic(path):
        files = sorted(Path(match) for match in glob(path, recursive=True) if Path(match).is_file())  # noqa: PTH207
        if not files:
            raise InputError("no file matches", where=path)
        return files
    neighbours = [file.name for file in place.parent.glob("*")] if place.parent.is_dir() else []
    near = did_you_mean(place.name, neighbours)
    raise InputError("no such file or folder", where=path, hint=near if near and "?" in near else None)


def _is_data(file: Path) -> bool:
    name = file.name.lower()
    for suffix in PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name.endswith(DATA_SUFFIXES) and not any(part.startswith(".") for part in file.parts)


def _source(file: Path) -> Source:
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            head = stream.read(65536)
            stream.seek(max(0, size - 65536))
            tail = stream.read()
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", where=file) from error
    return Source(str(file), fingerprint(size, blake2b(head + tail).hexdigest()), size)
