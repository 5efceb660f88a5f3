"""What is known of every text: a few numbers in memory, and band keys in a temporary file.

The file has no name, so the system removes it even when the process is killed.
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
    """What is remembered of every text, shard after shard.

    Attributes:
        shards: Number of each shard, its first text here and the text after its last.
        keys: The conversation of each text.
        turns: The response that it is; -1 = not a single response.
        hashes: Content hashes (texts x 2).
        chars: Lengths in characters.
        tokens: Lengths in tokens.
        ends: Digests at the ends of messages, text after text.
        starts: Where the digests of each text begin in `ends`, and the end of the last.
        blocks: First text, and the text after the last, of each block of band keys.
        bands: Number of bands.
        file: Band keys: per block, bands x texts.
    """

    shards: tuple[tuple[int, int, int], ...]
    keys: NDArray[np.uint64]
    turns: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    chars: NDArray[np.int64]
    tokens: NDArray[np.int64]
    ends: NDArray[np.uint64]
    starts: NDArray[np.int64]
    blocks: tuple[tuple[int, int], ...]
    bands: int
    file: IO[bytes]

    def band_keys(self) -> Iterator[NDArray[np.uint64]]:
        """For each band, the key of every text."""
        keys = mapped(self.file, np.uint64)
        for band in range(self.bands):
            begins = [(self.bands * first + band * (end - first), end - first) for first, end in self.blocks]
            yield np.concatenate([np.empty(0, np.uint64), *(keys[begin : begin + size] for begin, size in begins)])


def load(paths: list[tuple[int, Path]], file: IO[bytes], bands: tuple[int, int]) -> Corpus:
    """Read signatures; keep numbers in memory and band keys in a file.

    Args:
        paths: Number and place of each shard of a table of signatures.
        file: Takes the band keys.
        bands: Number of bands, and signature values in each.

    Raises:
        WorkspaceError: A shard is damaged or gone.
    """
    count, values = bands
    parts = [_numbers(pa.RecordBatch.from_pylist([], TABLES["signatures"].arrow))]
    shards, blocks, rows = [], [], 0
    for index, path in paths:
        first = rows
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as table:
                for batch in table.iter_batches(READ_ROWS, columns=TABLES["signatures"].arrow.names):
                    file.write(minhash.band_keys(signature_matrix(batch["signature"]), count, values).data)
                    parts.append(_numbers(batch))
                    blocks.append((rows, rows + len(batch)))
                    rows += len(batch)
        except (pa.ArrowException, FileNotFoundError) as error:
            raise damaged(path, error) from error
        except OSError as error:
            # Arrow has no class of its own for a page that cannot be read.
            if error.errno is not None:
                raise
            raise damaged(path, error) from error
        shards.append((index, first, rows))
    file.flush()
    keys, turns, hashes, chars, tokens, ends, sizes = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    starts = np.r_[0, np.cumsum(sizes)]
    return Corpus(tuple(shards), keys, turns, hashes, chars, tokens, ends, starts, tuple(blocks), count, file)


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


def _numbers(batch: pa.RecordBatch) -> tuple[NDArray[Any], ...]:
    hashes = np.frombuffer(bytes.fromhex("".join(batch["hash"].to_pylist())), ">u8").astype(np.uint64)
    ends = batch["ends"]
    return (
        batch["key"].to_numpy(),
        batch["turn"].fill_null(-1).to_numpy(),
        hashes.reshape(-1, 2),
        batch["chars"].to_numpy(),
        batch["tokens"].to_numpy(),
        ends.flatten().to_numpy(),
        np.diff(ends.offsets.to_numpy()).astype(np.int64),
    )


def mapped(file: IO[bytes], dtype: type[np.generic]) -> NDArray[Any]:
    """The numbers of a temporary file, read when they are looked at."""
    size = file.seek(0, 2)
    return np.memmap(file, dtype, "r") if size else np.empty(0, dtype)
