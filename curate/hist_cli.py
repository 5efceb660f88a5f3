"""`curate hist`: on the terminal, as JSON or CSV, or as a figure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from curate import output
from curate.cli_options import DEFAULT, Json, WorkspaceOption

Columns = Annotated[
    str,
    typer.Argument(
        help="reward, score, raw, percentile, calibrated, spread, aspect:NAME, weight, chars, prompt_chars, turns, "
        "similarity or cosine."
    ),
]
By = Annotated[str, typer.Option(help="class, source, model, language, task, judge, rubric, status or rule.")]
Bins = Annotated[
    int | None, typer.Option(min=1, help="Bins for values that are not whole numbers; lengths have 1-2-5 without it.")
]


def hist(
    column: Columns = "reward",
    workspace: WorkspaceOption = DEFAULT,
    by: By = "class",
    bins: Bins = None,
    where: Annotated[str | None, typer.Option(help="Those with … (SQL over the columns of `scan`).")] = None,
    scale: Annotated[
        str, typer.Option(help="What bars are as long as: share (of the group), count, or log (of the count).")
    ] = "share",
    csv: Annotated[Path | None, typer.Option(help="File for the counts; - = here.")] = None,
    png: Annotated[Path | None, typer.Option(help="File for a figure (extra `plot`).")] = None,
    svg: Annotated[Path | None, typer.Option(help="File for a figure (extra `plot`).")] = None,
    json: Json = False,
) -> None:
    """Show histograms of a score, weight, length or similarity, class beside class."""
    import curate
    from curate.report import histogram_files as files

    result = curate.hist(workspace, column=column, by=by, bins=bins, where=where)
    for path, kind in ((png, "png"), (svg, "svg")):
        if path is not None:
            files.write_figure(result, path, kind)
    if csv is not None and str(csv) != "-":
        files.write(csv, files.to_csv(result).encode())
    if json:
        output.json(result)
    elif csv is not None and str(csv) == "-":
        sys.stdout.write(files.to_csv(result))
    else:
        output.hist(result, scale)
