"""Which files an ingest reads, and their bytes: paths, globs, folders, stdin; plain, gzip or zstd."""

from __future__ import annotations

import io
import sys
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from glob import glob, has_magic
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, cast

from curate.errors import InputError, did_you_mean
from curate.workspace import fingerprint

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import BufferedReader

DATA_SUFFIXES = (".json", ".jsonl", ".ndjson", ".parquet", ".csv", ".tsv", ".html", ".htm")
PACKED_SUFFIXES = (".gz", ".zst")
ARCHIVE = ".zip"
# Data that others read; what does not look like data at all is passed over in silence.
UNREAD = (".xz", ".bz2", ".tar", ".tgz", ".7z", ".rar", ".arrow", ".feather", ".pkl", ".xlsx", ".sqlite", ".db", ".txt")
STDIN = "-"
SAMPLES, SAMPLE_BYTES = 256, 4096
# Packed bytes that are read at a time, and how much they may unpack to at once: a byte may unpack to very many.
PIECE, MOST = 8 << 10, 1 << 20


SpooledFile = IO[bytes]


class Unpacker(Protocol):
    """One gzip member or zstd frame being unpacked."""

    @property
    def eof(self) -> bool:
        """Whether its end was reached."""

    @property
    def unused_data(self) -> bytes:
        """Bytes behind its end."""

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Up to so many bytes of what these unpack to."""


def unpacker_for(magic: bytes) -> Unpacker | None:
    """A fresh unpacker for what begins with these four bytes; None when that is neither gzip nor zstd."""
    if magic.startswith(b"\x1f\x8b"):
        return cast("Unpacker", zlib.decompressobj(wbits=31))
    # The second is a skippable frame: seekable and parallel zstd have them.
    if magic == b"\x28\xb5\x2f\xfd" or magic[1:] == b"\x2a\x4d\x18":
        return cast("Unpacker", zstd.ZstdDecompressor())
    return None


@dataclass(frozen=True)
class Source:
    """One input file.

    Attributes:
        file: As given on the command line; `-` is stdin.
        identity: Of a file of this name, wherever it lies; changes when the file does: its size, and 256 samples of
            4 kB from begin to end. Empty for stdin.
        bytes: Size on disk, packed; None for stdin.
        chosen: The user named this very file, and not a folder or glob that holds it.
        member: Its name in the archive, when it lies in one.
        problem: Why it cannot be read, when its name says so.
    """

    file: str
    identity: str = ""
    bytes: int | None = None
    chosen: bool = True
    member: str | None = None
    problem: str | None = None

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
            if self.member is not None:
                archive = zipfile.ZipFile(self.file[: -len(self.member) - 1])
                return Stream(io.BufferedReader(cast("io.RawIOBase", archive.open(self.member))))
            return Stream(Path(self.file).open("rb"))
        except OSError as error:
            raise InputError(f"the file cannot be read: {error.strerror}", where=self.file) from error
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise InputError(f"the file cannot be unpacked: {error}", where=self.file) from error

    @contextmanager
    def seekable(self) -> Iterator[str | SpooledFile]:
        """Its path; of a member of an archive a file with its bytes, as long as it is needed."""
        if self.member is None:
            yield self.file
            return
        with self.open() as stream, tempfile.TemporaryFile() as spool:
            while block := stream.read(4 << 20):
                spool.write(block)
            spool.seek(0)
            yield spool


class Stream:
    """Decompressed bytes of a file or pipe: read forward, with a look ahead.

    Args:
        raw: The file's own bytes; gzip and zstd are told by their first bytes.
    """

    def __init__(self, raw: BufferedReader) -> None:
        self._raw = raw
        self._ahead, self._used = b"", 0  # what was unpacked before it was asked for, and how much of it is out
        self._cut: EOFError | None = None
        self._unpacker = unpacker_for(raw.peek(4)[:4])
        self._packed = self._unpacker is not None

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end.

        Raises:
            EOFError: The container is cut off or damaged here; all bytes before that place were returned.
        """
        if self._ahead:
            # The rest stays where it is: small reads would else copy a megabyte each.
            block, self._used = self._ahead[self._used : self._used + size], self._used + size
            if self._used >= len(self._ahead):
                self._ahead, self._used = b"", 0
            return block
        if not self._packed:
            try:
                return self._raw.read(size)
            except (zipfile.BadZipFile, zlib.error) as error:  # a damaged member of an archive
                raise EOFError(f"the archive is damaged ({error})") from error
        block = self._unpack(size)
        if len(block) > size:
            self._ahead, self._used = block, size
        return block[:size]

    def _unpack(self, size: int) -> bytes:
        """At least `size` bytes out of gzip members or zstd frames; an error waits until all before it is out."""
        blocks: list[bytes] = []
        count = 0
        while count < size and not self._cut:
            try:
                block = self._piece()
            except EOFError as error:
                self._cut = error
                break
            if block is None:
                break
            blocks.append(block)
            count += len(block)
        if self._cut and not count:
            raise self._cut
        return b"".join(blocks)

    def _piece(self) -> bytes | None:
        """What a few packed bytes unpack to; None at the end."""
        rest = b""
        if self._unpacker is None or self._unpacker.eof:
            rest = (self._unpacker.unused_data if self._unpacker else b"") or self._raw.read(PIECE)
            self._unpacker = unpacker_for(rest[:4])
            if not rest.strip(b"\0"):  # tapes and some tools fill up with zeros
                return None
            if self._unpacker is None:
                raise EOFError("bytes that are not compressed stand behind the compressed ones")
        # More of what was read before may be to come: zlib hands its bytes back, zstd keeps them.
        held = getattr(self._unpacker, "unconsumed_tail", b"")
        waits = not getattr(self._unpacker, "needs_input", True)
        packed = rest or held or (b"" if waits else self._raw.read(PIECE))
        try:
            block = self._unpacker.decompress(packed, MOST)
        except (zlib.error, zstd.ZstdError) as error:
            raise EOFError(f"the compressed stream is damaged ({error})") from error
        if not (block or packed or waits or self._unpacker.eof):
            raise EOFError("the compressed stream ends early")
        return block

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or all there are, without using them up."""
        ahead = self._ahead[self._used :]
        self._ahead, self._used = b"", 0
        try:
            while len(ahead) < size and (block := self.read(size - len(ahead))):
                ahead += block
        except EOFError:
            pass  # comes again when it is read
        self._ahead, self._used = ahead + self._ahead[self._used :], 0
        return ahead[:size]

    @property
    def damage(self) -> str:
        """Why the container cannot be unpacked any further; empty while it can."""
        return str(self._cut or "")

    def skip(self, size: int) -> None:
        """Go on behind the next `size` bytes."""
        if not self._packed and not self._ahead and self._raw.seekable():
            self._raw.seek(size, io.SEEK_CUR)
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
        chosen = Path(path).is_file()
        for file in _files(path):
            for source in _members(file, chosen) if file.suffix.lower() == ARCHIVE else [_source(file, chosen)]:
                found.setdefault(Path(source.file).resolve(), source)
    if not found:
        raise InputError("no input", hint="curate ingest FILE…, a folder, a glob, or - for stdin")
    return list(found.values())


def _files(path: str) -> list[Path]:
    place = Path(path)
    if place.is_file():
        return [place]
    if place.exists() and not place.is_dir():
        raise InputError("not a regular file", where=path, hint=f"read it from stdin: curate ingest - < {path}")
    if place.is_dir():
        ours = {manifest.parent for manifest in place.rglob("manifest.json") if _is_ours(manifest)}
        files = [
            file
            for file in sorted(place.rglob("*"))
            if file.is_file() and _may_be_data(file.relative_to(place)) and ours.isdisjoint(file.parents)
        ]
        if not any(_is_data(file.relative_to(place)) for file in files):
            what = "the folder has no .json, .jsonl, .parquet, .csv, .tsv or .html file, plain or packed"
            raise InputError(what, where=path, hint="name the files themselves, or another folder")
        return files
    if has_magic(path):
        files = sorted(Path(match) for match in glob(path, recursive=True) if Path(match).is_file())  # noqa: PTH207
        if not files:
            raise InputError("no file matches", where=path, hint="look at the folder with ls, and mind quotes")
        return files
    neighbours = [file.name for file in place.parent.glob("*")] if place.parent.is_dir() else []
    near = did_you_mean(place.name, neighbours)
    raise InputError("no such file or folder", where=path, hint=near if near and "?" in near else None)


def _is_ours(manifest: Path) -> bool:
    """Whether a folder is a workspace or an export of curate's: no input."""
    try:
        return manifest.read_bytes()[:64].lstrip(b"{ \r\n").startswith((b'"curate"', b'"curate_export"'))
    except OSError:
        return False


