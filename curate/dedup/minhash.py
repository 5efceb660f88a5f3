"""Token hashes to shingles, MinHash signatures and true similarities, compiled.

The kernels release the GIL and keep a constant amount of memory however long a conversation is.

Every message begins with a token for its role that no word can equal, so swapped speakers are another
text. Shingles are runs of 5 tokens, hashed to 64 bits. One changed word changes 5 shingles, which would
be most of a short text, so texts under 40 tokens use runs of 3: there, too, about one word in 25 may
differ at a Jaccard similarity of 0.7. Single words never count: a bag of words forgets the order.

Signatures are those of datasketch 2 (`scheme="affine32"`) over the low 32 bits of the shingle
hashes: https://github.com/ekzhu/datasketch, datasketch/minhash.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curate.dedup import tokens as token_kernels
from curate.dedup.tokens import BEFORE, NONE, ROOM, STEP, compiled, digested, read_tokens, scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curate.dedup.tokens import Bytes, Hashes, Integers, Space

    Signature = NDArray[np.uint32]

# Rises when any of the choices above changes what a signature or a set of shingles is.
VERSION = (2, token_kernels.VERSION)

WIDTH, SHORT_WIDTH, SHORT = 5, 3, 40
# Tokens held at a time: what is left of the last turn, and at least one block more.
HELD = 2 * ROOM

MAX_HASH = np.uint32(0xFFFFFFFF)
# One arbitrary constant per role of `schema.ROLES`.
ROLE_TOKENS = np.array([0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1], np.uint64)


@compiled
def _fill(
    data: Bytes,
    offsets: Integers,
    roles: Bytes,
    message: int,
    stop: int,
    at: int,
    tokens: Hashes,
    have: int,
    digest: np.uint64,
    ends: Hashes,
    space: Space,
) -> tuple[int, int, int, np.uint64]:
    """Append tokens while the buffer has room for a block, or until the messages end.

    Returns:
        Where to go on: message, byte (-1 = before its role); how many tokens the buffer has; their digest so far.
    """
    while message < stop and have + ROOM < tokens.size:
        if at < 0:
            tokens[have] = ROLE_TOKENS[roles[message]]
            digest = digested(digest, tokens[have])
            have += 1
            at = offsets[message]
        if at < offsets[message + 1]:
            at, have, digest = read_tokens(data, at, offsets[message + 1], tokens, have, digest, space)
        if at >= offsets[message + 1]:
            ends[message] = digest
            message += 1
            at = -1
    return message, at, have, digest


@compiled
def _shingle(tokens: Hashes, count: int, width: int, shingles: Hashes) -> None:
    """The hashes of the first so many runs of `width` tokens."""
    if width == WIDTH:
        for i in range(count):
            h = ((tokens[i] * STEP + tokens[i + 1]) * STEP + tokens[i + 2]) * STEP + tokens[i + 3]
            shingles[i] = _spread(h * STEP + tokens[i + 4])
    else:
        for i in range(count):
            h = tokens[i]
            for j in range(1, width):
                h = h * STEP + tokens[i + j]
            shingles[i] = _spread(h)


@compiled
def _spread(h: np.uint64) -> np.uint64:
    """Let every bit of a hash depend on all (the end of MurmurHash3)."""
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@compiled
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


@compiled
def signature(shingles: Hashes, a: Signature, b: Signature) -> Signature:
    """The MinHash signature of a set of shingle hashes, equal to datasketch's for the same permutations."""
    values = np.full(a.size, MAX_HASH, np.uint32)
    _update(values, shingles, shingles.size, a, b, np.empty(shingles.size, np.uint32))
    return values


@compiled
def signatures(
    data: Bytes, offsets: Integers, roles: Bytes, rows: Integers, a: Signature, b: Signature
) -> tuple[NDArray[np.uint32], Integers, Hashes]:
    """What is worth remembering of every text of a batch.

    Args:
        data: UTF-8 bytes of all messages.
        offsets: Where each message begins in `data`, and the end of the last.
        roles: Index in `schema.ROLES` of each message.
        rows: Where each text begins among the messages, and the end of the last.
        a: Odd factors of the permutations.
        b: Shifts of the permutations.

    Returns:
        Signatures (texts x permutations); the number of tokens of each text; and for each message, a digest
        of its text's tokens from the first to the message's last.
    """
    values = np.full((rows.size - 1, a.size), MAX_HASH, np.uint32)
    counts = np.zeros(rows.size - 1, np.int64)
    ends = np.zeros(roles.size, np.uint64)
    space = scratch()
    tokens, shingles, mixed = np.empty(HELD, np.uint64), np.empty(HELD, np.uint64), np.empty(HELD, np.uint32)
    for row in range(rows.size - 1):
        message, at, have, width, digest = rows[row], BEFORE, NONE, 0, np.uint64(0)
        while message < rows[row + 1]:
            carried = have
            message, at, have, digest = _fill(
                data, offsets, roles, message, rows[row + 1], at, tokens, have, digest, ends, space
            )
            counts[row] += have - carried
            width = width or width_of(have)
            count = max(have - width + 1, 0)
            _shingle(tokens, count, width, shingles)
            _update(values[row], shingles, count, a, b, mixed)
            have = _keep_rest(tokens, count, have)
    return values, counts, ends


@compiled
def width_of(tokens: int) -> int:
    """Tokens per shingle in a text of so many tokens."""
    return WIDTH if tokens >= SHORT else SHORT_WIDTH


def shingles_of(tokens: Integers) -> Integers:
    """Shingles, repeats included, of texts of so many tokens."""
    widths = np.where(tokens >= SHORT, WIDTH, SHORT_WIDTH)
    shingles: Integers = np.maximum(tokens - widths + 1, 0)
    return shingles


