"""A shared index in Redis, kept by datasketch's storage: many workspaces write to it and are compared with it.

Bands are those of a `datasketch.MinHashLSH`, so that other programs can ask it too; beside them stand content hashes,
digests at the ends of messages, and shingles, by which every candidate is verified. Nothing that comes from the server
is unpickled.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pyarrow.parquet as pq

from curate.dedup import index, minhash
from curate.dedup.corpus import load, signature_matrix
from curate.dedup.kept import kept_rows
from curate.dedup.kinds import EXACT, NEAR, PREFIX
from curate.dedup.lsh import MOST_PERMUTATIONS, bands, bands_needed
from curate.dedup.near import CANDIDATE_LIMIT, FEWEST_SHINGLES
from curate.dedup.prefix import full_digests
from curate.dedup.reference import Matches
from curate.dedup.references import shown
from curate.dedup.second_pass import read_again
from curate.dedup.signing import TABLE_OF
from curate.errors import CurateError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from curate.dedup import Options
    from curate.dedup.corpus import Corpus
    from curate.dedup.reference import Query
    from curate.workspace import Workspace

AT_ONCE = 256  # texts in one pipeline


class RedisIndex:
    """An index that other workspaces share.

    Args:
        address: `redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]`, or `rediss://` for TLS. A password goes nowhere else.
        ws: The workspace that is compared with it, or put into it.
        options: What a duplicate is.

    Raises:
        MissingExtraError: The package redis is not installed.
        CurateError: No server answers, or the index was made with other parameters.
    """

    def __init__(self, address: str, ws: Workspace, options: Options) -> None:
        try:
            import redis  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("redis", "redis") from error
        self.name = shown(address)
        self._own = (index.name_of(ws) or "").encode()
        self._options = options
        self._config = {"type": "redis", "redis": _connection(address, self.name)}
        self._meta = self._storage("meta", ordered=True)
        with self._errors():
            stored = self._meta.get(b"parameters")
        ours = minhash.parameters(options.unit, options.num_perm)
        self._parameters = self._read(stored[0]) if stored else _new_parameters(options)
        for name, value in ours.items():
            if self._parameters[name] != value:
                what = f"the index was made with {name} {self._parameters[name]}, not {value}"
                raise CurateError(what, where=self.name, hint="use another database: redis://HOST:PORT/DB")
        self._check_threshold()

    def _read(self, stored: bytes) -> dict[str, Any]:
        """The parameters of an index; anything may stand there."""
        try:
            found = json.loads(stored)
            count, values = int(found["bands"]), int(found["values"])
            if not (count >= 2 and values >= 1 and count * values <= int(found["num_perm"]) <= MOST_PERMUTATIONS):
                raise ValueError(found)
            return {**found, "bands": count, "values": values, "threshold": float(found["threshold"])}
        except (ValueError, TypeError, KeyError) as error:
            raise self._strange() from error

    def _strange(self) -> CurateError:
        return CurateError("what is there is no index of curate", where=self.name, hint="use another database")

    def _check_threshold(self) -> None:
        if bands_needed(self._options.threshold, self._parameters["values"]) > self._parameters["bands"]:
            what = f"the index finds texts from a similarity of {self._parameters['threshold']} on"
            hint = f"use --threshold {self._parameters['threshold']} or higher, or another database"
            raise CurateError(what, where=self.name, hint=hint)

    def stamp(self) -> object:
        """Changes with every write."""
        with self._errors():
            return [value.decode(errors="replace") for value in self._meta.get(b"generation")]

    def look_up(self, query: Query) -> Matches:
        """What the index has of the texts."""
        corpus = query.corpus
        with self._errors():
            found = {EXACT: self._equal("hashes", corpus, query.rows, _hashes(corpus, query.rows))}
            left = np.setdiff1d(query.long, [row for row, _, _ in found[EXACT]])
            found[PREFIX] = self._equal("ends", corpus, left, _bytes(full_digests(corpus, left)))
            left = np.setdiff1d(left, [row for row, _, _ in found[PREFIX]])
            candidates, limited = self._sharing_a_band(query, left)
            found[NEAR] = self._similar(query, candidates)
        places = ((kind, *match) for kind, matches in found.items() for match in matches)
        rows = [(row, kind, similarity, *self._place(there)) for kind, row, similarity, there in places]
        row, kind, similarity, key, turn = zip(*rows, strict=True) if rows else [()] * 5
        return Matches(
            np.array(row, np.int64),
            np.array(kind, np.uint8),
            np.array(similarity, np.float32),
            np.array(key, np.uint64),
            np.array(turn, np.int32),
            np.array(limited, np.int64),
        )

    def _equal(
        self, name: str, corpus: Corpus, rows: NDArray[np.int64], keys: Sequence[bytes]
    ) -> list[tuple[int, float, bytes]]:
        """Rows whose key the index has, each with 1 and the first text there."""
        storage, found = self._storage(name), []
        for some in _pieces(len(rows)):
            for row, ids in zip(rows[some].tolist(), _many(storage, keys[some]), strict=True):
                if others := sorted(filter(self._foreign, ids)):
                    found.append((row, 1.0, others[0]))
        return found

    def _sharing_a_band(self, query: Query, rows: NDArray[np.int64]) -> tuple[dict[int, list[bytes]], list[int]]:
        """Texts of the index that share a band with each row, and rows with more than are compared."""
        lsh, values, found, limited = self._lsh(), self._parameters["values"], {}, []
        for numbers, signatures in _signatures(query.ws, query.unit, query.corpus, rows):
            for some in _pieces(len(numbers)):
                shares: list[Counter[bytes]] = [Counter() for _ in numbers[some]]
                for band, table in enumerate(lsh.hashtables):
                    # As `MinHashLSH` writes them: the values of the band, most significant byte first.
                    part = signatures[some, band * values : (band + 1) * values].astype(">u4")
                    for share, ids in zip(shares, _many(table, [bytes(key) for key in part]), strict=True):
                        share.update(filter(self._foreign, ids))
                for row, share in zip(numbers[some].tolist(), shares, strict=True):
                    if share:
                        others = sorted(share, key=lambda other: (-share[other], other))
                        found[row] = others[:CANDIDATE_LIMIT]
                        limited += [row] if len(others) > CANDIDATE_LIMIT else []
        return found, limited

    def _similar(
        self, query: Query, candidates: dict[int, list[bytes]]
    ) -> list[tuple[int, float, bytes]]:
        """Rows with their most similar candidate, where it is similar enough."""
        storage, found = self._storage("shingles", ordered=True), []
        rows = np.array(sorted(candidates), np.int64)
        with TemporaryFile(dir=query.ws.path) as file:
            sets, _ = read_again(query.ws, query.unit, file, query.corpus, rows)
            for place, row in enumerate(rows.tolist()):
                own = sets.hashes[sets.starts[place] : sets.starts[place + 1]]
                best = (0.0, b"")
                for other, values in zip(candidates[row], _many(storage, candidates[row]), strict=True):
                    stored = values[0] if values else b""
                    theirs = np.frombuffer(stored, np.uint64, len(stored) // 8)
                    if min(len(own), len(theirs)) >= FEWEST_SHINGLES:
                        best = max(best, (minhash.jaccard(own, theirs, query.threshold), other))
                if best[0] >= query.threshold:
                    found.append((row, best[0], best[1]))
        return found

    def write(self, ws: Workspace) -> int:
        """Put what `dedup` kept of a workspace into the index, and take out what it kept once and no more.

        Returns:
            How many texts of the workspace the index has now.
        """
        unit, table = self._options.unit, TABLE_OF[self._options.unit]
        self._own = index.named(ws).encode()
        with self._errors():
            self._lsh()
            self._set(b"parameters", json.dumps(self._parameters, sort_keys=True))
            # Before and after, so that nobody who reads in between takes it for what it was or will be.
            self._set(b"generation", uuid4().hex)
            inside = {bytes(member) for member in self._storage("members").get(self._own)}
            for number in ws.shards(table):
                with TemporaryFile(dir=ws.path) as band_file:
                    corpus = load([(number, ws.shard(table, number))], band_file, (1, 1))
                    kept = kept_rows(ws, unit, corpus)
                    ids = [self._id(corpus, row) for row in range(len(corpus.keys))]
                    new = np.array([row for row in kept.tolist() if ids[row] not in inside], np.int64)
                    gone = np.array([row for row in range(len(ids)) if ids[row] in inside], np.int64)
                    self._insert(ws, corpus, new, ids)
                    self._remove(corpus, np.setdiff1d(gone, kept), ids)
            self._set(b"generation", uuid4().hex)
            return len(self._storage("members").get(self._own))

    def _insert(self, ws: Workspace, corpus: Corpus, rows: NDArray[np.int64], ids: list[bytes]) -> None:
        from datasketch import MinHash

        storages = {name: self._storage(name, ordered=name == "shingles") for name in _BESIDE}
        scheme = MinHash(self._options.num_perm, seed=1, scheme="affine32").permutations
        hashes = _hashes(corpus, np.arange(len(corpus.keys)))
        with TemporaryFile(dir=ws.path) as file, self._lsh().insertion_session() as session:
            sets, _ = read_again(ws, self._options.unit, file, corpus, rows)
            place = 0
            for numbers, signatures in _signatures(ws, self._options.unit, corpus, rows):
                for row, values in zip(numbers.tolist(), signatures, strict=True):
                    sketch = MinHash(seed=1, scheme="affine32", hashvalues=values, permutations=scheme)
                    session.insert(ids[row], sketch, check_duplication=False)
                    shingles = sets.hashes[sets.starts[place] : sets.starts[place + 1]].tobytes()
                    storages["shingles"].remove(ids[row], buffer=True)
                    storages["shingles"].insert(ids[row], shingles, buffer=True)
                    for name, key in _found_by(corpus, row, hashes[row]):
                        storages[name].insert(key, ids[row], buffer=True)
                    storages["members"].insert(self._own, ids[row], buffer=True)
                    place += 1
        for storage in storages.values():
            storage.empty_buffer()

    def _remove(self, corpus: Corpus, rows: NDArray[np.int64], ids: list[bytes]) -> None:
        lsh, storages = self._lsh(), {name: self._storage(name, ordered=name == "shingles") for name in _BESIDE}
        hashes = _hashes(corpus, np.arange(len(corpus.keys)))
        for row in rows.tolist():
            if ids[row] in lsh:
                lsh.remove(ids[row])
            storages["shingles"].remove(ids[row])
            for name, key in _found_by(corpus, row, hashes[row]):
                storages[name].remove_val(key, ids[row])
            storages["members"].remove_val(self._own, ids[row])

    def _lsh(self) -> Any:
        from datasketch import MinHashLSH

        return MinHashLSH(
            num_perm=self._options.num_perm,
            params=(self._parameters["bands"], self._parameters["values"]),
            storage_config={**self._config, "basename": self._prefix("lsh")},
            prepickle=False,
        )

    def _storage(self, name: str, *, ordered: bool = False) -> Any:
        from datasketch.storage import ordered_storage, unordered_storage

        return (ordered_storage if ordered else unordered_storage)(self._config, name=self._prefix(name))

    def _prefix(self, name: str) -> bytes:
        return f"curate:{self._options.unit}:{name}:".encode()

    def _set(self, key: bytes, value: str) -> None:
        if self._meta.get(key) != [value.encode()]:
            self._meta.remove(key)
            self._meta.insert(key, value)

    def _id(self, corpus: Corpus, row: int) -> bytes:
        return b"%s:%d:%d" % (self._own, corpus.keys[row], corpus.turns[row])

    def _foreign(self, identity: bytes) -> bool:
        return not self._own or not identity.startswith(self._own + b":")

    def _place(self, identity: bytes) -> tuple[int, int]:
        """Conversation and response of a text of the index."""
        try:
            _, key, turn = identity.split(b":")
            if not (0 <= int(key) < 1 << 64 and -1 <= int(turn) < 1 << 31):
                raise ValueError(identity)
            return int(key), int(turn)
        except ValueError as error:
            raise self._strange() from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from redis.exceptions import RedisError

        try:
            yield
        except RedisError as error:
            hint = "start the server, or give another address: redis://HOST:PORT/DB"
            raise CurateError(f"Redis: {str(error) or type(error).__name__}", where=self.name, hint=hint) from error


# Storages beside the bands; shingles are a list per text, the others sets of texts.
_BESIDE = ("hashes", "ends", "shingles", "members")


def _new_parameters(options: Options) -> dict[str, Any]:
    """Those of an index that is yet to be made. `MinHashLSH` has two bands or more."""
    count, values = bands(options.threshold, options.num_perm, 0)
    if count == 1:
        count, values = 2, min(values, options.num_perm // 2)
    if values < 1:
        hint = "give at least 2"
        raise CurateError(f"{options.num_perm} permutation makes no index in Redis", where="--num-perm", hint=hint)
    made = {"bands": count, "values": values, "threshold": options.threshold}
    return minhash.parameters(options.unit, options.num_perm) | made


def _connection(address: str, name: str) -> dict[str, Any]:
    """The arguments of `redis.Redis` for an address."""
    from redis.connection import parse_url

    scheme, _, rest = address.partition("://")
    if "/" in rest.rpartition("@")[0]:
        raise CurateError("a `/` in a password is written %2F in an address", where=name)
    try:
        arguments: dict[str, Any] = dict(parse_url(f"{scheme.lower()}://{rest}"))  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise CurateError("this is no address of a Redis server", where=name, hint="redis://HOST:PORT/DB") from error
    if arguments.pop("connection_class", None):
        arguments["ssl"] = True
    return arguments


def _pieces(count: int) -> Iterator[slice]:
    return (slice(first, first + AT_ONCE) for first in range(0, count, AT_ONCE))


def _many(storage: Any, keys: Sequence[bytes]) -> list[Any]:
    return list(storage.getmany(*keys)) if len(keys) else []


def _bytes(numbers: NDArray[np.uint64]) -> list[bytes]:
    return [number.tobytes() for number in numbers]


def _hashes(corpus: Corpus, rows: NDArray[np.int64]) -> list[bytes]:
    return [pair.tobytes() for pair in corpus.hashes()[rows]]


def _found_by(corpus: Corpus, row: int, content: bytes) -> list[tuple[str, bytes]]:
    """The storages and keys under which a text is found: its content hash, and what it begins with."""
    return [("hashes", content), *(("ends", digest) for digest in _bytes(corpus.digests(row, row + 1)[:-1]))]


def _signatures(
    ws: Workspace, unit: str, corpus: Corpus, rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint32]]]:
    """Some rows, shard after shard, and their signatures (texts x permutations)."""
    for number, first, end in corpus.shards:
        low, high = np.searchsorted(rows, [first, end])
        if low < high:
            column = pq.ParquetFile(ws.shard(TABLE_OF[unit], number)).read(["signature"])["signature"]
            values = signature_matrix(column.combine_chunks())
            yield rows[low:high], values[rows[low:high] - first]
