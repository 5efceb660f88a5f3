"""The command `curate browse`: page through responses and correct them in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from curate import output
from curate.cli_options import DEFAULT, Json, WorkspaceOption
from curate.correct_cli import By


def browse(
    workspace: WorkspaceOption = DEFAULT,
    where: Annotated[str | None, typer.Option(help="Only where this holds; SQL over the columns of scan.")] = None,
    sort: Annotated[str, typer.Option(help="key, reward (worst first), -reward or random.")] = "key",
    seed: Annotated[int, typer.Option(help="Seed of the random order.")] = 0,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=1, help="Most responses in the list.")] = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Page through responses, see the judge's reasons, correct class or score; --json prints the list instead."""
    if json:
        from curate.browse.rows import rows

        output.json(rows(workspace, where=where, sort=sort, seed=seed, limit=limit))
        return
    import curate
    from curate.console import Talk

    if made := curate.browse(workspace, where=where, sort=sort, by=by, seed=seed, limit=limit):
        Talk().say(f"{made:,} correction{'s' if made > 1 else ''} stored: `curate correct --list` shows what holds")
