"""Text to token hashes, compiled, straight from Arrow buffers: no Python string is ever made.

A token is a run of letters, digits and `_`. Punctuation, symbols and white space separate tokens and
do not count. Scripts written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese), Hangul and
every code point past U+FFFF (emoji among them) give one token per code point. Letters below U+0800
(Latin, Greek, Cyrillic, Armenian) are lower-cased. A run of more than 64 bytes (base64, say) gives a
token for every 64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Integers = NDArray[np.int64]
    Places = NDArray[np.uint32]
    Hashes = NDArray[np.uint64]
    Space = tuple[Bytes, Bytes, Places]

Function = TypeVar("Function", bound=Callable[..., Any])

# Rises when the same text gives other tokens or other hashes.
VERSION = 2

BLOCK = 2048  # bytes that are classified at a time
LONGEST = 64  # bytes of a token
ROOM = BLOCK // 2 + 1  # tokens that a block has at the most: one in two bytes

# Neighbours that are no token together differ, so single code points alternate.
SEPARATOR, WORD, ALONE = 0, 1, 2
_EACH = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_OTHER = np.uint64(0xCBF29CE484222325)
_FIRST = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xC2B2AE3D27D4EB4F)

_SEPARATORS = (
    (0x80, 0xA9), (0xAB, 0xB1), (0xB4, 0xB4), (0xB6, 0xB8), (0xBB, 0xBB), (0xBF, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7),
    (0x2000, 0x206F), (0x2190, 0x2BFF), (0x3000, 0x3004), (0x3008, 0x3020), (0x3030, 0x3030), (0xFE00, 0xFE6F),
    (0xFEFF, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF3E), (0xFF5B, 0xFF65), (0xFFE0, 0xFFFF),
)  # fmt: skip
_ALONE = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x2FFF), (0x3005, 0x3007), (0x3021, 0x302F),
    (0x3031, 0xA4CF), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0xFF66, 0xFFDC),
)  # fmt: skip


def _kinds() -> NDArray[np.uint8]:
    """Separator, part of a word or a token alone: for every code point below U+10000."""
    kinds = np.full(0x10000, WORD, np.uint8)
    kinds[[point for point in range(0x80) if not (chr(point).isalnum() or chr(point) == "_")]] = SEPARATOR
    for ranges, kind in ((_SEPARATORS, SEPARATOR), (_ALONE, ALONE)):
        for first, last in ranges:
            kinds[first : last + 1] = kind
    return kinds


def _lower() -> NDArray[np.uint16]:
    """The lower-case code point of every two-byte code point; itself where that takes another number of bytes."""
    lower = [chr(point).lower() for point in range(0x800)]
    fits = [len(text) == 1 and len(text.encode()) == (1 if point < 0x80 else 2) for point, text in enumerate(lower)]
    points = [ord(text) if fit else point for point, (text, fit) in enumerate(zip(lower, fits, strict=True))]
    return np.array(points, np.uint16)


KINDS = _kinds()
LOWER = _lower()
# The first n bytes of a little-endian number.
_FIRST_BYTES = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)


def compiled(function: Function) -> Function:
    """Compile a kernel that works without the GIL; the machine code is kept where that folder can be written."""
    try:
        return cast("Function", numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # no folder to cache in can be written
        return cast("Function", numba.njit(nogil=True)(function))


def _loaded(typing: Any, data: Any, at: Any) -> Any:
    """Code for the eight bytes of an array from a place on, whatever their alignment; the array must have them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        word = builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()))
        word.align = 1
        return word

    return types.uint64(data, types.intp), generate


_load: Any = intrinsic(_loaded)


@compiled
def _classify(data: Bytes, at: int, count: int, low: Bytes, kinds: Bytes) -> None:
    """Lower-cased bytes and kinds of a block of whole code points.

    Args:
        data: The text.
        at: Where the block begins in it.
        count: Bytes of the block.
        low: Takes the bytes.
        kinds: Takes the kind of each byte.
    """
    lows, marks = low.view(np.uint64), kinds.view(np.uint64)
    words = count // 8
    high = np.uint64(0)
    for word in range(words):
        x = _load(data, at + word * 8)
        lows[word], marks[word] = _letters(x)
        high |= x
    rest = count - words * 8
    if rest:
        x = np.uint64(0)
        for i in range(rest):
            x |= np.uint64(data[at + words * 8 + i]) << np.uint64(8 * i)
        lows[words], marks[words] = _letters(x)
        high |= x
    if high & _HIGH:
        _classify_beyond_ascii(data, at, count, low, kinds)


