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
    Marks = NDArray[np.uint64]
    Space = tuple[Bytes, Marks, Places, Bytes]

Function = TypeVar("Function", bound=Callable[..., Any])

# Rises when the same text gives other tokens or other hashes.
VERSION = 2

BLOCK = 2048  # bytes that are classified at a time
LONGEST = 64  # bytes of a token
ROOM = BLOCK // 2 + 1  # tokens that a block has at the most: one in two bytes

LANES = 64  # bytes that are classified at once
AT_ONCE = 16  # tokens that are written down at once

# A plain 0 is a type of its own to numba, which would compile a kernel again for it.
NONE: Any = np.int64(0)
BEFORE: Any = np.int64(-1)

SEPARATOR, WORD, ALONE = 0, 1, 2
# Rows of a block's marks: bytes in a token, first bytes that end the token before them, bytes past ASCII.
IN, BREAK, BEYOND = 0, 1, 2
_ONE = np.uint64(1)
_EACH = np.uint64(0x0101010101010101)
_OTHER = np.uint64(0xCBF29CE484222325)
STEP = np.uint64(0x9E3779B97F4A7C15)
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
        return _read(context, builder, signature, arguments, ir.IntType(64))

    return types.uint64(data, types.intp), generate


def _classified(typing: Any, data: Any, at: Any, low: Any, to: Any) -> Any:
    """Code that lower-cases 64 bytes at once, whichever vectors the processor has.

    Takes the bytes `data[at : at + 64]`, writes them to `low[to : to + 64]`, and gives two numbers, a bit a byte from
    the lowest on: which are ASCII letters, digits or `_`, and which are no ASCII.
    """
    vector = ir.VectorType(ir.IntType(8), LANES)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def every(byte: int) -> Any:
            return ir.Constant(vector, [byte] * LANES)

        def among(values: Any, first: str, count: int) -> Any:
            return builder.icmp_unsigned("<", builder.sub(values, every(ord(first))), every(count))

        def bits(lanes: Any) -> Any:
            return builder.bitcast(lanes, ir.IntType(LANES))

        given = _read(context, builder, signature, arguments, vector)
        lower = builder.or_(given, every(0x20))
        array = context.make_array(signature.args[2])(context, builder, arguments[2])
        place = builder.bitcast(builder.gep(array.data, [arguments[3]]), vector.as_pointer())
        builder.store(builder.select(among(given, "A", 26), lower, given), place, align=1)
        word = builder.or_(among(lower, "a", 26), among(given, "0", 10))
        word = builder.or_(word, builder.icmp_unsigned("==", given, every(ord("_"))))
        beyond = builder.icmp_signed("<", given, every(0))
        return context.make_tuple(builder, signature.return_type, [bits(word), bits(beyond)])

    return cast("Any", types).UniTuple(types.uint64, 2)(data, types.intp, low, types.intp), generate