def _may_be_data(file: Path) -> bool:
    return _is_data(file) or (file.name.lower().endswith(UNREAD) and not _is_hidden(file))


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") for part in file.parts)


def _is_data(file: Path) -> bool:
    name = file.name.lower()
    for suffix in PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name.endswith((*DATA_SUFFIXES, ARCHIVE)) and not _is_hidden(file)


def _members(file: Path, chosen: bool) -> list[Source]:
    """The data files in an archive, such as the `conversations.json` of a ChatGPT account export."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [item for item in archive.infolist() if not item.is_dir() and _may_be_data(Path(item.filename))]
    except (zipfile.BadZipFile, OSError) as error:
        what = f"the archive cannot be read: {error}"
        if chosen:
            raise InputError(what, where=file) from error
        return [Source(str(file), chosen=False, problem=what)]
    if not members and chosen:
        raise InputError("the archive holds no data", where=file, hint="unpack it and name the file")
    names = [item.filename for item in members]
    return [
        Source(
            f"{file}/{item.filename}" + (f"#{place}" if item.filename in names[:place] else ""),
            fingerprint(item.filename, item.file_size, item.CRC),
            item.compress_size,
            chosen and len(members) == 1,
            item.filename,
            _problem(item.filename) or ("another member has the same name" if item.filename in names[:place] else None),
        )
        for place, item in enumerate(members)
    ]


def _problem(name: str) -> str | None:
    """Why a file of that name, in an archive or folder, is not read; None when it is."""
    is_read = _is_data(Path(name)) and not name.lower().endswith(ARCHIVE)
    return None if is_read else "not a kind of file that curate reads there"


def _source(file: Path, chosen: bool) -> Source:
    try:
        str(file).encode()
    except UnicodeEncodeError:
        what = "the name of the file is not UTF-8, which the table it is written to needs"
        raise InputError(what, where=ascii(str(file)), hint="rename it, or read it from stdin") from None
    problem = None if chosen or _is_data(file) else _problem(file.name)
    try:
        size = file.stat().st_size
        digest = blake2b()
        with file.open("rb") as stream:
            for sample in range(SAMPLES):
                stream.seek(sample * max(0, size - SAMPLE_BYTES) // (SAMPLES - 1))
                digest.update(stream.read(SAMPLE_BYTES))
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", where=file) from error
    return Source(str(file), fingerprint(file.name, size, digest.hexdigest()), size, chosen, None, problem)
