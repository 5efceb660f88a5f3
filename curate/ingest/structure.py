"""The structure of a chunk of JSON from whole-array byte scans, without parsing it.

Quotes behind an even number of backslashes open and close strings; brackets outside strings give the
nesting depth; colons outside strings count key-value pairs, the duplicates that a parser hides included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Steps back from a colon over white space to its key, before the count just assumes that there is one.
MAX_STEPS = 64


def spans(buffer: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Begins and ends of the whole objects that lie in no other, and the key-value pairs in all of them."""
    data = np.frombuffer(buffer, np.uint8)
    quotes = quotes_of(data)
    lowered = data | 0x20  # [ and { become {, ] and } become }
    brackets = np.flatnonzero((lowered == 0x7B) | (lowered == 0x7D))
    brackets = brackets[np.searchsorted(quotes, brackets) % 2 == 0]
    steps = np.where(lowered[brackets] == 0x7B, 1, -1)
    depths = np.cumsum(steps)
    begins = brackets[(depths == 1) & (steps == 1) & (data[brackets] == 0x7B)]
    ends = brackets[(depths == 0) & (steps == -1) & (data[brackets] == 0x7D)] + 1
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


def likely_pairs(text: bytes) -> int:
    """Key-value pairs, counted without a look at the structure: never too few.

    Too many when a string begins with a colon, or when text speaks of `": `; then `colons` decides.
    """
    data = np.frombuffer(text, np.uint8)
    places = np.flatnonzero(data == 0x3A) - 1
    before = data[places]
    touching = places[before == 0x22]
    count = len(touching) - int(((data[touching - 1] == 0x5C) & (data[touching - 2] != 0x5C)).sum())
    places = places[before <= 0x20]
    for _ in range(MAX_STEPS):
        if not len(places):
            break
        places = places - 1
        before = data[places]
        count += int((before == 0x22).sum())
        places = places[before <= 0x20]
    return count + len(places)


def containers_in(values: list[Any]) -> list[Any]:
    """All objects and arrays among parsed values and inside them, those at the top first."""
    containers = [value for value in values if type(value) is dict or type(value) is list]
    for value in containers:  # grows while we walk it
        items = value.values() if type(value) is dict else value
        containers += [item for item in items if type(item) is list or type(item) is dict]
    return containers


def pairs_of(containers: list[Any]) -> int:
    """Key-value pairs in all of the containers."""
    return sum(len(value) for value in containers if type(value) is dict)
