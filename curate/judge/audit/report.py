"""An audit as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curate.console import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curate.judge.audit import Agreement, Audit, SetAudit
    from curate.judge.audit.metrics import Interval


def render(found: Audit) -> Iterator[str]:
    """The figures of every set beside its baselines, then what they mean."""
    yield plain(f"judge {found.judge}, rubric {found.rubric}")
    yield f"note: {found.note}"
    for one in found.sets:
        yield ""
        yield from _set(one)


def _set(one: SetAudit) -> Iterator[str]:
    counts = f"{one.answers:,} answers to {one.prompts:,} prompts, {one.pairs:,} pairs"
    yield plain(f"{one.name}: {counts}, unscored {one.unscored:.1%}")
    for reason, count in one.skipped.items():
        yield plain(f"  left out: {count:,} rows, {reason}")
    figures = f"{'pair accuracy':<22} {'Spearman':<22} {'kappa':>6} {'exact':>6} {'within':>6}  AUC for bad"
    yield f"  {'':<9} {figures}"
    for name, agreement in {"judge": one.judge, **one.baselines}.items():
        yield f"  {name:<9} {_row(agreement)}".rstrip()
    verdict = "beats length" if one.beats_length else "does NOT beat length"
    yield f"  {verdict}: gain {_interval(one.gain)}"
    bias = one.bias
    yield (
        f"  within a prompt: with length {_number(bias.length)} (labels {_number(bias.length_labels)}), "
        f"with formatting {_number(bias.formatting)} (labels {_number(bias.formatting_labels)})"
    )
    if len(bias.sources) > 1:
        gaps = ", ".join(f"{name} {gap:+.2f}" for name, gap in bias.sources.items())
        yield plain(f"  rank above the labels by source: {gaps}")
    if bias.first.value is not None:
        yield f"  prefers the first of a pair more often than the labels by {_gap(bias.first)}"
    if bias.preferred:
        gaps = ", ".join(f"{name}{'*' * (name in bias.akin)} {_gap(gap)}" for name, gap in bias.preferred.items())
        mark = "; * of the judge's own family" if bias.akin else ""
        yield plain(f"  pairs won beyond the labels: {gaps}{mark}")
    for name, nothing in one.null.items():
        if nothing.mean is not None and nothing.beats is not None:
            what = f"mean reward {nothing.mean:.2f}, above {nothing.beats:.0%} of the real answers"
            yield plain(f"  a constant answer ({name}) to {nothing.answers} prompts: {what}")
    if one.saturated is not None:
        yield f"  top reward for {one.saturated:.1%}"
    if one.retest is not None:
        each = "" if one.samples is None else f", {one.samples:.1f} answers each"
        yield f"  repeats: standard deviation {one.retest:.3f}, a level apart {one.unstable or 0:.1%}{each}"


def _row(found: Agreement) -> str:
    numbers = " ".join(f"{_number(value):>6}" for value in (found.kappa, found.exact, found.within_one))
    return f"{_interval(found.pairs):<22} {_interval(found.spearman):<22} {numbers}  {_interval(found.bad):<22}"


def _interval(found: Interval) -> str:
    if found.value is None:
        return "-"
    if found.low is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _gap(found: Interval) -> str:
    if found.value is None:
        return "-"
    return f"{found.value:+.2f}" + ("" if found.low is None else f" ({found.low:+.2f} to {found.high:+.2f})")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
