"""What the local judge finds: broken answers, and how often it flags strong ones.

    python benchmarks/local_judge.py ARENA_BENCH_V1 [ALPACA_EVAL]

ARENA_BENCH_V1 is the folder of that name in the history of lmarena/arena-hard-auto (model_answer/,
model_judgment/, question.jsonl); ALPACA_EVAL holds NAME.json files with `instruction`, `output` and
`generator` from tatsu-lab/alpaca_eval. Neither is part of this repository.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import process_time

import polars as pl

from curate.judge import local

BAD = 3  # GPT-4's grade of an answer, 1 to 10
EMPTY = {"model": None, "name": None, "tool_calls": None}


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def judged(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    """Reward and defects of (prompt, answer) pairs, in order."""
    chats = [
        [{"role": role, "content": text, **EMPTY} for role, text in zip(("user", "assistant"), pair, strict=True)]
        for pair in pairs
    ]
    message = {name: pl.String for name in ("role", "content", "model", "name", "tool_calls")}
    schema = {"key": pl.UInt64, "messages": pl.List(pl.Struct(message))}
    frame = pl.DataFrame({"key": range(len(chats)), "messages": chats}, schema=schema)
    return local.judge(frame, local.load_rules()).with_columns(chars=pl.Series([len(answer) for _, answer in pairs]))


def auc(score: pl.Series, bad: pl.Series) -> float:
    """Chance that a bad answer scores above another; ties count half."""
    ranks = score.rank("average")
    positives = int(bad.sum())
    negatives = len(bad) - positives
    return float((ranks.filter(bad).sum() - positives * (positives + 1) / 2) / (positives * negatives))


def flags(frame: pl.DataFrame) -> str:
    names = frame.select(pl.col("rationale").str.split(", ")).explode("rationale").drop_nulls()["rationale"]
    counts = names.value_counts(sort=True)
    return ", ".join(f"{name} {count}" for name, count in counts.iter_rows()) or "-"


def arena(folder: Path) -> None:
    prompts = {row["question_id"]: row["turns"][0] for row in lines(folder / "question.jsonl")}
    rows = []
    for path in sorted((folder / "model_answer").glob("*.jsonl")):
        grades = {row["question_id"]: row["score"] for row in lines(folder / "model_judgment" / path.name)}
        for row in lines(path):
            grade = grades.get(row["question_id"]) or -1
            if grade >= 1:
                rows.append((path.stem, prompts[row["question_id"]], row["choices"][0]["turns"][0], float(grade)))
    frame = judged([(prompt, answer) for _, prompt, answer, _ in rows]).with_columns(
        generator=pl.Series([row[0] for row in rows]), grade=pl.Series([row[3] for row in rows])
    )
    bad = frame["grade"] <= BAD
    print(f"arena_bench_v1: {len(frame)} graded answers, {bad.sum()} bad (grade <= {BAD})")
    ours, shorter = auc(1 - frame["reward"], bad), auc(-frame["chars"], bad)
    print(f"  AUC for bad: 1 - reward {ours:.3f}, shorter {shorter:.3f}, constant 0.500")
    flagged = frame.filter(pl.col("reward") < 1)
    share = (flagged["grade"] <= BAD).mean() if len(flagged) else float("nan")
    print(f"  flagged {len(flagged) / len(frame):.1%}, of which bad {share:.1%}; base rate {bad.mean():.1%}")
    for (defects,), part in sorted(flagged.group_by("rationale"), key=lambda group: str(group[0])):
        grades = part["grade"]
        print(f"    {defects}: {len(part)}, mean grade {grades.mean():.1f}, bad {(grades <= BAD).mean():.0%}")
    report(frame)


def alpaca(folder: Path) -> None:
    rows = [row for path in sorted(folder.glob("*.json")) for row in json.loads(path.read_text("utf-8"))]
    frame = judged([(row["instruction"], row["output"]) for row in rows]).with_columns(
        generator=pl.Series([row["generator"] for row in rows])
    )
    print(f"alpaca_eval: {len(frame)} answers")
    report(frame)


def report(frame: pl.DataFrame) -> None:
    for (generator,), part in sorted(frame.group_by("generator"), key=lambda group: str(group[0])):
        flagged = part.filter(pl.col("reward") < 1)
        share = len(flagged) / len(part)
        print(f"  {generator:<24} flagged {len(flagged):>3} of {len(part)} ({share:6.2%})  {flags(flagged)}")


def main(arguments: list[str]) -> int:
    folders = [Path(argument) for argument in arguments]
    if not folders or not all(folder.is_dir() for folder in folders):
        print(__doc__)
        print("nothing measured: the folders are not there")
        return 2
    begun = process_time()
    arena(folders[0])
    for folder in folders[1:]:
        alpaca(folder)
    print(f"{process_time() - begun:.1f} s of processor time")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
