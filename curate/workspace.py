"""The workspace: one folder of plain Parquet tables, sharded alike, plus a manifest.

A shard is finished when its file exists: it is written under a temporary name, flushed to disk and
renamed. Each shard carries a stamp in its Parquet metadata, whose `fingerprint` covers everything
the shard was made from, so a rerun redoes only what changed. The manifest is written last.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from errno import EMFILE
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from curate import engine as engines
from curate import manifest as manifests
from curate.engine import Local
from curate.errors import WorkspaceError, unwritable
from curate.files import atomic as atomic
from curate.files import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import polars as pl
    import pyarrow as pa

    from curate.engine import Engine

STAMP = b"curate"
INGESTED = ("conversations", "rejects")
# Tables that are not made from the conversations of a shard.
FREE = (*INGESTED, "corrections")
PUT_BACK = "ingest the same files in the same way into a new workspace, and copy this shard from there: it is the same"


def fingerprint(*parts: object) -> str:
    """32 hex digits over the parts, stable between machines and Python versions."""
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return blake2b(canonical.encode(), digest_size=16).hexdigest()


def parquet_options(*, noise: bool = False) -> dict[str, Any]:
    """How every table is written: zstd level 1, the best size per second on chat text, and a checksum per page.

    Args:
        noise: Nothing in the table repeats, so it is stored as it is.
    """
    pages = {"write_page_index": True, "write_page_checksum": True}
    raw, zstd = {"compression": "none", "use_dictionary": False}, {"compression": "zstd", "compression_level": 1}
    return {**(raw if noise else zstd), **pages}


class Workspace:
    """A folder of tables that speak of the same conversations.

    Args:
        path: The folder.
        create: Make it when it does not exist.
        engine: Who makes its shards, see `curate.engine`.

    Raises:
        WorkspaceError: The folder is missing, is not a workspace, or was made by another version.
        CurateError: There is no such engine.
    """

    def __init__(self, path: str | Path, *, create: bool = False, engine: str = "local") -> None:
        self.path = Path(path)
        self.engine: Engine = engines.engine(engine)
        self._apart = ""
        self._manifest = self.path / "manifest.json"
        if self.path.exists() and not self.path.is_dir():
            raise WorkspaceError(
                "the workspace is a file, not a folder",
                where=self.path,
                hint="name a folder with -w or CURATE_WORKSPACE",
            )
        if not create and not self._manifest.exists() and not self.shards("conversations"):
            raise WorkspaceError(
                "this folder is not a curate workspace",
                where=self.path,
                hint="make one with `curate ingest FILE… -w DIR`, or name one with -w or CURATE_WORKSPACE",
            )
        _ = self.manifest  # refuses that of another version
        # A workspace may have lost its manifest, or never got one; what its shards look like tells as much.
        if (shards := self.shards("conversations")) and not self._has_layout("conversations", shards[0]):
            raise WorkspaceError(
                "the conversations were written by another version of curate",
                where=self.shard("conversations", shards[0]),
                hint=manifests.ANEW,
            )
        if not create:
            self._require_whole()

    def __getstate__(self) -> dict[str, Any]:
        """For another process: it works in another folder, and is a worker itself."""
        path = self.path.resolve()
        return {"path": path, "_manifest": path / "manifest.json"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= {**state, "engine": Local(), "_apart": f"{uuid4().hex}."}

    def _require_whole(self) -> None:
        """Refuse conversations that are not all there: stages would lose the missing ones in silence."""
        shards = self.shards("conversations")
        runs = self.manifest.get("stages", {}).get("ingest", [])
        recorded = runs[-1]["shards"][1] if runs else 0
        if missing := sorted(set(range(recorded)) - set(shards)):
            raise WorkspaceError(
                "a shard of the conversations is missing",
                where=self.shard("conversations", missing[0]),
                hint="put it back, or ingest the dumps again into a new workspace",
            )
        if shards and (self.stamp("conversations", shards[-1]).get("next") or shards[-1] >= len(shards)):
            raise WorkspaceError(
                "the ingest into this workspace was interrupted",
                where=self.path,
                hint="run the same `curate ingest` again: it goes on where it stopped",
            )

    @property
    def manifest(self) -> dict[str, Any]:
        """What ran, by stage; empty before the first stage has finished."""
        return manifests.read(self._manifest)

    def record(self, stage: str, entry: object) -> None:
        """Write what a stage did into the manifest: the last act of the stage."""
        manifests.record(self._manifest, stage, entry)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the workspace against a second curate that would write.

        Raises:
            WorkspaceError: Another process holds it, or the folder cannot be written.
        """
        import fcntl

        try:
            make_folder(self.path)
            # Never through a link that somebody put there, and nothing is written to it.
            handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise unwritable(error, self.path) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            what = "another curate is writing to this workspace"
            raise WorkspaceError(what, where=self.path, hint="wait for it, or use another with -w") from None
        finally:
            os.close(handle)

    def shards(self, table: str) -> list[int]:
        """The numbers of the finished shards of a table, in order."""
        numbers = (path.stem[5:] for path in (self.path / table).glob("part-*.parquet"))
        return sorted(int(number) for number in numbers if number.isdecimal())

    def shard(self, table: str, index: int) -> Path:
        """Where a shard lives."""
        return self.path / table / f"part-{index:05}.parquet"

    def stamp(self, table: str, index: int) -> dict[str, Any]:
        """The stamp a shard carries; empty when the shard does not exist."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.shard(table, index)
        try:
            metadata = pq.read_metadata(path).metadata or {}
            stamp = json.loads(metadata.get(STAMP, b"{}"))
        except FileNotFoundError:
            return {}
        except (pa.ArrowInvalid, OSError, ValueError) as error:
            raise _damaged(path, error) from error
        return stamp if isinstance(stamp, dict) else {}

    def write(self, table: str, index: int, data: pa.Table, stamp: dict[str, Any]) -> None:
        """Write one shard, whole or not at all; its stamp says which conversations it was made from."""
        import pyarrow.parquet as pq

        from curate.schema import TABLES

        if table not in FREE:
            stamp = {**stamp, "of": self.stamp("conversations", index).get("fingerprint")}
        path, options = self.shard(table, index), parquet_options(noise=TABLES[table].noise)
        try:
            with (
                atomic(path, apart=self._apart) as temporary,
                pq.ParquetWriter(temporary, TABLES[table].arrow, **options) as writer,
            ):
                writer.write_table(data)
                writer.add_key_value_metadata({STAMP: json.dumps(stamp, sort_keys=True)})
                writer.close()
                self._keep_digest(table, index, temporary, stamp)
        except OSError as error:
            raise unwritable(error, path) from error

    def _keep_digest(self, table: str, index: int, finished: Path, stamp: dict[str, Any]) -> None:
        """Write down the digest of a shard before it takes its place, so that a later change of one byte shows."""
        with finished.open("rb") as file:
            digest = file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
        # Half written, it counts as none; the shard has not taken its place then, and will be written again.
        said = json.dumps({"blake2b": digest, "fingerprint": stamp.get("fingerprint")})
        place = self.digest_file(table, index)
        try:
            with place.open("w", encoding="utf-8") as file:
                file.write(f"{said}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            place.unlink(missing_ok=True)
            raise

    def digest_file(self, table: str, index: int) -> Path:
        """Where the digest of a shard's bytes lives: BLAKE2b-128, and the fingerprint of the shard that it is of."""
        return self.path / table / f".part-{index:05}.digest"

    def read(self, table: str, index: int, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """One shard as a frame; the checksums of its pages are verified.

        Raises:
            WorkspaceError: The shard is missing, damaged, or made from other conversations.
        """
        import polars as pl
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.shard(table, index)
        self.require_current(table, index)
        names = None if columns is None else list(columns)
        try:
            data = pq.ParquetFile(path, page_checksum_verification=True).read(names)
        except FileNotFoundError:
            raise WorkspaceError(
                f"the table `{table}` has no shard {index}", where=path, hint=f"run `curate {_stage_of(table)}` first"
            ) from None
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from error
        frame = pl.from_arrow(data)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def scan(self, table: str, only: int | None = None) -> pl.LazyFrame:
        """All shards of one table, lazily, in order.

        Args:
            table: The table.
            only: The one shard to read; no rows where the table, which has others, does not have it yet.

        Raises:
            WorkspaceError: The table has no shard, or one is damaged or made from other conversations.
        """
        import polars as pl

        from curate.schema import TABLES

        shards = self.shards(table)
        if shards and only is not None:
            if only not in shards:
                return pl.DataFrame(TABLES[table].arrow.empty_table()).lazy()
            shards = [only]
        if not shards:
            what = f"the workspace has no `{table}` yet"
            raise WorkspaceError(what, where=self.path, hint=f"run `curate {_stage_of(table)}` first")
        for index in shards:
            self.require_current(table, index)
        return pl.scan_parquet([self.shard(table, index) for index in shards], glob=False)

    def _has_layout(self, table: str, index: int) -> bool:
        """Whether a shard has the columns that its table has now; what cannot be read is told by who reads it."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from curate.schema import TABLES

        try:
            return bool(pq.read_schema(self.shard(table, index)).names == TABLES[table].arrow.names)
        except (pa.ArrowException, OSError, UnicodeDecodeError):
            return True

    def require_current(self, table: str, index: int) -> None:
        """Refuse a shard that was made from other conversations, or has other columns than now.

        Raises:
            WorkspaceError: It was, or has.
        """
        if not self._has_layout(table, index):
            raise WorkspaceError(
                f"the table `{table}` was written by another version of curate",
                where=self.shard(table, index),
                hint=f"run `curate {_stage_of(table)}` again",
            )
        stamp = self.stamp(table, index)
        if "of" in stamp and stamp["of"] != self.stamp("conversations", index).get("fingerprint"):
            raise WorkspaceError(
                f"the table `{table}` was made from other conversations",
                where=self.shard(table, index),
                hint=f"run `curate {_stage_of(table)}` again",
            )

    def require_one_run(self, table: str) -> None:
        """Refuse a table whose shards say things that only hold together when one run has made all of them.

        Raises:
            WorkspaceError: They are of several runs.
        """
        if len({self.stamp(table, index).get("run") for index in self.shards(table)}) > 1:
            hint = f"run `curate {_stage_of(table)}` again: it goes on where it stopped"
            raise WorkspaceError(f"the last `curate {_stage_of(table)}` was interrupted", where=self.path, hint=hint)

    def rows(self, table: str) -> int:
        """How many rows the shards of a table have."""
        import pyarrow.parquet as pq

        return sum(pq.read_metadata(self.shard(table, index)).num_rows for index in self.shards(table))

    def has(self, table: str) -> bool:
        """Whether every shard of the conversations has its shard of this table."""
        return self.shards(table) == self.shards("conversations")

    def map(
        self,
        table: str,
        function: Callable[[int], pa.Table],
        *,
        inputs: Sequence[str],
        options: object,
        stamp: Mapping[str, object] | None = None,
        advance: Callable[[int], None] = lambda _: None,
        here: bool = False,
        processes: bool = False,
    ) -> list[int]:
        """Make every shard of `table` that is missing or was made from something else.

        Args:
            table: The table to fill.
            function: Shard number in, Arrow table with the schema of `table` out.
            inputs: Tables the function reads; a change in one of their shards redoes ours.
            options: Everything else the result depends on: rules, thresholds, versions.
            stamp: What the stamp of each shard says besides its fingerprint; among `options` too.
            advance: Told the number of each shard that is done.
            here: The function needs what only this process has, whatever the engine.
            processes: The function is mostly Python, which uses one processor: make shards side by side in processes.

        Returns:
            The shards that were made now.
        """

        def outdated() -> Iterator[tuple[int, str]]:
            for index in self.shards("conversations"):
                wanted = fingerprint(table, options, [self.stamp(name, index).get("fingerprint") for name in inputs])
                there = self.stamp(table, index).get("fingerprint")
                if there != wanted or not self._has_layout(table, index):
                    yield index, wanted
                else:
                    advance(index)

        def make(work: tuple[int, str]) -> int:
            index, wanted = work
            self.write(table, index, function(index), {**(stamp or {}), "fingerprint": wanted})
            return index

        made = []
        for index in self._engine(here, processes).map(make, outdated()):
            made.append(index)
            advance(index)
        self.sweep(table)
        return made

    def _engine(self, here: bool, side_by_side: bool) -> Engine:
        if here or not side_by_side or self.engine.name != "local":
            return Local() if here else self.engine
        from curate.engine.processes import Processes, processes

        count = processes(sum(self.shard("conversations", n).stat().st_size for n in self.shards("conversations")))
        return Processes(count) if count > 1 else self.engine

    def sweep(self, table: str) -> None:
        """Remove what workers that were killed have left behind in a table."""
        for left in (self.path / table).glob(".part-*.parquet.*.tmp"):
            left.unlink(missing_ok=True)


def _stage_of(table: str) -> str:
    from curate.schema import TABLES

    return TABLES[table].stage


def _damaged(path: Path, error: Exception) -> Exception:
    if getattr(error, "errno", None) == EMFILE:
        return error
    table = path.parent.name
    hint = PUT_BACK if table in INGESTED else f"delete it and run `curate {_stage_of(table)}` again"
    return WorkspaceError("the shard is damaged", where=path, hint=f"{hint} ({str(error).splitlines()[0]})")
