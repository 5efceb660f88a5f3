"""What stands beside the data for people and loaders: the card's figures, and Croissant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.console import plain
from curate.errors import CurateError, WorkspaceError
from curate.export import croissant
from curate.export.card import weighting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from curate.workspace import Workspace

_WIDTH = 100


def write(folder: Path, workspace: Workspace, facts: dict[str, Any], counts: dict[str, Any]) -> None:
    """Write README.md, or add to the one that the format wrote: figures, weights, licences; and `croissant.json`."""
    licences: Mapping[str, str] = facts["licences"]
    sources = _sources(workspace)
    stated = {licences.get(source) for source in sources}
    one = stated.pop() if len(stated) == 1 else None
    readme = folder / "README.md"
    head, body = _split(readme.read_text("utf-8")) if readme.exists() else _new(folder, facts)
    head += f"license: {one}\n" if one else "license: other\n" if any(stated) else ""
    sections = [
        ("Funnel", _block(_funnel(workspace, counts))),
        ("Weights", _weights(facts["policy"], counts)),
        ("Scores", _block(_scores(workspace))),
        ("Sources and licences", _licences(sources, licences)),
    ]
    text = "".join(f"\n## {title}\n\n{section}\n" for title, section in sections if section)
    readme.write_text(f"---\n{head}---\n{body.rstrip()}\n{text}", "utf-8")
    what = f"Conditioned, weighted chat training data in the format {facts['format']}, made by curate."
    croissant.write(folder, facts["name"], what, one)


def check_licences(licences: Mapping[str, str] | None) -> dict[str, str]:
    """Licences by source, if they can stand in a card's head.

    Raises:
        CurateError: One cannot.
    """
    for source, licence in (licences or {}).items():
        if not licence or not all(c.isascii() and (c.isalnum() or c in "-.+") for c in licence):
            what = f"`{plain(licence, 60)}` is no licence identifier"
            raise CurateError(what, where=f"source {source}", hint="--licence my_dump=cc-by-4.0")
    return dict(licences or {})


def _split(text: str) -> tuple[str, str]:
    """The YAML head and the body of a card."""
    head, found, body = text.removeprefix("---\n").partition("\n---\n")
    return (f"{head}\n", body) if text.startswith("---\n") and found else ("", text)


def _new(folder: Path, facts: dict[str, Any]) -> tuple[str, str]:
    """The card of a format that has none: `datasets` is told of the first epoch alone."""
    name = facts["name"]
    first = next((file for end in ("parquet", "jsonl") if (folder / (file := f"{name}.0.{end}")).exists()), None)
    config = f"configs:\n- config_name: default\n  data_files:\n  - split: {name}\n    path: {first}\n" if first else ""
    made = f"Made by `curate export --format {facts['format']}`. `manifest.json` counts what was dropped, by reason."
    return config, f"\n# {name}\n\n{made}\n"


def _sources(workspace: Workspace) -> dict[str, int]:
    import polars as pl

    counts = workspace.scan("conversations").group_by("source").agg(pl.len()).collect(engine="streaming")
    return dict(counts.sort("source").iter_rows())


def _funnel(workspace: Workspace, counts: dict[str, Any]) -> list[str]:
    """From the records of the dumps to the rows of this export."""
    from curate.report.funnel import Funnel, Step, export_counts, funnel, render

    try:
        earlier = [step for step in funnel(workspace.path).steps if step.stage != "export" and not step.stale]
    except WorkspaceError:
        # A workspace that was not made by `curate ingest`.
        earlier = [Step("conversations", "conversations", counts["conversations"], {})]
    own = [Step(name, unit, count, dict(reasons), "export") for name, unit, count, reasons in export_counts(counts)]
    return [line.plain.rstrip() for line in render(Funnel((*earlier, *own)), _WIDTH)]


def _weights(policy: dict[str, Any], counts: dict[str, Any]) -> str:
    """Formula, and per class what it comes to; the histogram is of the shares."""
    total = sum(entry["sum"] for entry in counts["classes"].values()) or 1.0
    rows = [
        f"| {_cell(name)} | {entry['responses']:,} | {entry['mean']:.4g} | {entry['sum'] / total:.1%} | "
        f"`{'█' * max(1, round(20 * entry['sum'] / total))}` |"
        for name, entry in counts["classes"].items()
    ]
    ess = f"Effective sample size (Σw)²/Σw² over the responses: {counts['effective_sample_size']:,.0f}."
    table = ["| class | responses | mean weight | share of Σw over responses | |", "|---|--:|--:|--:|---|", *rows]
    return "\n".join([f"w is {weighting(policy)}; the loss is Σ w·CE / Σ w. {ess}", "", *table])


def _scores(workspace: Workspace) -> list[str]:
    """The histogram of the rewards by class; nothing where there are none."""
    from curate.report.histogram import hist
    from curate.report.histogram_text import render

    try:
        found = hist(workspace.path)
    except WorkspaceError:
        return []
    if not found.bins:
        return []
    return [line.plain.rstrip() for line in render(found, _WIDTH)]


def _licences(sources: dict[str, int], licences: Mapping[str, str]) -> str:
    rows = [
        f"| {_cell(source)} | {count:,} | {licences.get(source, 'not stated')} |" for source, count in sources.items()
    ]
    return "\n".join(["| source | conversations ingested | licence |", "|---|--:|---|", *rows])


def _block(lines: list[str]) -> str:
    """Lines as they are; four spaces, so that no text of theirs can end the block."""
    return "\n".join(f"    {plain(line)}" for line in lines)


def _cell(text: str) -> str:
    """Text from data inside of a table: no markup of it lives."""
    escaped = plain(text, 80).replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;").replace("`", "&#96;")
    return escaped.replace("[", "&#91;").replace("!", "&#33;")
