"""How like real chats the made-up corpus is, by what matters to shingles.

    python benchmarks/dedup/likeness.py DUMP.json [--rows 6000]

DUMP is a ShareGPT JSON array, of which that many conversations are drawn; beside it are the base conversations of
as many rows of ours.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from pathlib import Path

import numpy as np
import orjson
from corpus import rows
from tokens import WIDTH, common


def dump_texts(path: Path, number: int) -> list[str]:
    """Texts of conversations drawn from a dump, the last of which may be cut off."""
    data = path.read_bytes()
    whole = data if data.rstrip().endswith(b"]") else data[: data.rfind(b"\n  },") + 4] + b"\n]"
    drawn = random.Random(1).sample(orjson.loads(whole), number)
    return ["\n".join(turn["value"] for turn in record["conversations"]) for record in drawn]


def statistics(texts: list[str]) -> dict[str, str]:
    """Sizes, words and 5-grams of some texts."""
    sizes = np.percentile([len(text.encode()) for text in texts], [5, 50, 95]) / 1000
    words: Counter[str] = Counter()
    documents: Counter[int] = Counter()
    shingles = 0
    for text in texts:
        own = common([], [text])
        words.update(own)
        runs = [hash(tuple(own[i : i + WIDTH])) for i in range(len(own) - WIDTH + 1)]
        shingles += len(runs)
        documents.update(set(runs))
    distinct = documents.total()
    alone = list(documents.values()).count(1)
    frequent = [number for _, number in words.most_common(1000)]
    return {
        "kB at p5, p50, p95": ", ".join(f"{size:.1f}" for size in sizes),
        "characters a word, what follows it included": f"{sum(map(len, texts)) / words.total():.1f}",
        "share of the 10, 100, 1,000 most frequent words": ", ".join(
            f"{sum(frequent[:most]) / words.total():.0%}" for most in (10, 100, 1000)
        ),
        "distinct 5-grams of a conversation that another has too": f"{1 - alone / distinct:.0%}",
        "5-grams that repeat one of the same conversation": f"{1 - distinct / shingles:.0%}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=Path)
    parser.add_argument("--rows", type=int, default=6000)
    options = parser.parse_args()
    ours = ["\n".join(text for _, text in row.messages) for row in rows(options.rows) if row.kind == "base"]
    made, real = statistics(ours), statistics(dump_texts(options.dump, options.rows))
    print("| | made up | dump |\n| --- | --- | --- |")
    for name, value in made.items():
        print(f"| {name} | {value} | {real[name]} |")


if __name__ == "__main__":
    main()
