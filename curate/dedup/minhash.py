"""Text to shingle hashes to MinHash band keys, compiled, straight from Arrow buffers.

No Python string is made: the kernels read UTF-8 bytes, release the GIL and keep a constant amount
of memory however long a conversation is.

Tokens. A token is a run of letters, digits and `_`. Punctuation, symbols and white space separate
tokens and do not count. Scripts written without spaces (Chinese, Japanese, Thai, Lao, Khmer,
Burmese), Hangul and every code point past U+FFFF (emoji among them) give one token per code point.
Letters below U+0800 (Latin, Greek, Cyrillic, Armenian) are lower-cased. Every message begins with
a token for its role that no word can equal, so swapped speakers are another text.

Shingles. Runs of 5 tokens, hashed to 64 bits. One changed word changes 5 shingles, which would be
most of a short text, so texts under 40 tokens use runs of 3: there, too, about one word in 25 may
differ at a Jaccard similarity of 0.7. Single words never count: a bag of words forgets the order.

Signatures are those of datasketch 2 (`scheme="affine32"`) over the low 32 bits of the shingle
hashes: https://github.com/ekzhu/datasketch, datasketch/minhash.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Integers = NDArray[np.int64]
    Hashes = NDArray[np.uint64]
    Signature = NDArray[np.uint32]

Function = TypeVar("Function", bound=Callable[..., Any])

# Rises when any of the choices above changes what a signature or a set of shingles is.
VERSION = 1

WIDTH, SHORT_WIDTH, SHORT = 5, 3, 40
BLOCK = 1024

SEPARATOR, WORD, ALONE = 0, 1, 2
EMPTY = np.uint64(0xCBF29CE484222325)  # FNV-1a, 64 bits
PRIME = np.uint64(0x100000001B3)
STEP = np.uint64(0x9E3779B97F4A7C15)
MAX_HASH = np.uint32(0xFFFFFFFF)

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
    """The lower-case code point of every code point below U+0800."""
    lower = [chr(point).lower() for point in range(0x800)]
    return np.array([ord(text) if len(text) == 1 else point for point, text in enumerate(lower)], np.uint16)


KINDS = _kinds()
LOWER = _lower()
# What a byte of ASCII adds to a word; 0 ends the fast path.
LETTERS = np.array([LOWER[b] if b < 0x80 and KINDS[b] == WORD else 0 for b in range(256)], np.uint64)
# One arbitrary constant per role of `schema.ROLES`.
ROLE_TOKENS = np.array([0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1], np.uint64)


def _compiled(function: Function) -> Function:
    try:
        return cast("Function", numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # no folder to cache in can be written
        return cast("Function", numba.njit(nogil=True)(function))


@_compiled
def _code_point(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """The code point at a byte past ASCII, and its length in bytes; U+FFFD when it is cut off."""
    lead = data[at]
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if at + size > end:
        return 0xFFFD, end - at
    point = lead & (0xFF >> (size + 1))
    for i in range(at + 1, at + size):
        point = (point << 6) | (data[i] & 0x3F)
    return point, size


@_compiled
def _read_tokens(
    data: Bytes, offsets: Integers, roles: Bytes, message: int, stop: int, at: int, tokens: Hashes, have: int
) -> tuple[int, int, int]:
    """Append tokens until the buffer is full or the messages end.

    Returns:
        Where to go on: message, byte (-1 = before its role), and how many tokens the buffer has.
    """
    room = tokens.size
    while message < stop and have < room:
        end = offsets[message + 1]
        if at < 0:
            tokens[have] = ROLE_TOKENS[roles[message]]
            have += 1
            at = offsets[message]
        word = EMPTY
        while at < end and have < room:
            letter = LETTERS[data[at]]
            if letter != 0:
                word = (word ^ letter) * PRIME
                at += 1
                continue
            kind, point, size = SEPARATOR, 0, 1
            if data[at] >= 0x80:
                point, size = _code_point(data, at, end)
                kind = KINDS[point] if point < 0x10000 else ALONE
            if kind == WORD:
                word = (word ^ np.uint64(LOWER[point] if point < 0x800 else point)) * PRIME
                at += size
            elif word != EMPTY:
                # A code point that stands alone comes up again, with no word before it.
                tokens[have] = word
                have += 1
                word = EMPTY
                at += size if kind == SEPARATOR else 0
            else:
                if kind == ALONE:
                    tokens[have] = (EMPTY ^ np.uint64(point)) * PRIME
                    have += 1
                at += size
        if at < end:
            break
        if word != EMPTY:
            tokens[have] = word
            have += 1
        message += 1
        at = -1
    return message, at, have


@_compiled
def _read_shingles(
    data: Bytes,
    offsets: Integers,
    roles: Bytes,
    message: int,
    stop: int,
    at: int,
    tokens: Hashes,
    have: int,
    width: int,
    shingles: Hashes,
) -> tuple[int, int, int, int, int]:
    """Fill `shingles` with the next hashes; `tokens` carries the `width - 1` that overlap.

    `width` is 0 before the first block, which is long enough to decide it.

    Returns:
        Where to go on: message, byte, tokens carried, width; and how many hashes there are, 0 = the end.
    """
    message, at, have = _read_tokens(data, offsets, roles, message, stop, at, tokens, have)
    if width == 0:
        width = WIDTH if have >= SHORT else SHORT_WIDTH
    count = max(have - width + 1, 0)
    for i in range(count):
        shingles[i] = tokens[i]
    for j in range(1, width):
        for i in range(count):
            shingles[i] = shingles[i] * STEP + tokens[i + j]
    for i in range(count):
        h = shingles[i]
        h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        shingles[i] = h ^ (h >> np.uint64(33))
    have -= count
    for i in range(have):
        tokens[i] = tokens[i + count]
    return message, at, have, width, count


@_compiled
def _update(
    signature: Signature, shingles: Hashes, count: int, a: Signature, b: Signature, mixed: Signature
) -> None:
    """Lower a signature by a block of shingle hashes; `mixed` is scratch space."""
    for i in range(count):
        h = np.uint32(shingles[i])
        h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
        h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
        mixed[i] = h ^ (h >> np.uint32(16))
    for k in range(a.size):
        lowest, factor, shift = signature[k], a[k], b[k]
        for i in range(count):
            lowest = min(lowest, np.uint32(mixed[i] * factor + shift))
        signature[k] = lowest


@_compiled
def signature(shingles: Hashes, a: Signature, b: Signature) -> Signature:
    """The MinHash signature of a set of shingle hashes, equal to datasketch's for the same permutations."""
    values = np.full(a.size, MAX_HASH, np.uint32)
    _update(values, shingles, shingles.size, a, b, np.empty(shingles.size, np.uint32))
    return values


