"""Opening the sets that `--against` names: workspaces, folders of an index, Redis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.dedup import index, minhash
from curate.dedup.corpus import load
from curate.dedup.kept import kept_rows
from curate.dedup.reference import Matches, Query, look_up
from curate.dedup.second_pass import read_again
from curate.dedup.signing import TABLE_OF
from curate.errors import CurateError, WorkspaceError
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from numpy.typing import NDArray

    from curate.dedup import Options
    from curate.dedup.reference import Reference
    from curate.dedup.second_pass import ShingleSets


def open_all(ws: Workspace, options: Options) -> list[Reference]:
    """The sets that the options name.

    Raises:
        CurateError: One is not there, is the workspace itself, or was made with other parameters.
    """
    return [_open(name, ws, options) for name in options.against]


def _open(name: str, ws: Workspace, options: Options) -> Reference:
    if is_redis(name):
        from curate.dedup.redis_index import RedisIndex

        return RedisIndex(name, ws, options)
    if is_address(name) or not Path(name).exists():
        hint = "give a workspace, a folder that `curate dedup --index` wrote, or redis://HOST:PORT/DB"
        raise CurateError("there is nothing to compare with", where=shown(name), hint=hint)
    if index.is_index(Path(name)):
        return FolderReference(name, index.parts(Path(name), ws, options))
    return WorkspaceReference(name, ws, options)


def writer(name: str, ws: Workspace, options: Options) -> Callable[[Workspace], object]:
    """What puts a deduplicated workspace into an index; an address that cannot work is told now.

    Raises:
        CurateError: The place is no index and has other files, or Redis does not answer.
    """
    if is_redis(name):
        from curate.dedup.redis_index import RedisIndex

        return RedisIndex(name, ws, options).write
    folder = Path(name)
    if is_address(name):
        raise CurateError("this is no place for an index", where=shown(name), hint="a folder, or redis://HOST:PORT/DB")
    if folder.exists() and not (folder.is_dir() and (index.is_index(folder) or not any(folder.iterdir()))):
        raise CurateError("this is no index, and not empty", where=name, hint="give a new folder to --index")
    index.parts(folder, ws, options)
    return lambda deduplicated: index.write(folder, deduplicated, options)


def shown(name: str) -> str:
    """A name without a password: of an address what follows the last `@`."""
    scheme, mark, rest = name.partition("://")
    return f"{scheme.lower()}://{rest.rpartition('@')[2]}" if mark else name


def is_address(name: str) -> bool:
    """Whether this is no path."""
    return "://" in name


def is_redis(name: str) -> bool:
    """Whether this is the address of a Redis server."""
    return name.lower().startswith(("redis://", "rediss://"))


class WorkspaceReference:
    """Another workspace: its signatures are read, and the text of candidates only.

    Args:
        name: Its folder.
        ws: The workspace that is compared with it.
        options: What a duplicate is.

    Raises:
        CurateError: It is the same workspace, or has no signatures, or others than are needed.
        WorkspaceError: It is no workspace.
    """

    def __init__(self, name: str, ws: Workspace, options: Options) -> None:
        self.name, self._ws, self._table = name, Workspace(name), TABLE_OF[options.unit]
        if self._ws.path.resolve() == ws.path.resolve():
            raise CurateError("a workspace cannot be compared with itself", where=name)
        hint = f"run `curate dedup -w {name}" + (f" --unit {options.unit}`" if options.unit != "conversation" else "`")
        if not self._ws.has(self._table):
            raise WorkspaceError("the other workspace has no signatures", where=name, hint=hint)
        for number in self._ws.shards(self._table):
            self._ws.require_current(self._table, number)
            check(self._ws.stamp(self._table, number), options, self._ws.shard(self._table, number), hint)

    def stamp(self) -> object:
        """Changes when what it holds, or what is kept of it, changes."""
        tables = (self._table, "duplicates", "repeats")
        return [[self._ws.stamp(table, i).get("fingerprint") for i in self._ws.shards(table)] for table in tables]

    def look_up(self, query: Query) -> Matches:
        """What this workspace keeps of the texts."""
        with TemporaryFile(dir=query.ws.path) as file:
            paths = [(number, self._ws.shard(self._table, number)) for number in self._ws.shards(self._table)]
            corpus = load(paths, file, (query.corpus.bands, query.values))

            def sets(file: IO[bytes], rows: NDArray[np.int64]) -> ShingleSets:
                return read_again(self._ws, query.unit, file, corpus, rows)[0]

            return look_up(query, corpus, kept_rows(self._ws, query.unit, corpus), sets)


@dataclass(frozen=True)
class FolderReference:
    """An index in a folder: signatures and shingles, no text."""

    name: str
    parts: tuple[index.Part, ...]

    def stamp(self) -> object:
        """Changes when what it holds changes."""
        return [part.stamp["fingerprint"] for part in self.parts]

    def look_up(self, query: Query) -> Matches:
        """What the index has of the texts."""
        with TemporaryFile(dir=query.ws.path) as file:
            paths = [(number, part.path) for number, part in enumerate(self.parts)]
            corpus = load(paths, file, (query.corpus.bands, query.values))

            def sets(file: IO[bytes], rows: NDArray[np.int64]) -> ShingleSets:
                return index.sets(self.parts, corpus, file, rows)

            return look_up(query, corpus, np.arange(len(corpus.keys)), sets)


def check(stamp: dict[str, Any], options: Options, where: object, hint: str) -> None:
    """Refuse signatures that cannot be compared with ours.

    Args:
        stamp: What they say of themselves.
        options: What ours are.
        where: Where they are.
        hint: How to make others.

    Raises:
        CurateError: With what differs.
    """
    ours = minhash.parameters(options.unit, options.num_perm)
    for name, value in ours.items():
        if stamp.get(name) != value:
            what = f"the signatures were made with {name} {stamp.get(name)}, not {value}"
            raise CurateError(what, where=where, hint=hint)
