"""What an export would be: weights by class and reward, and where the loss mass goes, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.console import plain
from curate.reward import effective_sample_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curate.export.mix import Mixed
    from curate.export.mixture import Report

BINS = 10
BY = ("class", "reward", "task", "source", "language")
# Lines of a table on a terminal; the JSON has all.
SHOWN = 12


@dataclass
class Preview:
    """Sums over the trained responses.

    Attributes:
        beta: Temperature in use; None = the weights do not depend on it.
        per: One of `shape.PER`.
        exact: Whether tokens were counted by a tokenizer, the cut included; else UTF-8 bytes / 4 + 1.
        mixture: Shares of the loss mass before and after `--share`.
        validation: Conversations held out.
    """

    beta: float | None
    per: str
    exact: bool
    mixture: Report = field(default_factory=list)
    validation: int = 0
    _parts: dict[str, pl.DataFrame] = field(default_factory=dict)

    def add(self, mixed: Mixed) -> None:
        """Count one shard."""
        kept = mixed.conversations.filter(pl.col("dropped").is_null())
        trained = mixed.responses.filter(pl.col("masked").is_null()).join(kept, on="key", how="semi")
        size = pl.col("tokens").cast(pl.Float64) if "tokens" in trained.columns else pl.col("size")
        weight = pl.col("weight").cast(pl.Float64)
        own = weight * pl.col("size") if self.per == "response" else weight
        low = (pl.col("reward").cast(pl.Float64) * BINS).floor().clip(0, BINS - 1) / BINS
        bins = pl.format("{}-{}", low.round(1), (low + 1 / BINS).round(1))
        frame = trained.with_columns(
            pl.col("class", "task", "language").fill_null("unknown"),
            reward=bins.fill_null("none"),
            own=own,
            mass=weight * size,
            tokens=size,
        )
        for name in BY:
            part = frame.group_by(name).agg(
                responses=pl.len(),
                weight=pl.col("own").sum(),
                squares=(pl.col("own") ** 2).sum(),
                least=pl.col("own").min(),
                greatest=pl.col("own").max(),
                tokens=pl.col("tokens").sum(),
                mass=pl.col("mass").sum(),
            )
            before = [self._parts[name]] if name in self._parts else []
            sums = pl.col("responses", "weight", "squares", "tokens", "mass").sum()
            both = pl.concat([*before, part], how="diagonal").group_by(name)
            self._parts[name] = both.agg(sums, pl.col("least").min(), pl.col("greatest").max()).sort(name)

    def as_dict(self) -> dict[str, Any]:
        """All of it, for machines."""
        classes = self._parts.get("class", pl.DataFrame(schema=dict.fromkeys(_SUMS, pl.Float64)))
        responses, weight, squares, tokens, mass = (float(classes[name].sum()) for name in _SUMS)
        size = effective_sample_size(weight, squares)
        return {
            "beta": self.beta,
            "per": self.per,
            "tokens": "exact" if self.exact else "estimated",
            "supervised_tokens": round(tokens),
            "loss_mass": mass,
            "effective_sample_size": size,
            "effective_share": size / responses if responses else 0.0,
            "by": {name: [_row(row, name, mass) for row in part.to_dicts()] for name, part in self._parts.items()},
            "mixture": self.mixture,
            "validation": self.validation,
        }


_SUMS = ("responses", "weight", "squares", "tokens", "mass")


def _row(row: dict[str, Any], name: str, mass: float) -> dict[str, Any]:
    return {
        "value": row[name],
        "responses": row["responses"],
        "mean_weight": row["weight"] / row["responses"],
        "least_weight": row["least"],
        "greatest_weight": row["greatest"],
        "tokens": round(row["tokens"]),
        "loss_mass": row["mass"],
        "share": row["mass"] / mass if mass else 0.0,
    }


def render(preview: dict[str, Any], dropped: dict[str, int], masked: dict[str, int]) -> Iterator[str]:
    """Lines for a terminal."""
    for name, rows in preview["by"].items():
        yield ""
        yield f"  {name:<24}  responses  mean weight      least       most         tokens    loss"
        ordered = rows if name == "reward" else sorted(rows, key=lambda row: -row["share"])
        for row in ordered[:SHOWN]:
            weights = f"{row['mean_weight']:>12.4g} {row['least_weight']:>10.4g} {row['greatest_weight']:>10.4g}"
            yield (
                f"  {plain(row['value'], 24):<24} {row['responses']:>10,} {weights} {row['tokens']:>14,} "
                f"{row['share']:>7.1%}"
            )
        if len(rows) > SHOWN:
            yield f"  and {len(rows) - SHOWN} more; --json has all"
    yield ""
    tokens = f"{preview['supervised_tokens']:,} supervised tokens"
    yield f"  {tokens}" + ("" if preview["tokens"] == "exact" else ", estimated; --tokenizer counts them")
    size, share = preview["effective_sample_size"], preview["effective_share"]
    yield f"  effective sample size {size:,.0f}, {share:.1%} of the responses"
    if preview["beta"] is not None:
        yield f"  beta {preview['beta']:.6g}"
    if preview["per"] == "response":
        yield "  weights are for all tokens of a response together"
    for row in preview["mixture"]:
        target = "" if row["target"] is None else f", asked for {row['target']:.1%}"
        name = f"{row['dimension']} {plain(row['value'], 40)}"
        yield f"  {name}: {row['before']:.1%} of the loss before{target}, {row['after']:.1%} after"
    if preview["validation"]:
        yield f"  {preview['validation']:,} conversations are held out for validation"
    for what, counts in (("conversations dropped", dropped), ("responses masked", masked)):
        for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            yield f"  {count:>9,} {what}: {plain(reason, 80)}"