def _read(context: Any, builder: Any, signature: Any, arguments: Any, kind: Any) -> Any:
    """What stands in the first argument, an array of bytes, at the place that is the second."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    place = builder.gep(array.data, [arguments[1]])
    return builder.load(builder.bitcast(place, kind.as_pointer()), align=1)


def _counted(typing: Any, mask: Any) -> Any:
    """Code for the number of bits that are set."""
    return types.uint64(types.uint64), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


def _lowest(typing: Any, mask: Any) -> Any:
    """Code for the place of the lowest bit that is set; 64 where none is."""
    no = ir.Constant(ir.IntType(1), 0)
    return types.uint64(types.uint64), lambda context, builder, signature, arguments: builder.cttz(arguments[0], no)


_load: Any = intrinsic(_loaded)
_classify: Any = intrinsic(_classified)
_count_bits: Any = intrinsic(_counted)
_lowest_bit: Any = intrinsic(_lowest)


@compiled
def _mark(data: Bytes, at: int, count: int, space: Space) -> None:
    """Lower-case a block of whole code points, and mark its bytes in `space`, a bit each.

    Args:
        data: The text.
        at: Where the block begins in it.
        count: Bytes of the block.
        space: From `scratch`; takes the bytes, which of them are in a token, and where one ends and another begins
            without a separator.
    """
    low, marks, _, rest = space
    high = np.uint64(0)
    for k in range((count + LANES - 1) // LANES):
        first = at + k * LANES
        if first + LANES <= data.size:
            word, beyond = _classify(data, first, low, k * LANES)
        else:
            for i in range(data.size - first):
                rest[i] = data[first + i]
            word, beyond = _classify(rest, 0, low, k * LANES)
        if (k + 1) * LANES > count:
            within = (_ONE << np.uint64(count - k * LANES)) - _ONE
            word &= within
            beyond &= within
        marks[IN, k], marks[BREAK, k], marks[BEYOND, k] = word, np.uint64(0), beyond
        high |= beyond
    if high:
        _mark_beyond_ascii(data, at, count, low, marks)


@compiled
def _mark_beyond_ascii(data: Bytes, at: int, count: int, low: Bytes, marks: Marks) -> None:
    """The same for the code points past ASCII, one by one."""
    marks[BREAK, (count + LANES - 1) // LANES] = np.uint64(0)
    i = 0
    while i < count:
        ahead = marks[BEYOND, i // LANES] >> np.uint64(i % LANES)
        if not ahead:
            i += LANES - i % LANES
            continue
        i += int(_lowest_bit(ahead))
        lead = data[at + i]
        size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        size = min(size, count - i)
        point = _code_point(data, at + i, size)
        kind = KINDS[point] if point < 0x10000 else np.uint8(ALONE)
        if kind != SEPARATOR:
            for k in range(i, i + size):
                marks[IN, k // LANES] |= _ONE << np.uint64(k % LANES)
        if kind == ALONE:
            for k in (i, i + size):
                marks[BREAK, k // LANES] |= _ONE << np.uint64(k % LANES)
        if size == 2 and point < 0x800:
            point = int(LOWER[point])
            low[i] = np.uint8(0xC0 | (point >> 6))
            low[i + 1] = np.uint8(0x80 | (point & 0x3F))
        i += size


@compiled
def _code_point(data: Bytes, at: int, size: int) -> int:
    """The code point of so many bytes, two at least."""
    point = np.int64(data[at] & (0xFF >> (size + 1)))
    for k in range(1, size):
        point = (point << 6) | np.int64(data[at + k] & 0x3F)
    return int(point)


@compiled
def stands_alone(data: Bytes, at: int) -> bool:
    """Whether the token that begins here is a single character; those have three bytes or more."""
    lead = data[at]
    return bool(lead >= 0xF0 or (lead >= 0xE0 and KINDS[_code_point(data, at, 3)] == ALONE))


@compiled
def _edges(marks: Marks, count: int, edges: Places) -> int:
    """Where the tokens of a marked block begin and end.

    Args:
        marks: From `_mark`.
        count: Bytes of the block.
        edges: Takes where each begins, and then `count`, in its first row; where each ends, in its second.

    Returns:
        The number of tokens.
    """
    begins, ends = edges[0], edges[1]
    begun, ended, before = np.uint64(0), np.uint64(0), np.uint64(0)
    for k in range((count + LANES - 1) // LANES):
        inside, broken = marks[IN, k], marks[BREAK, k]
        shifted = (inside << _ONE) | before
        before = inside >> np.uint64(LANES - 1)
        begun = _places(inside & (~shifted | broken), k * LANES, begins, begun)
        ended = _places(shifted & (~inside | broken), k * LANES, ends, ended)
    begins[begun] = count
    if before:
        ends[ended] = count
    return int(begun)


@compiled
def _places(mask: np.uint64, base: int, places: Places, have: np.uint64) -> np.uint64:
    """Append the places of the bits of a mask, counted from `base`; how many places there are then.

    Always writes so many, or all: a branch that is as good as never wrong costs less than one for each bit.
    """
    count: np.uint64 = _count_bits(mask)
    for i in range(np.uint64(AT_ONCE)):
        places[have + i] = base + _lowest_bit(mask)
        mask &= mask - _ONE
    for i in range(np.uint64(AT_ONCE), count):
        places[have + i] = base + _lowest_bit(mask)
        mask &= mask - _ONE
    return have + count


@compiled
def _hash(low: Bytes, start: np.uint64, size: np.uint64) -> np.uint64:
    """The hash of a token of so many bytes; `low` holds at least 16 from its start on."""
    h: np.uint64 = (_load(low, start) & _FIRST_BYTES[min(size, np.uint64(8))]) ^ (_OTHER + size)
    h *= STEP
    h ^= h >> np.uint64(32)
    if size > 8:
        for at in range(np.uint64(8), size, np.uint64(8)):
            h += _load(low, start + at) & _FIRST_BYTES[min(size - at, np.uint64(8))]
            h *= _SECOND
            h ^= h >> np.uint64(29)
    return h


@compiled
def characters(data: Bytes, offsets: Integers, rows: Integers) -> Integers:
    """The number of characters of each text of a batch, eight bytes at a time.

    Args:
        data: UTF-8 bytes of all messages.
        offsets: Where each message begins in `data`, and the end of the last.
        rows: Where each text begins among the messages, and the end of the last.
    """
    counts = np.empty(rows.size - 1, np.int64)
    for row in range(rows.size - 1):
        first, end = offsets[rows[row]], offsets[rows[row + 1]]
        words, following = (end - first) // 8, np.uint64(0)
        for word in range(words):
            x = _load(data, first + word * 8)
            following += _count_bits((x >> np.uint64(7)) & ~(x >> np.uint64(6)) & _EACH)
        for i in range(first + words * 8, end):
            following += np.uint64(data[i] & 0xC0 == 0x80)
        counts[row] = end - first - int(following)
    return counts


@compiled
def scratch() -> Space:
    """Space for one block, to be used again for the next."""
    marks = np.empty((3, BLOCK // LANES + 1), np.uint64)
    # More places are written than there are.
    return np.zeros(BLOCK + LANES, np.uint8), marks, np.empty((2, ROOM + AT_ONCE), np.uint32), np.zeros(LANES, np.uint8)


@compiled
def read_tokens(
    data: Bytes, at: int, end: int, tokens: Hashes, have: int, digest: np.uint64, space: Space
) -> tuple[int, int, np.uint64]:
    """Append the tokens of the next block of a message.

    Args:
        data: UTF-8 bytes.
        at: Where to begin: the first byte of the message, or where the last call left off.
        end: The end of the message.
        tokens: Takes the hashes; has room for `ROOM` more.
        have: How many it holds.
        digest: Of all tokens up to here.
        space: From `scratch`.

    Returns:
        Where to go on, how many tokens there are now, and the digest with them.
    """
    low, marks, edges, _ = space
    count = min(end - at, BLOCK)
    last = at + count == end
    if not last:
        for _ in range(3):
            if data[at + count] & 0xC0 == 0x80:
                count -= 1
    _mark(data, at, count, space)
    found = _edges(marks, count, edges)
    # The last token may go on in the next block, all but its full pieces.
    open_token = found - 1 if not last and edges[1, found - 1] == count else found
    at += int(count)
    for token in range(found):
        start, stop = np.uint64(edges[0, token]), np.uint64(edges[1, token])
        size = stop - start
        while size > LONGEST:
            piece = _piece(low, start)
            tokens[have] = _hash(low, start, piece)
            digest = digested(digest, tokens[have])
            have += 1
            start += piece
            size -= piece
        if token == open_token:
            at -= int(size)
            break
        tokens[have] = _hash(low, start, size)
        digest = digested(digest, tokens[have])
        have += 1
    return at, have, digest


@compiled
def digested(digest: np.uint64, token: np.uint64) -> np.uint64:
    """The digest of some tokens and one more."""
    return (digest ^ token) * STEP


@compiled
def _piece(low: Bytes, start: np.uint64) -> np.uint64:
    """How many bytes of a run that is too long make whole code points within the longest token."""
    size = np.uint64(LONGEST)
    for _ in range(3):
        if low[start + size] & 0xC0 == 0x80:
            size -= np.uint64(1)
    return size
