"""The structure of a chunk of JSON from whole-array byte scans, without parsing it.

Quotes behind an even number of backslashes open and close strings; brackets outside strings give the
nesting depth; colons outside strings count key-value pairs, the duplicates that a parser hides included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUOTE_COLON = 0x3A22  # `":` as two little-endian bytes

def spans(buffer: bytes, depth: int, floor: int) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Begins and ends of the whole objects directly above `floor`, and the key-value pairs in all of them."""
    data = np.frombuffer(buffer, np.uint8)
    quotes = quotes_of(data)
    lowered = data | 0x20  # [ and { become {, ] and } become }
    brackets = np.flatnonzero((lowered == 0x7B) | (lowered == 0x7D))
    brackets = brackets[np.searchsorted(quotes, brackets) % 2 == 0]
    steps = np.where(lowered[brackets] == 0x7B, 1, -1)
    depths = depth + np.cumsum(steps)
    begins = brackets[(depths == floor + 1) & (steps == 1) & (data[brackets] == 0x7B)]
    ends = brackets[(depths == floor) & (steps == -1) & (data[brackets] == 0x7D)] + 1
    count = min(len(begins), len(ends))
    begins, ends = begins[:count], ends[:count]
    if not count or (begins >= ends).any():
        return begins[:0], ends[:0], 0
    return begins, ends, colons(data, quotes, int(begins[0]), int(ends[-1]))


def quotes_of(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Places of the quotes that open or close a string: those behind an even number of backslashes."""
    quotes: NDArray[np.int64] = np.flatnonzero(data == 0x22)
    if not len(quotes):
        return quotes
    escaped = data[np.maximum(quotes - 1, 0)] == 0x5C
    suspects = np.flatnonzero(escaped)
    if len(suspects):
        slashes = np.flatnonzero(data == 0x5C)
        runs = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)  # where each run of backslashes begins
        last = np.searchsorted(slashes, quotes[suspects]) - 1
        first = runs[np.searchsorted(runs, last, side="right") - 1]
        escaped[suspects] = (last - first) % 2 == 0
    unescaped: NDArray[np.int64] = quotes[~escaped]
    return unescaped


def colons(data: NDArray[np.uint8], quotes: NDArray[np.int64], begin: int, end: int) -> int:
    """Colons outside strings: one for each key-value pair, duplicates included."""
    places = begin + np.flatnonzero(data[begin:end] == 0x3A)
    return int((np.searchsorted(quotes, places) % 2 == 0).sum())


def likely_pairs(data: bytes) -> int:
    """Key-value pairs, counted without a look at the structure.

    Right unless a string begins with a colon, a key ends in a backslash or a colon does not touch its key.
    """
    text = np.frombuffer(data, np.uint8)
    count = 0
    for shift in (0, 1):  # every two bytes, from an even and from an odd place
        twos = np.frombuffer(data[shift:], "<u2", (len(data) - shift) // 2)
        hits = np.flatnonzero(twos == QUOTE_COLON) * 2 + shift
        count += len(hits) - int(np.count_nonzero(text[hits - 1] == 0x5C))
    return count


def pairs_of(values: list[Any]) -> int:
    """Key-value pairs in parsed values, those of nested objects included."""
    count = 0
    nested: list[Any] = [values]
    for value in nested:  # grows while we walk it
        if type(value) is dict:
            count += len(value)
            nested += [item for item in value.values() if type(item) is list or type(item) is dict]
        else:
            nested += [item for item in value if type(item) is dict or type(item) is list]
    return count