@compiled
def _keep_rest(tokens: Hashes, count: int, have: int) -> int:
    """Move the tokens past `count` to the front, where the next shingles begin; how many they are."""
    for i in range(have - count):
        tokens[i] = tokens[i + count]
    return have - count


@compiled
def band_keys(signatures: NDArray[np.uint32], bands: int, values: int) -> Hashes:
    """The band keys of signatures: bands x texts.

    Args:
        signatures: Texts x permutations.
        bands: How many.
        values: Signature values per band.
    """
    keys = np.empty((bands, signatures.shape[0]), np.uint64)
    for row in range(signatures.shape[0]):
        for band in range(bands):
            key = STEP
            for i in range(band * values, (band + 1) * values):
                key = (key ^ np.uint64(signatures[row, i])) * STEP
                key ^= key >> np.uint64(32)
            keys[band, row] = key
    return keys


def shingle_sets(
    data: Bytes, offsets: Integers, roles: Bytes, rows: Integers, wanted: Integers, tokens: Integers, width: int = 0
) -> tuple[Hashes, Integers]:
    """The shingles of some texts of a batch: sorted and distinct, text after text; and how many each has.

    Args:
        data: UTF-8 bytes of all messages.
        offsets: Where each message begins in `data`, and the end of the last.
        roles: Index in `schema.ROLES` of each message.
        rows: Where each text begins among the messages, and the end of the last.
        wanted: The texts.
        tokens: How many tokens each of them has, as `signatures` told.
        width: Tokens per shingle; 0 = by the length of each text.
    """
    hashes, starts = _shingles(data, offsets, roles, rows, wanted, tokens, width)
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        hashes[start:stop].sort()
    counts = _distinct(hashes, starts)
    return hashes[: counts.sum()], counts


@compiled
def _shingles(
    data: Bytes, offsets: Integers, roles: Bytes, rows: Integers, wanted: Integers, tokens: Integers, fixed: int
) -> tuple[Hashes, Integers]:
    """The shingles of some texts, in order, repeats included; and where each begins."""
    starts = np.zeros(wanted.size + 1, np.int64)
    for i in range(wanted.size):
        starts[i + 1] = starts[i] + max(tokens[i] - (fixed or width_of(tokens[i])) + 1, 0)
    hashes, ends, space = np.empty(starts[-1], np.uint64), np.empty(roles.size, np.uint64), scratch()
    held, shingles = np.empty(HELD, np.uint64), np.empty(HELD, np.uint64)
    for i in range(wanted.size):
        message, stop, at, have, digest = rows[wanted[i]], rows[wanted[i] + 1], BEFORE, NONE, np.uint64(0)
        done, width = starts[i], fixed or width_of(tokens[i])
        while message < stop:
            message, at, have, digest = _fill(data, offsets, roles, message, stop, at, held, have, digest, ends, space)
            count = max(have - width + 1, 0)
            _shingle(held, count, width, shingles)
            for k in range(count):  # numba takes seconds to compile the assignment of a slice
                hashes[done + k] = shingles[k]
            done += count
            have = _keep_rest(held, count, have)
    return hashes, starts


@compiled
def _distinct(hashes: Hashes, starts: Integers) -> Integers:
    """Move the distinct ones of every sorted stretch to the front; how many each has."""
    counts = np.zeros(starts.size - 1, np.int64)
    done = 0
    for i in range(counts.size):
        for at in range(starts[i], starts[i + 1]):
            if at == starts[i] or hashes[at] != hashes[at - 1]:
                hashes[done] = hashes[at]
                done += 1
                counts[i] += 1
    return counts


@compiled
def digests_at(
    data: Bytes,
    offsets: Integers,
    roles: Bytes,
    rows: Integers,
    wanted: Integers,
    starts: Integers,
    places: Integers,
) -> Hashes:
    """The digests of the first so many tokens of some texts of a batch.

    Args:
        data: UTF-8 bytes of all messages.
        offsets: Where each message begins in `data`, and the end of the last.
        roles: Index in `schema.ROLES` of each message.
        rows: Where each text begins among the messages, and the end of the last.
        wanted: The texts.
        starts: Where the places of each text begin, and the end of the last.
        places: Numbers of tokens, ascending for each text, none above its length.
    """
    digests, ends, space = np.zeros(places.size, np.uint64), np.empty(roles.size, np.uint64), scratch()
    tokens = np.empty(HELD, np.uint64)
    for i in range(wanted.size):
        message, at, digest, read, place = rows[wanted[i]], BEFORE, np.uint64(0), 0, starts[i]
        while message < rows[wanted[i] + 1] and place < starts[i + 1]:
            so_far = digest
            message, at, have, digest = _fill(
                data, offsets, roles, message, rows[wanted[i] + 1], at, tokens, NONE, digest, ends, space
            )
            for k in range(have):
                so_far = digested(so_far, tokens[k])
                read += 1
                while place < starts[i + 1] and places[place] == read:
                    digests[place] = so_far
                    place += 1
    return digests


@compiled
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


def parameters(unit: str, num_perm: int) -> dict[str, object]:
    """What two sets of signatures must have in common to be compared; values survive JSON."""
    return {"unit": unit, "num_perm": num_perm, "version": ".".join(map(str, VERSION))}


def permutations(count: int) -> tuple[Signature, Signature]:
    """Factors and shifts of the first `count` permutations of datasketch's `MinHash(seed=1, scheme="affine32")`.

    Its recipe, and not its import, which would take longer than the signatures of 50 MB of text.
    """
    numbers = np.random.RandomState(1)
    a = numbers.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return a, numbers.randint(0, 1 << 32, count, dtype=np.uint32)
