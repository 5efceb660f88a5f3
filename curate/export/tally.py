"""What an export counted: every conversation in one bucket, every response trained or masked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.reward import effective_sample_size

if TYPE_CHECKING:
    from curate.export.mix import Mixed


@dataclass(frozen=True)
class ClassWeights:
    """The trained responses of one class."""

    responses: int
    mean: float
    sum: float


@dataclass
class Tally:
    """Counts, shard by shard.

    Attributes:
        dropped: Conversations by reason.
        masked: Responses of exported conversations that are not trained, by reason.
        conditions: Trained responses by condition.
        corrected: Trained responses whose class or reward was corrected by hand.
    """

    conversations: int = 0
    exported: int = 0
    rows: int = 0
    responses: int = 0
    fallback: int = 0
    tokens: int | None = None
    cut: int | None = None
    dropped: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    conditions: Counter[str] = field(default_factory=Counter)
    corrected: Counter[str] = field(default_factory=Counter)
    _classes: dict[str, list[float]] = field(default_factory=dict)
    _squares: float = 0.0

    def add(self, mixed: Mixed) -> None:
        """Count one shard."""
        self.conversations += mixed.conversations.height
        self.rows += mixed.rows.height
        self.dropped.update(_counts(mixed.conversations["dropped"]))
        kept = mixed.conversations.filter(pl.col("dropped").is_null())
        self.exported += kept.height
        responses = mixed.responses.join(kept, on="key", how="semi")
        self.masked.update(_counts(responses["masked"]))
        trained = responses.filter(pl.col("masked").is_null())
        self.responses += trained.height
        self.fallback += int(trained["fallback"].sum())
        self.conditions.update(_counts(trained["condition"]))
        for what in ("class", "reward"):
            self.corrected[what] += int(trained[f"corrected_{what}"].sum())
        if "tokens" in trained.columns:
            self.tokens = (self.tokens or 0) + int(trained["tokens"].sum())
            self.cut = (self.cut or 0) + int(mixed.rows["cut"].sum())
        weight = pl.col("weight").cast(pl.Float64)
        sums = trained.group_by(pl.col("class").fill_null("unknown")).agg(n=pl.len(), sum=weight.sum())
        for name, count, total in sums.sort("class").iter_rows():
            entry = self._classes.setdefault(name, [0, 0.0])
            entry[0] += count
            entry[1] += total
        self._squares += float(trained.select((weight**2).sum()).item())

    @property
    def classes(self) -> dict[str, ClassWeights]:
        """Weights of the trained responses by class."""
        classes = sorted(self._classes.items())
        return {name: ClassWeights(int(count), total / count, total) for name, (count, total) in classes}

    @property
    def effective(self) -> float:
        """The effective sample size of the trained responses."""
        return effective_sample_size(sum(total for _, total in self._classes.values()), self._squares)

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        return {
            "conversations": self.conversations,
            "exported": self.exported,
            "dropped": dict(sorted(self.dropped.items())),
            "rows": self.rows,
            "responses": self.responses,
            "masked": dict(sorted(self.masked.items())),
            "fallback": self.fallback,
            "supervised_tokens": self.tokens,
            "rows_cut": self.cut,
            "conditions": dict(sorted(self.conditions.items())),
            "classes": {name: vars(entry) for name, entry in self.classes.items()},
            "effective_sample_size": self.effective,
            "corrected": {what: count for what, count in self.corrected.items() if count},
        }


def _counts(column: pl.Series) -> dict[str, int]:
    return dict(column.drop_nulls().value_counts().iter_rows())
