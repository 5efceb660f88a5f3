"""How well tasks are told apart, on questions whose category somebody else wrote down.

    python benchmarks/tasks.py DATA [--semantic] [--embedder NAME]

DATA holds mt_bench/question.jsonl, vicuna_blog_eval/question.jsonl and decontam/ (GSM8K, HumanEval, MBPP,
AGIEval, BIG-Bench Hard). None of them is part of this repository, and the category is not shown to the
rules. The rules and the examples of `--semantic` were written with Vicuna's questions and the pure sets at
hand; MT-bench was kept out of it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import TYPE_CHECKING

import polars as pl

from curate import tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Pair = tuple[list[str], str]  # the user's turns, the true task
MESSAGE = pl.Struct({name: pl.String for name in ("role", "content", "model", "name", "tool_calls")})

MT_BENCH = {
    "math": "maths",
    "coding": "code",
    "roleplay": "role-play",
    "stem": "other",
    "humanities": "other",
    "reasoning": "reasoning",
    "writing": "writing",
    "extraction": "extraction",
}
VICUNA = MT_BENCH | {name: "other" for name in ("generic", "knowledge", "common-sense", "counterfactual")}
VICUNA["fermi"] = "reasoning"
AGIEVAL = {
    "maths": ("math", "aqua-rat", "sat-math", "gaokao-mathcloze", "gaokao-mathqa"),
    "reasoning": ("logiqa-en", "logiqa-zh", "lsat-ar", "lsat-lr"),
}
EACH = 200  # questions of each pure set


def lines(path: Path) -> Iterator[dict]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")
    return (json.loads(line) for line in text.splitlines() if line.strip())


def pure(folder: Path) -> Iterator[tuple[str, list[Pair]]]:
    """Sets of one task each."""

    def some(name: str, texts: Iterable[str], task: str) -> tuple[str, list[Pair]]:
        return name, [([text], task) for text in islice(texts, EACH)]

    yield some("gsm8k", (row["question"] for row in lines(folder / "gsm8k_test.jsonl")), "maths")
    yield some("humaneval", (row["prompt"] for row in lines(folder / "HumanEval.jsonl.gz")), "code")
    yield some("mbpp", (row["text"] for row in lines(folder / "mbpp.jsonl")), "code")
    for task, names in AGIEVAL.items():
        for name in names:
            rows = lines(folder / "agieval" / f"{name}.jsonl")
            texts = ("\n".join([row["passage"] or "", row["question"], *(row["options"] or [])]) for row in rows)
            yield some(f"agieval/{name}", texts, task)


def classify(pairs: list[Pair], tell: tasks.Tell | None) -> pl.DataFrame:
    """`task` and `rule` of each, in order."""
    empty = {"model": None, "name": None, "tool_calls": None}

    def talk(turns: list[str]) -> list[dict]:
        said = (pair for turn in turns for pair in (("user", turn), ("assistant", "")))
        return [{"role": role, "content": text, **empty} for role, text in said]

    talks = [talk(turns) for turns, _ in pairs]
    rows = pl.DataFrame(
        {"key": range(len(talks)), "messages": talks}, schema={"key": pl.UInt64, "messages": pl.List(MESSAGE)}
    ).with_columns(source=pl.lit("benchmark"), task=pl.lit(None, pl.String))
    features = tasks.features(rows)
    decided = tasks.by_rules(features, tasks.load())
    return tasks.by_likeness(features, decided, tell) if tell else decided


def score(name: str, pairs: list[Pair], found: pl.DataFrame) -> str:
    right = sum(task == truth for task, (_, truth) in zip(found["task"], pairs, strict=True))
    return f"{name:<24} {right:>4} of {len(pairs):<4} {right / len(pairs):6.1%}"


def confusion(pairs: list[Pair], found: pl.DataFrame) -> None:
    """A row per true task, a column per found one."""
    counts = Counter(zip((truth for _, truth in pairs), found["task"], strict=True))
    shown = [task for task in tasks.TASKS if any(task in pair for pair in counts)]
    print(f"{'':<12}" + "".join(f"{task[:10]:>11}" for task in shown))
    for truth in shown:
        row = [counts[truth, task] for task in shown]
        if sum(row):
            share = counts[truth, truth] / sum(row)
            print(f"{truth:<12}" + "".join(f"{count or '.':>11}" for count in row) + f"  {share:6.1%}")


def report(data: Path, tell: tasks.Tell | None) -> None:
    for name, mapping in (("vicuna_blog_eval", VICUNA), ("mt_bench", MT_BENCH)):
        rows = list(lines(data / name / "question.jsonl"))
        pairs = [(row.get("turns") or [row["text"]], mapping[row["category"]]) for row in rows]
        found = classify(pairs, tell)
        print(score(name, pairs, found))
        confusion(pairs, found)
        by_category = {category: [] for category in mapping}
        for row, task in zip(rows, found["task"], strict=True):
            by_category[row["category"]].append(task == mapping[row["category"]])
        print("  " + ", ".join(f"{name} {sum(hits)}/{len(hits)}" for name, hits in by_category.items() if hits))
    for name, pairs in pure(data / "decontam"):
        print(score(name, pairs, classify(pairs, tell)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path("data"))
    parser.add_argument("--semantic", action="store_true")
    parser.add_argument("--embedder")
    arguments = parser.parse_args()
    if not (arguments.data / "mt_bench").is_dir():
        print(__doc__)
        print("nothing measured: the folders are not there")
        return 2
    begun = process_time()
    print("rules only")
    report(arguments.data, None)
    if arguments.semantic:
        with TemporaryDirectory() as folder:
            tell, _ = tasks.teller(Path(folder) / "embeddings.sqlite", embedder=arguments.embedder)
            print("\nrules, then the classifier")
            report(arguments.data, tell)
    print(f"{process_time() - begun:.1f} s of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