@compiled
def _letters(x: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Eight bytes at once: lower-cased, and 1 for each that is an ASCII letter, a digit or `_`.

    Adding 0x80 - c to a byte below 0x80 sets its high bit when it is at least c (SIMD within a register).
    """
    seven = x & ~_HIGH
    upper = (seven + _EACH * np.uint64(0x80 - 65)) & ~(seven + _EACH * np.uint64(0x80 - 91)) & ~x & _HIGH
    x |= upper >> np.uint64(2)
    seven |= upper >> np.uint64(2)
    letter = (seven + _EACH * np.uint64(0x80 - 97)) & ~(seven + _EACH * np.uint64(0x80 - 123))
    digit = (seven + _EACH * np.uint64(0x80 - 48)) & ~(seven + _EACH * np.uint64(0x80 - 58))
    underscore = ~((seven ^ (_EACH * np.uint64(95))) + _EACH * np.uint64(0x7F))
    return x, ((letter | digit | underscore) & ~x & _HIGH) >> np.uint64(7)


@compiled
def _classify_beyond_ascii(data: Bytes, at: int, count: int, low: Bytes, kinds: Bytes) -> None:
    """The same for the code points past ASCII, one by one."""
    alone = np.uint8(ALONE)
    i = 0
    while i < count:
        lead = data[at + i]
        if lead < 0x80:
            if i + 8 <= count and not _load(data, at + i) & _HIGH:
                i += 7
            i += 1
            continue
        size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        size = min(size, count - i)
        point = np.int64(lead & (0xFF >> (size + 1)))
        for k in range(1, size):
            point = (point << 6) | np.int64(data[at + i + k] & 0x3F)
        kind = KINDS[point] if point < 0x10000 else np.uint8(ALONE)
        if kind == ALONE:
            kind = alone
            alone = np.uint8(ALONE + ALONE + 1 - alone)
        if size == 2 and point < 0x800:
            point = np.int64(LOWER[point])
            low[i] = np.uint8(0xC0 | (point >> 6))
            low[i + 1] = np.uint8(0x80 | (point & 0x3F))
        for k in range(size):
            kinds[i + k] = kind
        i += size


@compiled
def _hash(low: Bytes, start: np.uint64, size: np.uint64) -> np.uint64:
    """The hash of a token of so many bytes; `low` holds at least 16 from its start on."""
    h: np.uint64 = (_load(low, start) & _FIRST_BYTES[min(size, np.uint64(8))]) ^ (_OTHER + size)
    h *= _FIRST
    h ^= h >> np.uint64(32)
    if size > 8:
        for at in range(np.uint64(8), size, np.uint64(8)):
            h += _load(low, start + at) & _FIRST_BYTES[min(size - at, np.uint64(8))]
            h *= _SECOND
            h ^= h >> np.uint64(29)
    return h


@compiled
def scratch() -> Space:
    """Space for one block, to be used again for the next."""
    return np.zeros(BLOCK + 16, np.uint8), np.zeros(BLOCK, np.uint8), np.empty(BLOCK + 1, np.uint32)


@compiled
def read_tokens(data: Bytes, at: int, end: int, tokens: Hashes, have: int, space: Space) -> tuple[int, int]:
    """Append the tokens of the next block of a message.

    Args:
        data: UTF-8 bytes.
        at: Where to begin: the first byte of the message, or where the last call left off.
        end: The end of the message.
        tokens: Takes the hashes; has room for `ROOM` more.
        have: How many it holds.
        space: From `scratch`.

    Returns:
        Where to go on, and how many tokens there are now.
    """
    low, kinds, edges = space
    count = min(end - at, BLOCK)
    last = at + count == end
    if not last:
        for _ in range(3):
            if data[at + count] & 0xC0 == 0x80:
                count -= 1
    _classify(data, at, count, low, kinds)
    runs, before = 0, np.uint8(SEPARATOR)
    for i in range(count):
        edges[runs] = i
        runs += kinds[i] != before
        before = kinds[i]
    edges[runs] = count
    # The last run may go on in the next block, all but its full pieces.
    open_run = runs if not last and before != SEPARATOR else runs + 1
    at += int(count)
    for run in range(runs):
        start, stop = np.uint64(edges[run]), np.uint64(edges[run + 1])
        if kinds[start] == SEPARATOR:
            continue
        size = stop - start
        while size > LONGEST:
            piece = _piece(low, start)
            tokens[have] = _hash(low, start, piece)
            have += 1
            start += piece
            size -= piece
        if run + 1 == open_run:
            at -= int(size)
            break
        tokens[have] = _hash(low, start, size)
        have += 1
    return at, have


@compiled
def _piece(low: Bytes, start: np.uint64) -> np.uint64:
    """How many bytes of a run that is too long make whole code points within the longest token."""
    size = np.uint64(LONGEST)
    for _ in range(3):
        if low[start + size] & 0xC0 == 0x80:
            size -= np.uint64(1)
    return size
