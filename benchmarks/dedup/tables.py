"""What was measured as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import environments
from clock import Run
from corpora import Corpus, sample, truth
from quality import Quality, judge

OURS = "curate"
# Runs by tool, threshold and number of processors.
Measured = dict[tuple[str, float, int], list[Run]]


def given(corpus: Corpus, name: str) -> Corpus:
    """The documents that a tool is given: the first ones only where it is slow."""
    return corpus if name == OURS else sample(corpus, environments.ALL[name].megabytes)


def speed(corpus: Corpus, measured: Measured, threshold: float, cores: list[int]) -> Iterator[str]:
    """CPU seconds on the fewest processors, their ratio to ours per megabyte, wall on each number of processors."""
    ours = median(one.cpu for one in measured[OURS, threshold, cores[0]]) / corpus.megabytes
    walls = [f"wall s, {number} core{'s' if number > 1 else ''}" for number in cores]
    head = ["tool", "documents", "CPU s", "x ours per MB", "MB/s per core", *walls, "peak MiB", "runs"]
    lines = []
    for name in tools(measured):
        documents = given(corpus, name)
        results = [measured.get((name, threshold, number)) for number in cores]
        if not all(results):
            lines.append([name, "failed", *[""] * (len(head) - 2)])
            continue
        cpu = median(one.cpu for one in results[0])
        line = [name, f"{documents.rows:,}", f"{cpu:.2f}", f"{cpu / documents.megabytes / ours:.1f}"]
        line += [f"{documents.megabytes / cpu:.1f}", *(f"{median(one.wall for one in runs):.2f}" for runs in results)]
        lines.append([*line, f"{median(one.peak for one in results[-1]):,.0f}", str(len(results[0]))])
    return markdown(head, lines)


def quality(corpus: Corpus, measured: Measured, thresholds: tuple[float, ...], cores: int) -> Iterator[str]:
    """Removals against the common truth and, where it can be told, the truth in the tool's own words."""
    place = {key: position for position, key in enumerate(corpus.ids)}
    head = ["tool", "words"]
    for threshold in thresholds:
        head += [f"recall {threshold}", f"precision {threshold}", f"removed {threshold}", "of them without a kept one"]
    lines = []
    for name in tools(measured):
        own = "curate" if name == OURS else environments.ALL[name].tokens
        for kind in dict.fromkeys(["common", own or "common"]):
            line = [name, kind]
            for threshold in thresholds:
                runs = measured.get((name, threshold, cores))
                if runs:
                    removed, aside = ({place[key] for key in keys} for keys in (runs[0].removed, runs[0].contained))
                    pairs = truth(corpus, kind).at_least(threshold, given(corpus, name).rows)
                    found = judge(removed, pairs, frozenset(aside))
                    contained = f" + {len(aside):,} contained" if aside else ""
                    line += [*shares(found), f"{len(removed):,}{contained}", f"{found.without:,}"]
                else:
                    line += ["failed", "", "", ""]
            lines.append(line)
    return markdown(head, lines)


def told(corpus: Corpus, measured: Measured, threshold: float, cores: list[int]) -> dict[str, dict[str, object]]:
    """By tool: medians on the fewest processors, their ratio to ours per megabyte, and quality by common words."""
    place = {key: position for position, key in enumerate(corpus.ids)}
    ours = median(one.cpu for one in measured[OURS, threshold, cores[0]]) / corpus.megabytes
    found: dict[str, dict[str, object]] = {}
    for name in tools(measured):
        runs = measured.get((name, threshold, cores[0]))
        if not runs:
            continue
        documents = given(corpus, name)
        removed, aside = ({place[key] for key in keys} for keys in (runs[0].removed, runs[0].contained))
        cpu = median(one.cpu for one in runs)
        found[name] = {"rows": documents.rows, "megabytes": documents.megabytes, "cpu": cpu, "runs": len(runs)}
        found[name] |= {"ratio": cpu / documents.megabytes / ours, "peak": median(one.peak for one in runs)}
        found[name]["removed"] = len(removed)
        for kind in ("common", "curate") if name == OURS else ("common",):
            right = judge(removed, truth(corpus, kind).at_least(threshold, documents.rows), frozenset(aside))
            found[name][kind] = {"recall": right.recall, "precision": right.precision, "without": right.without}
    return found


def parts(seconds: dict[str, float]) -> Iterator[str]:
    """Where our CPU time goes, and beside the kernel."""
    kernel = seconds["kernel"]
    lines = [[part, f"{cpu:.2f}", f"{cpu / kernel:.2f}"] for part, cpu in seconds.items()]
    return markdown(["our parts, one core", "CPU s", "x kernel"], lines)


def growth(measured: list[tuple[Corpus, Run]]) -> Iterator[str]:
    """Our whole stage on corpora of several sizes."""
    lines = []
    for number, (corpus, one) in enumerate(measured):
        line = [f"{corpus.rows:,}", f"{corpus.megabytes:,.0f}", f"{one.cpu:.2f}", f"{one.wall:.2f}", f"{one.peak:,.0f}"]
        smaller, before = measured[number - 1]
        times = f"{one.cpu / before.cpu:.1f} for {corpus.rows / smaller.rows:.0f}" if number else ""
        lines.append([*line, times])
    return markdown(["documents", "MB", "CPU s", "wall s", "peak MiB", "x CPU for x documents"], lines)


def tools(measured: Measured) -> dict[str, None]:
    return dict.fromkeys(name for name, _, _ in measured)


def shares(found: Quality) -> list[str]:
    return ["nothing" if share is None else f"{share:.4f}" for share in (found.recall, found.precision)]


def markdown(head: list[str], lines: list[list[str]]) -> Iterator[str]:
    for line in (head, ["---"] * len(head), *lines):
        yield "| " + " | ".join(line) + " |"
    yield ""
