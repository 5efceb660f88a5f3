"""Labelled sets in the shapes that they are published in, as answers with labels and pairs with a preference.

A file is known by its keys, a folder by its files. Rows that hold no label are counted, never guessed.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Turns = tuple[tuple[str, str], ...]
KNOWN = (
    "auto-J pairs, PandaLM, LLMBar, arena battles, MT-bench human pairs, folders of MT-bench, arena-bench, Vicuna and "
    "FairEval, WildBench scores, and JSON Lines with prompt, response and score, or prompt, chosen and rejected"
)


@dataclass
class LabelledSet:
    """Answers, and what somebody says of them.

    Attributes:
        name: Of the file or folder.
        turns: By answer, the conversation up to and with it, as role and text.
        clusters: By answer, which prompt it is for: answers to one prompt are not independent.
        sources: By answer, who wrote it; None = not known.
        labels: By answer, its score as it stands there; None = it has none.
        pairs: Index of one answer, of the other, and 1 (the first is better), 0 or 0.5.
        skipped: Rows without a usable label, by reason.
    """

    name: str
    turns: list[Turns] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    sources: list[str | None] = field(default_factory=list)
    labels: list[float | None] = field(default_factory=list)
    pairs: list[tuple[int, int, float]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, turns: Turns, cluster: str, source: str | None = None, label: float | None = None) -> int:
        """Append an answer; its index."""
        self.turns.append(turns)
        self.clusters.append(cluster)
        self.sources.append(source)
        self.labels.append(label)
        return len(self.turns) - 1

    def pair(
        self, prompt: str, first: str, second: str, preference: float, sources: tuple[str | None, ...] = ()
    ) -> None:
        """Append two answers to one prompt and which is better."""
        one, other = (*sources, None, None)[:2]
        left = self.add((("user", prompt), ("assistant", first)), prompt, one)
        right = self.add((("user", prompt), ("assistant", second)), prompt, other)
        self.pairs.append((left, right, preference))


def read(path: str | Path) -> LabelledSet:
    """A labelled set.

    Raises:
        InputError: It cannot be read, or is of no known shape.
    """
    path = Path(path)
    found = LabelledSet(path.stem or path.name)
    try:
        if path.is_dir():
            _folder(path, found)
        else:
            rows = _rows(path)
            shape = next((convert for keys, convert in _SHAPES if rows and keys <= rows[0].keys()), None)
            if shape is None:
                raise InputError("no known shape of a labelled set", where=path, hint=f"known: {KNOWN}")
            for row in rows:
                shape(row, found)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(f"the labelled set cannot be read: {type(error).__name__} {error}", where=path) from error
    if not found.turns:
        raise InputError("the labelled set has no answer with a label", where=path, hint=f"known: {KNOWN}")
    _pairs_of_scores(found)
    return found


def _auto_j(row: dict[str, Any], found: LabelledSet) -> None:
    found.pair(row["prompt"], row["response 1"], row["response 2"], {0: 1.0, 1: 0.0, 2: 0.5}[row["label"]])


def _pandalm(row: dict[str, Any], found: LabelledSet) -> None:
    votes = Counter(row[f"annotator{number}"] for number in (1, 2, 3))
    vote, often = votes.most_common(1)[0]
    if often < 2:
        found.skipped["no majority"] += 1
        return
    extra = row.get("input")
    prompt = row["instruction"] + (f"\n\n{extra}" if isinstance(extra, str) and extra else "")
    models = tuple(str(row.get("cmp_key", "")).split("_"))
    found.pair(prompt, row["response1"], row["response2"], {0: 0.5, 1: 1.0, 2: 0.0}[int(vote)], models)


def _llmbar(row: dict[str, Any], found: LabelledSet) -> None:
    found.pair(row["input"], row["output_1"], row["output_2"], {1: 1.0, 2: 0.0}[int(row["label"])])


def _battle(row: dict[str, Any], found: LabelledSet) -> None:
    """Arena battles and MT-bench's human pairs: whole conversations, of which the last answer is judged."""
    preference = {"model_a": 1.0, "model_b": 0.0}.get(row["winner"], 0.5)
    sides = []
    last = 2 * int(row["turn"]) if isinstance(row.get("turn"), int) and row["turn"] <= 2 else None
    for side in "ab":
        turns = tuple((message["role"], message["content"]) for message in row[f"conversation_{side}"])[:last]
        sides.append(found.add(turns, str(row.get("question_id", turns[0][1])), row[f"model_{side}"]))
    found.pairs.append((sides[0], sides[1], preference))


def _preference(row: dict[str, Any], found: LabelledSet) -> None:
    found.pair(row["prompt"], row["chosen"], row["rejected"], 1.0)


def _scored(row: dict[str, Any], found: LabelledSet) -> None:
    label = _number(row["score"])
    if label is None:
        found.skipped["no score"] += 1
        return
    found.add((("user", row["prompt"]), ("assistant", row["response"])), row["prompt"], row.get("model"), label)


def _wildbench(row: dict[str, Any], found: LabelledSet) -> None:
    """WildBench's scores; its published rows hold no prompts, so the checklist's session stands for one."""
    label, prompt = _number(row["score"]), row.get("conversation_input") or row.get("user_query")
    if label is None or not prompt:
        found.skipped["no prompt" if label is not None else "no score"] += 1
        return
    turns = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    asked = tuple((message["role"], message["content"]) for message in turns)
    found.add((*asked, ("assistant", row["model_output"])), row["session_id"], row.get("model_test"), label)


