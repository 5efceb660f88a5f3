"""datatrove: the four stages of examples/minhash_deduplication.py on this machine, one task per processor.

Its parameters: 14 buckets of 8, word 5-grams of spaCy's tokens, any shared bucket makes a duplicate, one of each
cluster stays. One file per task, since a file is the smallest piece of work it gives to one.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.typeshelper import Languages
from loguru import logger
from measure import main

FILES = 2


def prepare(documents: Path) -> Path:
    """Documents in as many files as there may be tasks, ids as text."""
    folder = Path(tempfile.mkdtemp())
    table = pq.read_table(documents)
    table = table.set_column(0, "id", table["id"].cast(pa.string()))
    size = -(-len(table) // FILES)
    (folder / "documents").mkdir()
    for part in range(FILES):
        pq.write_table(table.slice(part * size, size), folder / "documents" / f"{part}.parquet")
    return folder


def removed(folder: Path, threshold: float, cores: int) -> list[int]:
    logger.remove()
    config = MinhashConfig(hash_config=HashConfig(precision=64), num_buckets=14, hashes_per_bucket=8)
    names = ("signatures", "buckets", "clusters", "removed", "kept")
    signatures, buckets, clusters, gone, kept = (str(folder / name) for name in names)
    reader = ParquetReader(str(folder / "documents"))
    stages = [
        (FILES, [reader, MinhashDedupSignature(signatures, config=config, language=Languages.english)]),
        (config.num_buckets, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        (1, [MinhashDedupCluster(buckets, clusters, config=config)]),
        (
            FILES,
            [
                reader,
                MinhashDedupFilter(clusters, exclusion_writer=JsonlWriter(gone, compression=None)),
                JsonlWriter(kept, compression=None),
            ],
        ),
    ]
    for number, (tasks, pipeline) in enumerate(stages):
        log = str(folder / f"log-{number}")
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=cores, logging_dir=log).run()
    ids = [int(json.loads(line)["id"]) for file in Path(gone).glob("*.jsonl") for line in file.open("rb")]
    shutil.rmtree(folder)
    return ids


if __name__ == "__main__":
    main(removed, prepare)
