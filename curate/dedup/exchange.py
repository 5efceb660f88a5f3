"""What crosses the cluster in `curate dedup`: three queries of Daft, on Ray.

A file counts only when Daft names it in its answer: a task that was run again may have left another one behind.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow.parquet as pq

from curate.files import atomic

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from curate.workspace import Workspace


def put(table: pa.Table, path: Path) -> None:
    """Write a table, whole or not at all, whoever else writes it."""
    with atomic(path, apart=f"{uuid4().hex}.") as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=1, use_dictionary=False)


class Exchange:
    """The queries over the tables of one search.

    `CURATE_SHUFFLE_DIRS` names folders on each machine's own disks, comma-separated, to shuffle through; without it
    what is shuffled stays in Ray's object store, which is enough for some 10 GB per machine.

    Args:
        ws: The workspace.
        spill: Folder with `texts` and `links`, and what comes of them.
    """

    def __init__(self, ws: Workspace, spill: Path) -> None:
        os.environ.setdefault("DO_NOT_TRACK", "true")
        import daft
        import ray

        self._daft: Any = daft
        self._ws, self._spill = ws, spill
        # The runner of a process is chosen once.
        if daft.get_or_infer_runner_type() != "ray":
            daft.set_runner_ray(noop_if_initialized=True)
        folders = [folder for folder in os.environ.get("CURATE_SHUFFLE_DIRS", "").split(",") if folder]
        self._partitions = max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))
        daft.set_execution_config(
            shuffle_aggregation_default_partitions=self._partitions,
            **({"flight_shuffle_dirs": folders} if folders else {}),
            shuffle_algorithm="flight_shuffle" if folders else "auto",
        )

    def edges(self) -> pa.Table:
        """Pairs of linked texts: `text`, and the `first` that has the same link."""
        col, partition = self._daft.col, self._daft.Window().partition_by("link")
        shared = self._read("links").with_columns(
            {"first": col("text").min().over(partition), "linked": col("wanted").max().over(partition)}
        )
        pairs = shared.where((col("text") != col("first")) & (col("linked") == 1)).select("text", "first")
        return pairs.distinct().to_arrow()

    def gather(self, parts: pa.Table, count: int) -> list[tuple[list[str], list[str]]]:
        """Bring the texts of each part together: by part, files of texts and files of their conversations.

        All texts of a conversation come along; `own` tells which are to be compared in this part.

        Args:
            parts: `text` and `part`.
            count: How many parts there are.
        """
        daft, col = self._daft, self._daft.col
        own = daft.from_arrow(parts)
        texts = self._read("texts")
        keys = texts.select("text", "key").join(own, on="text").select("key", "part").distinct().collect()
        placed = texts.join(keys, on="key").join(
            own.select("text", col("part").alias("home")), on="text", how="left"
        )
        placed = placed.with_column("own", (col("home") == col("part")).fill_null(False)).exclude("home")
        talks = daft.read_parquet(f"{self._ws.path.resolve()}/conversations/part-*.parquet").select("key", "messages")
        of_texts, of_talks = (
            self._written(table.repartition(count, "part"), name, "part")
            for table, name in ((placed, "group-texts"), (talks.join(keys, on="key"), "group-talks"))
        )
        return [(of_texts[part], of_talks[part]) for part in range(count)]

    def scatter(self, shards: int) -> dict[int, list[str]]:
        """Bring the verdicts back to their shards: files by shard; some have none."""
        count = min(shards, self._partitions)
        return self._written(self._read("verdicts").repartition(count, "shard"), "by-shard", "shard")

    def _read(self, name: str) -> Any:
        return self._daft.read_parquet(f"{self._spill}/{name}/part-*.parquet")

    def _written(self, table: Any, name: str, column: str) -> dict[int, list[str]]:
        """Write a table, a folder for each value of a column; the files by value."""
        answer = table.write_parquet(str(self._spill / name), partition_cols=[column]).to_pydict()
        files: dict[int, list[str]] = {}
        for path, value in sorted(zip(answer["path"], answer[column], strict=True)):
            files.setdefault(int(value), []).append(path)
        return files
