"""What is known of every text: a few numbers in memory, all else in a temporary file.

The file has no name, so the system removes it even when the process is killed. It is read, never mapped: pages of a
mapped file count as memory of the process that has looked at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate.dedup import minhash
from curate.errors import WorkspaceError
from curate.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

READ_ROWS = 8192


@dataclass(frozen=True)
class Corpus:
    """What is remembered of every text, shard after shard: 28 bytes in memory.

    Attributes:
        shards: Number of each shard, its first text here and the text after its last.
        keys: The conversation of each text.
        turns: The response that it is; -1 = not a single response.
        tokens: Lengths in tokens.
        starts: Where the digests of each text begin among all, and the end of the last.
        bands: Number of bands.
        file: 8-byte numbers: the keys of all texts for each band, content hashes (texts x 2), lengths in characters,
            and digests at the ends of messages, text after text.
    """

    shards: tuple[tuple[int, int, int], ...]
    keys: NDArray[np.uint64]
    turns: NDArray[np.int32]
    tokens: NDArray[np.int64]
    starts: NDArray[np.int64]
    bands: int
    file: IO[bytes]

    def band_keys(self) -> Iterator[NDArray[np.uint64]]:
        """For each band, the key of every text."""
        for band in range(self.bands):
            yield self._read(band * len(self.keys), len(self.keys))

    def hashes(self) -> NDArray[np.uint64]:
        """Content hashes (texts x 2)."""
        return self._read(self.bands * len(self.keys), 2 * len(self.keys)).reshape(-1, 2)

    def chars(self) -> NDArray[np.int64]:
        """Lengths in characters."""
        return self._read((self.bands + 2) * len(self.keys), len(self.keys)).view(np.int64)

    def digests(self, first: int, end: int) -> NDArray[np.uint64]:
        """Digests at the ends of messages, of the texts from `first` up to `end`."""
        begin, stop = self.starts[first], self.starts[end]
        return self._read((self.bands + 3) * len(self.keys) + int(begin), int(stop - begin))

    def _read(self, place: int, count: int) -> NDArray[np.uint64]:
        numbers = np.empty(count, np.uint64)
        self.file.seek(8 * place)
        self.file.readinto(numbers.data)  # type: ignore[attr-defined]
        return numbers


def load(paths: list[tuple[int, Path]], file: IO[bytes], bands: tuple[int, int]) -> Corpus:
    """Read signatures; keep numbers in memory, and the rest in a file.

    Args:
        paths: Number and place of each shard of a table of signatures.
        file: Takes the rest; it must stay open as long as the corpus is used.
        bands: Number of bands, and signature values in each.

    Raises:
        WorkspaceError: A shard is damaged or gone.
    """
    count, values = bands
    size = sum(_rows(path) for _, path in paths)
    keys, turns, tokens = np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size, np.int64)
    starts = np.zeros(size + 1, np.int64)
    shards, rows = [], 0
    for index, path in paths:
        first = rows
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as table:
                for batch in table.iter_batches(READ_ROWS, columns=TABLES["signatures"].arrow.names):
                    end = rows + len(batch)
                    keys[rows:end], tokens[rows:end] = batch["key"].to_numpy(), batch["tokens"].to_numpy()
                    turns[rows:end] = batch["turn"].fill_null(-1).to_numpy()
                    starts[rows + 1 : end + 1] = starts[rows] + batch["ends"].offsets.to_numpy()[1:]
                    starts[rows + 1 : end + 1] -= batch["ends"].offsets[0].as_py()
                    of_bands = minhash.band_keys(signature_matrix(batch["signature"]), count, values)
                    for band in range(count):
                        _write(file, band * size + rows, of_bands[band])
                    _write(file, count * size + 2 * rows, _hashes(batch["hash"]))
                    _write(file, (count + 2) * size + rows, batch["chars"].to_numpy())
                    _write(file, (count + 3) * size + int(starts[rows]), batch["ends"].flatten().to_numpy())
                    rows = end
        except (pa.ArrowException, FileNotFoundError) as error:
            raise damaged(path, error) from error
        except OSError as error:
            # Arrow has no class of its own for a page that cannot be read.
            if error.errno is not None:
                raise
            raise damaged(path, error) from error
        shards.append((index, first, rows))
    file.flush()
    return Corpus(tuple(shards), keys, turns, tokens, starts, count, file)


def _rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, error) from error


def _write(file: IO[bytes], place: int, numbers: NDArray[Any]) -> None:
    file.seek(8 * place)
    file.write(np.ascontiguousarray(numbers).data)


def _hashes(column: pa.StringArray) -> NDArray[np.uint64]:
    return np.frombuffer(bytes.fromhex("".join(column.to_pylist())), ">u8").astype(np.uint64)


def damaged(path: Path, error: Exception) -> WorkspaceError:
    """A table of signatures cannot be read."""
    hint = f"delete it and run `curate dedup` again ({str(error).splitlines()[0]})"
    return WorkspaceError("the shard is damaged", where=path, hint=hint)


def signature_matrix(column: pa.BinaryArray) -> NDArray[np.uint32]:
    """The signatures of a batch: texts x permutations, without a copy; all of one length."""
    _, offsets, data = column.buffers()
    if not len(column):
        return np.empty((0, 0), np.uint32)
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, np.uint8)[places[0] : places[-1]].view(np.uint32).reshape(len(column), -1)
