"""text-dedup 0.4.1: its minhash pipeline with the configuration of its README.

240 permutations, word 5-grams, bands by optimal_param, all pairs of a component verified, the smallest index of a
cluster stays, one process per processor.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
from datasets import disable_caching, load_from_disk
from measure import main
from text_dedup.config.base import load_config_from_toml
from text_dedup.minhash import main as deduplicate

CONFIG = """
[input]
input_type = "local_files"
file_type = "parquet"
[input.read_arguments]
path = "parquet"
data_files = "{documents}"
cache_dir = "{folder}/cache"
split = "train"
[algorithm]
algorithm_name = "minhash"
text_column = "text"
seed = 42
num_proc = {cores}
batch_size = 10000
num_perm = 240
threshold = {threshold}
false_positive_weight = 0.5
false_negative_weight = 0.5
hash_bits = 64
ngram_size = 5
check_false_positive = true
[output]
output_dir = "{folder}/kept"
[debug]
enable_profiling = false
"""


def removed(documents: Path, threshold: float, cores: int) -> set[int]:
    disable_caching()
    folder = Path(tempfile.mkdtemp())
    config = folder / "config.toml"
    config.write_text(CONFIG.format(documents=documents, folder=folder, cores=cores, threshold=threshold))
    deduplicate(load_config_from_toml(config))
    kept = set(load_from_disk(str(folder / "kept"))["id"])
    shutil.rmtree(folder)
    return set(pq.read_table(documents, columns=["id"])["id"].to_pylist()) - kept


if __name__ == "__main__":
    main(removed)
