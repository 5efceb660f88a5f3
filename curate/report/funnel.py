"""The funnel: from the records of a dump to the rows of an export, every loss by its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.console import plain
from curate.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.text import Text


@dataclass(frozen=True)
class Step:
    """One line of the funnel.

    Attributes:
        name: What is counted.
        unit: records, conversations, responses or rows.
        count: How many.
        reasons: The same or a part of them by reason, most first.
    """

    name: str
    unit: str
    count: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Funnel:
    """What happened to every record so far; stages that did not run have no step."""

    steps: tuple[Step, ...]

    @property
    def balanced(self) -> bool:
        """Whether records in = conversations + rejects, and conversations = exported + dropped."""
        counts = {step.name: step for step in self.steps}
        records = counts["records"].count == counts["rejected"].count + counts["conversations"].count
        if "exported" not in counts:
            return records
        return records and counts["conversations"].count == counts["exported"].count + counts["dropped"].count


def funnel(workspace: str | Path) -> Funnel:
    """The funnel of a workspace, from its manifest.

    Raises:
        WorkspaceError: Not a workspace, or its ingest was interrupted.
    """
    from curate.workspace import Workspace

    stages = Workspace(workspace).manifest.get("stages", {})
    runs: list[dict[str, Any]] = stages.get("ingest", [])
    if not runs:
        raise WorkspaceError(
            "the manifest knows of no finished ingest", where=workspace, hint="run the same `curate ingest` again"
        )
    rejects: Counter[str] = Counter()
    for ingest_run in runs:
        rejects.update(ingest_run["rejects"])
    kept = sum(ingest_run["conversations"] for ingest_run in runs)
    steps = [
        Step("records", "records", kept + rejects.total(), {}),
        Step("rejected", "records", rejects.total(), _sorted(rejects)),
        Step("conversations", "conversations", kept, {}),
    ]
    if clean := stages.get("clean"):
        steps.append(Step("flagged", "conversations", clean["flagged"], _sorted(clean["by"])))
    if label := stages.get("label"):
        steps.append(Step("responses", "responses", label["responses"], _sorted(label["classes"])))
    if dedup := stages.get("dedup"):
        counts = {kind: dedup["counts"][kind] for kind in ("exact", "near")}
        steps.append(Step("duplicates", "conversations", sum(counts.values()), _sorted(counts)))
    if score := stages.get("score"):
        statuses = Counter(score["statuses"])
        scored = statuses.pop("ok", 0)
        steps.append(Step(f"scored by {score['judge']}", "responses", scored, _sorted(score.get("defects", {}))))
        steps.append(Step("unscored", "responses", statuses.total(), _sorted(statuses)))
    if export := stages.get("export"):
        counts = export["counts"]
        steps += [
            Step("dropped", "conversations", sum(counts["dropped"].values()), _sorted(counts["dropped"])),
            Step("exported", "conversations", counts["exported"], {}),
            Step("trained on", "responses", counts["responses"], _sorted(counts["conditions"])),
            Step("masked", "responses", sum(counts["masked"].values()), _sorted(counts["masked"])),
            Step("rows", "rows", counts["rows"], {}),
        ]
    return Funnel(tuple(steps))


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
        shown = list(step.reasons.items())
        if len(shown) > most:
            shown = [*shown[: most - 1], (f"{len(shown) - most + 1} others", sum(n for _, n in shown[most - 1 :]))]
        lines += [Text(f"  {'':<{names}}{count:>{figures},}  {plain(name, 60)}", "dim") for name, count in shown]
    for line in lines:
        line.truncate(width)
    return lines
