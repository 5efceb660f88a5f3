"""A made-up corpus of chats with planted near duplicates; none of it is anybody's data.

    python benchmarks/dedup/corpus.py corpus.jsonl [--rows 100000] [--seed 20240607]

Writes ShareGPT JSONL (100,000 conversations are about 260 MB of text) and says the beginning of its sha256: same
seed, same bytes, as long as numpy keeps its random streams. Seven rows in ten are base conversations, three are
copies in clusters of 2 to 61; one copy in five is made from another copy, and may be too far from the first. Rows
come in blocks of `BLOCK`, shuffled within, each from its own random stream: fewer rows are a prefix of more, and a
sample has the duplicates of the whole. See language.py for the text and copies.py for the changes.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
from copies import KINDS, SHARES, changed
from language import Chat, Language, rendered

SEED = 20240607
BLOCK, BASES = 1000, 700
LARGEST_CLUSTER = 61
# Words of a conversation are log-normal; with 6.4 bytes a word p5, p50 and p95 are near 1.1, 2.5 and 4.5 kB.
MEDIAN_WORDS, SPREAD, WORDS = 375, 0.42, (60, 2500)
# Chance of k copies falls with k to this power: four a cluster on average.
CLUSTER_POWER = 1.7


class Row(NamedTuple):
    """A conversation: its messages (role, text); the row that it is a copy of, itself where of none; what changed."""

    messages: list[tuple[str, str]]
    base: int
    kind: str


def rows(number: int, seed: int = SEED) -> Iterator[Row]:
    """The first rows of the corpus, blocks made on all processors."""
    if number <= BLOCK:
        yield from block(seed, 0)[:number]
        return
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as executor:
        blocks = executor.map(partial(block, seed), range(-(-number // BLOCK)))
        yield from islice(chain.from_iterable(blocks), number)


def block(seed: int, number: int) -> list[Row]:
    """The rows of one block, in a random order."""
    language = language_of(seed)
    source = np.random.default_rng([seed, number])
    lengths = np.clip(np.exp(source.normal(np.log(MEDIAN_WORDS), SPREAD, BASES)), *WORDS).astype(int)
    chats = language.chats(source, lengths)
    made: list[tuple[list[tuple[str, str]], int, str]] = [
        (rendered(language, chat), base, "base") for base, chat in enumerate(chats)
    ]
    families: dict[int, list[Chat]] = {}
    for base in np.repeat(source.permutation(BASES), cluster_sizes(source, BASES))[: BLOCK - BASES].tolist():
        family = families.setdefault(base, [chats[base]])
        origin = family[0] if source.random() < 0.8 else family[source.integers(len(family))]
        kind = KINDS[np.searchsorted(np.cumsum(SHARES), source.random())]
        copy, text = changed(language, source, origin, kind)
        family.append(copy)
        made.append((text, base, kind))
    order = source.permutation(BLOCK)
    place = np.empty(BLOCK, int)
    place[order] = number * BLOCK + np.arange(BLOCK)
    return [Row(made[i][0], int(place[made[i][1]]), made[i][2]) for i in order.tolist()]


@cache
def language_of(seed: int) -> Language:
    return Language(seed)


def cluster_sizes(source: np.random.Generator, clusters: int) -> np.ndarray:
    """How many copies each cluster has."""
    chances = np.arange(1, LARGEST_CLUSTER) ** -CLUSTER_POWER
    return 1 + np.searchsorted(np.cumsum(chances / chances.sum()), source.random(clusters))


@cache
def first_block(seed: int = SEED) -> str:
    """The sha256 of the first block: another one where anything about the corpus has changed."""
    return hashlib.sha256(repr(block(seed, 0)).encode()).hexdigest()


def write(path: Path, number: int, seed: int = SEED) -> str:
    """Write the first rows as ShareGPT JSONL; returns the sha256 of the file."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for row, made in enumerate(rows(number, seed)):
            turns = [{"from": role, "value": text} for role, text in made.messages]
            line = orjson.dumps({"id": f"made-up-{row}", "conversations": turns}, option=orjson.OPT_APPEND_NEWLINE)
            digest.update(line)
            file.write(line)
    return digest.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    digest = write(options.path, options.rows, options.seed)
    print(f"{options.rows:,} conversations, {options.path.stat().st_size / 1e6:.1f} MB, sha256 {digest[:16]}…")


if __name__ == "__main__":
    main()