_SHAPES: tuple[tuple[set[str], Callable[[dict[str, Any], LabelledSet], None]], ...] = (
    ({"prompt", "response 1", "response 2", "label"}, _auto_j),
    ({"instruction", "response1", "response2", "annotator1", "annotator2", "annotator3"}, _pandalm),
    ({"input", "output_1", "output_2", "label"}, _llmbar),
    ({"winner", "conversation_a", "conversation_b", "model_a", "model_b"}, _battle),
    ({"prompt", "chosen", "rejected"}, _preference),
    ({"prompt", "response", "score"}, _scored),
    ({"session_id", "model_output", "score"}, _wildbench),
)


def _folder(path: Path, found: LabelledSet) -> None:
    """MT-bench and arena-bench (model_answer, model_judgment), Vicuna and FairEval (answer, review)."""
    questions = {row["question_id"]: row for row in _rows(path / "question.jsonl")}
    if (path / "model_judgment").is_dir():
        _judged_answers(path, questions, found)
    elif (path / "review").is_dir():
        _reviewed_answers(path, questions, found)
    else:
        raise InputError("no known shape of a labelled set", where=path, hint=f"known: {KNOWN}")


def _judged_answers(path: Path, questions: dict[Any, Any], found: LabelledSet) -> None:
    scores: dict[tuple[Any, str, int], float] = {}
    for file in sorted((path / "model_judgment").glob("*.jsonl")):
        for row in _rows(file):
            label = _number(row.get("score"))
            if "score" not in row or label is None or label < 0:
                found.skipped["no score"] += 1
                continue
            scores[row["question_id"], str(row.get("model", file.stem)), int(row.get("turn", 1))] = label
    for file in sorted((path / "model_answer").glob("*.jsonl")):
        for row in _rows(file):
            asked, answers = questions[row["question_id"]]["turns"], row["choices"][0]["turns"]
            for turn in range(1, len(answers) + 1):
                label = scores.get((row["question_id"], str(row.get("model_id", file.stem)), turn))
                if label is not None:
                    turns = [part for pair in zip(asked[:turn], answers[:turn], strict=True) for part in pair]
                    roles = tuple((("user", "assistant")[i % 2], text) for i, text in enumerate(turns))
                    found.add(roles, f"{row['question_id']}.{turn}", str(row.get("model_id", file.stem)), label)


def _reviewed_answers(path: Path, questions: dict[Any, Any], found: LabelledSet) -> None:
    """Pairs of answers with two scores (Vicuna), or with a line per question that names the winner (FairEval)."""
    answers = {row["answer_id"]: row for file in sorted((path / "answer").glob("*.jsonl")) for row in _rows(file)}
    for file in sorted((path / "review").rglob("*.jsonl")):
        for row in _rows(file):
            sides = [answers.get(row[f"answer{number}_id"]) for number in (1, 2)]
            scores = row.get("score")
            if None in sides or not isinstance(scores, list) or len(scores) != 2 or min(scores) < 0:
                found.skipped["no scores or answers"] += 1
                continue
            first, second = (side for side in sides if side is not None)
            preference = 0.5 if scores[0] == scores[1] else float(scores[0] > scores[1])
            prompt = questions[row["question_id"]]["text"]
            models = (first.get("model_id"), second.get("model_id"))
            found.pair(prompt, first["text"], second["text"], preference, models)
    for file in sorted((path / "review").rglob("*_human.txt")):
        names = file.stem.removesuffix("_human").removeprefix("review_").split("_")
        files = [next(iter(sorted((path / "answer").glob(f"answer_{name}*.jsonl")))) for name in names[:2]]
        left, right = ({row["question_id"]: row["text"] for row in _rows(one)} for one in files)
        for question, line in zip(questions.values(), file.read_text("utf-8").splitlines(), strict=True):
            wins = {"chatgpt": 1.0, "gpt35": 1.0, "vicuna13b": 0.0, "vicuna-13b": 0.0, "tie": 0.5}
            preference_ = wins.get(line.split()[-1].lower()) if line.split() else None
            if preference_ is None:
                found.skipped["no winner"] += 1
                continue
            key = question["question_id"]
            found.pair(question["text"], left[key], right[key], preference_, (names[0], names[1]))


def _pairs_of_scores(found: LabelledSet) -> None:
    """Answers to one prompt with different scores are pairs, too."""
    if found.pairs:
        return
    by_cluster: dict[str, list[int]] = {}
    for index, cluster in enumerate(found.clusters):
        by_cluster.setdefault(cluster, []).append(index)
    for same in by_cluster.values():
        for place, left in enumerate(same):
            for right in same[place + 1 :]:
                one, other = found.labels[left], found.labels[right]
                if one is not None and other is not None and one != other:
                    found.pairs.append((left, right, float(one > other)))


def _rows(path: Path) -> list[dict[str, Any]]:
    text = path.read_text("utf-8-sig")
    if text.lstrip().startswith("["):
        rows = json.loads(text)
    else:
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    return list(_objects(rows))


def _objects(rows: Any) -> Iterator[dict[str, Any]]:
    for row in rows:
        if not isinstance(row, dict):
            raise TypeError("a row is no object")
        yield row


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