@_compiled
def band_keys(
    data: Bytes, offsets: Integers, roles: Bytes, rows: Integers, a: Signature, b: Signature, band_rows: int
) -> tuple[Hashes, Integers]:
    """The band keys of every conversation of a batch.

    Args:
        data: UTF-8 bytes of all contents.
        offsets: Where each message begins in `data`, and the end of the last.
        roles: Index in `schema.ROLES` of each message.
        rows: Where each conversation begins among the messages, and the end of the last.
        a: Odd factors of the permutations.
        b: Shifts of the permutations.
        band_rows: Signature values per band.

    Returns:
        Keys (bands x conversations), and the number of shingles of each conversation, repeats included.
    """
    count_rows = rows.size - 1
    keys = np.empty((a.size // band_rows, count_rows), np.uint64)
    totals = np.zeros(count_rows, np.int64)
    tokens, shingles = np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.uint64)
    mixed, values = np.empty(BLOCK, np.uint32), np.empty(a.size, np.uint32)
    for row in range(count_rows):
        values[:] = MAX_HASH
        message, at, have, width, count = rows[row], -1, 0, 0, 1
        while count > 0:
            message, at, have, width, count = _read_shingles(
                data, offsets, roles, message, rows[row + 1], at, tokens, have, width, shingles
            )
            _update(values, shingles, count, a, b, mixed)
            totals[row] += count
        for band in range(keys.shape[0]):
            key = EMPTY
            for i in range(band * band_rows, (band + 1) * band_rows):
                key = (key ^ np.uint64(values[i])) * STEP
                key ^= key >> np.uint64(32)
            keys[band, row] = key
    return keys, totals


@_compiled
def shingle_hashes(
    data: Bytes, offsets: Integers, roles: Bytes, first: int, stop: int, total: int
) -> Hashes:
    """The shingle hashes of one conversation, in order, repeats included.

    Args:
        data: UTF-8 bytes of all contents.
        offsets: Where each message begins in `data`, and the end of the last.
        roles: Index in `schema.ROLES` of each message.
        first: First message of the conversation.
        stop: The message after its last.
        total: How many shingles it has, as `band_keys` told.
    """
    hashes = np.empty(total, np.uint64)
    tokens, shingles = np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.uint64)
    done = 0
    message, at, have, width, count = first, -1, 0, 0, 1
    while count > 0:
        message, at, have, width, count = _read_shingles(
            data, offsets, roles, message, stop, at, tokens, have, width, shingles
        )
        hashes[done : done + count] = shingles[:count]
        done += count
    return hashes


@_compiled
def jaccard(left: Hashes, right: Hashes, threshold: float) -> float:
    """The exact Jaccard similarity of two sets (sorted, distinct); 0 as soon as it must be below `threshold`."""
    i, j, shared, union = 0, 0, 0, left.size + right.size
    needed = threshold * union / (1 + threshold) - 1e-6
    while i < left.size and j < right.size:
        if shared + min(left.size - i, right.size - j) < needed:
            return 0.0
        x, y = left[i], right[j]
        shared += x == y
        i += x <= y
        j += y <= x
    return shared / (union - shared) if union else 1.0


def permutations(count: int) -> tuple[Signature, Signature]:
    """Factors and shifts of datasketch's first `count` permutations (seed 1)."""
    from datasketch import MinHash

    a, b = MinHash(count, seed=1, scheme="affine32").permutations
    return np.ascontiguousarray(a, np.uint32), np.ascontiguousarray(b, np.uint32)
