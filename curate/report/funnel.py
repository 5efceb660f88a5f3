"""The funnel: from the records of a dump to the rows of an export, every loss by its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from curate.console import plain
from curate.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from rich.text import Text

    from curate.workspace import Workspace

    # Name, unit, count and reasons of a step.
    Count = tuple[str, str, int, Mapping[str, int]]


@dataclass(frozen=True)
class Step:
    """One line of the funnel.

    Attributes:
        name: What is counted.
        unit: records, conversations, responses or rows.
        count: How many.
        reasons: The same or a part of them by reason, most first.
        stage: What counted it.
        stale: Whether what the stage read has changed since.
    """

    name: str
    unit: str
    count: int
    reasons: dict[str, int]
    stage: str = "ingest"
    stale: bool = False


@dataclass(frozen=True)
class Funnel:
    """What happened to every record so far; stages that did not run have no step.

    Attributes:
        steps: In the order of the stages.
        note: What a reader of the scores must know of the judge.
    """

    steps: tuple[Step, ...]
    note: str | None = None

    @property
    def balanced(self) -> bool:
        """Whether records in, and what was found in them besides, = conversations + rejects + joined records.

        And conversations = exported + dropped; an export that is out of date says nothing about what came later.
        """
        counts = {step.name: step for step in self.steps}
        read = sum(counts[name].count for name in ("records", "split") if name in counts)
        records = read == sum(counts[name].count for name in ("rejected", "joined", "conversations") if name in counts)
        if "exported" not in counts or counts["exported"].stale:
            return records
        return records and counts["conversations"].count == counts["exported"].count + counts["dropped"].count


def funnel(workspace: str | Path) -> Funnel:
    """The funnel of a workspace, from its manifest.

    Raises:
        WorkspaceError: Not a workspace, or its ingest was interrupted.
    """
    from curate.judge import LOCAL_NOTE
    from curate.reward import LOCAL_JUDGE
    from curate.workspace import Workspace

    ws = Workspace(workspace)
    stages = ws.manifest.get("stages", {})
    runs: list[dict[str, Any]] = stages.get("ingest", [])
    if not runs:
        raise WorkspaceError(
            "the manifest knows of no finished ingest", where=workspace, hint="run the same `curate ingest` again"
        )
    rejects: Counter[str] = Counter()
    for ingest_run in runs:
        rejects.update(ingest_run["rejects"])
    fragments: Counter[str] = Counter()
    for ingest_run in runs:
        fragments.update(ingest_run.get("fragments", {}))
    joined, split = (sum(ingest_run[name] for ingest_run in runs) for name in ("joined", "split"))
    steps = [
        Step("records", "records", sum(ingest_run["records"] for ingest_run in runs), {}),
        *([Step("split", "conversations", split, {"more than one in a record": split})] if split else []),
        Step("rejected", "records", rejects.total(), _sorted(rejects)),
        *([Step("joined", "records", joined, _sorted(fragments))] if joined or fragments else []),
        Step("conversations", "conversations", sum(ingest_run["conversations"] for ingest_run in runs), {}),
    ]
    steps += [step for stage in COUNTS for step in _steps(ws, stages, stage)]
    return Funnel(tuple(steps), LOCAL_NOTE if stages.get("score", {}).get("judge") == LOCAL_JUDGE else None)


def _steps(ws: Workspace, stages: dict[str, Any], stage: str) -> Iterator[Step]:
    """The steps of one stage; none when it did not run."""
    if stage not in stages:
        return
    entry = stages[stage]
    stale = _is_stale(ws, stage, entry)
    for name, unit, count, reasons in COUNTS[stage](entry):
        yield Step(name, unit, count, _sorted(reasons), stage, stale)


def _is_stale(ws: Workspace, stage: str, entry: dict[str, Any]) -> bool:
    from curate.schema import TABLES

    if stage == "export":
        from curate.export import inputs

        return bool(entry.get("inputs") != inputs(ws))
    return not all(ws.has(table.name) for table in TABLES.values() if table.stage == stage)


def _clean(entry: dict[str, Any]) -> list[Count]:
    return [("flagged", "conversations", entry["flagged"], entry["by"])]


def _label(entry: dict[str, Any]) -> list[Count]:
    return [("responses", "responses", entry["responses"], entry["classes"])]


def _dedup(entry: dict[str, Any]) -> list[Count]:
    return [("duplicates", "conversations", *_kinds(entry))]


def _dedup_responses(entry: dict[str, Any]) -> list[Count]:
    return [("repeats", "responses", *_kinds(entry))]


def _kinds(entry: dict[str, Any]) -> tuple[int, dict[str, int]]:
    counts = {kind: entry["counts"][kind] for kind in ("exact", "prefix", "near", "semantic")}
    return sum(counts.values()), counts


def _decontaminate(entry: dict[str, Any]) -> list[Count]:
    counts = entry["counts"]
    by_name: Counter[str] = Counter()
    for one in counts["benchmarks"]:
        by_name[one["name"]] = max(by_name[one["name"]], one["conversations"])
    return [("contaminated", "conversations", counts["contaminated"], by_name)]


def _score(entry: dict[str, Any]) -> list[Count]:
    statuses = Counter(entry["statuses"])
    scored = statuses.pop("ok", 0)
    return [
        (f"scored by {entry['judge']}", "responses", scored, entry.get("defects", {})),
        ("unscored", "responses", statuses.total(), statuses),
    ]


def _export(entry: dict[str, Any]) -> list[Count]:
    return export_counts(entry["counts"])


def export_counts(counts: dict[str, Any]) -> list[Count]:
    """The steps of an export by what it counted."""
    fallback, by_hand = counts["fallback"], counts.get("corrected")
    return [
        ("dropped", "conversations", sum(counts["dropped"].values()), counts["dropped"]),
        ("exported", "conversations", counts["exported"], {}),
        ("trained on", "responses", counts["responses"], counts["conditions"]),
        *([("fallback", "responses", fallback, {"no reward, weighed by class": fallback})] if fallback else []),
        ("masked", "responses", sum(counts["masked"].values()), counts["masked"]),
        *([("corrected", "responses", max(by_hand.values()), by_hand)] if by_hand else []),
        ("rows", "rows", counts["rows"], {}),
    ]


# What each stage says of its entry in the manifest.
COUNTS: dict[str, Callable[[dict[str, Any]], list[Count]]] = {
    "clean": _clean,
    "label": _label,
    "dedup": _dedup,
    "dedup_responses": _dedup_responses,
    "decontaminate": _decontaminate,
    "score": _score,
    "export": _export,
}


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if count}


def render(funnel: Funnel, width: int, *, most: int = 8) -> list[Text]:
    """The lines of a funnel for a terminal.

    Args:
        funnel: What to draw.
        width: Columns to fill.
        most: Reasons per step; the rest is one line.
    """
    from rich.text import Text

    names = max(len(plain(step.name, 40)) for step in funnel.steps)
    figures = max(len(f"{step.count:,}") for step in funnel.steps)
    lines = []
    for step in funnel.steps:
        lines.append(
            Text.assemble(
                (f"{plain(step.name, 40):<{names}}", "bold"), f"  {step.count:>{figures},}  ", (step.unit, "dim")
            )
        )
        if step.stale:
            mark = f"  out of date: run `curate {step.stage}`"
            if lines[-1].cell_len + len(mark) <= width:
                lines[-1].append(mark, "yellow")
            else:
                lines.append(Text(mark, "yellow"))
        shown = list(step.reasons.items())
        if len(shown) > most:
            shown = [*shown[: most - 1], (f"{len(shown) - most + 1} others", sum(n for _, n in shown[most - 1 :]))]
        lines += [Text(f"  {'':<{names}}{count:>{figures},}  {plain(name, 60)}", "dim") for name, count in shown]
    lines += [Text(line, "dim") for line in wrap(f"note: {funnel.note}", width)] if funnel.note else []
    for line in lines:
        line.truncate(width)
    return lines
