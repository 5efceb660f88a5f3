"""Tasks by likeness: a small classifier over the vectors of example prompts, for what no rule knows.

Multinomial logistic regression, classes weighed alike, by full-batch gradient descent from zero: the same
examples and the same model give the same classifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from curate import rules
from curate.errors import RuleError, did_you_mean
from curate.workspace import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Matrix = npt.NDArray[np.float64]

# Chosen on Vicuna's questions and sets of one task each; never on MT-bench.
RIDGE = 1e-3
STEPS = 300
RATE = 5.0


@dataclass(frozen=True)
class Examples:
    """The checked examples of one file.

    Attributes:
        path: The file.
        prompts: Example prompts by task, in the order of the file.
        sure: Probability from which a task counts.
    """

    path: Path
    prompts: dict[str, tuple[str, ...]]
    sure: float

    @property
    def fingerprint(self) -> str:
        """Changes when what the classifier decides may change."""
        return fingerprint("examples", self.prompts, self.sure, RIDGE, STEPS, RATE)


def load(name: str = "tasks_examples.toml") -> Examples:
    """The examples of a file.

    Raises:
        RuleError: With every mistake of the file.
    """
    from curate.tasks import TASKS

    path = rules.locate(name)
    value = rules.read_toml(path, "examples")
    known = {"schema", "kind", "sure", "examples"}
    mistakes = [f"unknown key `{key}`; {did_you_mean(key, known)}" for key in value if key not in known]
    sure, prompts = value.get("sure"), value.get("examples")
    if not isinstance(sure, int | float) or isinstance(sure, bool) or not 0 <= sure <= 1:
        mistakes.append(f"`sure` is {sure!r}; it is a probability, 0 to 1")
    if not isinstance(prompts, dict) or len(prompts) < 2:
        mistakes.append("[examples] is missing or names fewer than two tasks")
        prompts = {}
    for task, texts in prompts.items():
        if task not in TASKS:
            mistakes.append(f"no task `{task}`; {did_you_mean(task, TASKS)}")
        if not _are_texts(texts):
            mistakes.append(f"`{task}` is not a list of prompts")
    if mistakes:
        raise RuleError("the examples have mistakes:\n" + "\n".join(f"  - {m}" for m in mistakes), where=path)
    return Examples(path, {task: tuple(texts) for task, texts in prompts.items()}, float(value["sure"]))


@dataclass(frozen=True)
class Classifier:
    """What the examples taught.

    Attributes:
        tasks: Names, in the order of the columns of `weights`.
        weights: Dimensions of a vector + 1 (the bias) rows.
        sure: Probability from which a task counts.
    """

    tasks: tuple[str, ...]
    weights: Matrix
    sure: float

    def tell(self, vectors: npt.NDArray[np.float32]) -> list[str | None]:
        """The task of each vector, one row each; None where none is sure."""
        probabilities = _softmax(_with_bias(vectors) @ self.weights)
        best = zip(probabilities.argmax(axis=1), probabilities.max(axis=1), strict=True)
        return [self.tasks[task] if probability >= self.sure else None for task, probability in best]


def train(examples: Examples, vectors: npt.NDArray[np.float32]) -> Classifier:
    """Learn from the vectors of the examples' prompts, one row each, in their order."""
    counts = [len(prompts) for prompts in examples.prompts.values()]
    truth = np.repeat(np.eye(len(counts)), counts, axis=0)
    share = np.repeat([1 / (len(counts) * count) for count in counts], counts)[:, None]
    inputs = _with_bias(vectors)
    weights = np.zeros((inputs.shape[1], len(counts)))
    ridge = np.full((inputs.shape[1], 1), RIDGE)
    ridge[-1] = 0
    for _ in range(STEPS):
        error = (_softmax(inputs @ weights) - truth) * share
        weights -= RATE * (inputs.T @ error + ridge * weights)
    return Classifier(tuple(examples.prompts), weights, examples.sure)


def _with_bias(vectors: npt.NDArray[np.float32]) -> Matrix:
    return np.hstack([vectors.astype(np.float64), np.ones((len(vectors), 1))])


def _softmax(scores: Matrix) -> Matrix:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) and text.strip() for text in value)
