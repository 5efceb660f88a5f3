"""The command `curate push`: an export to a hub, after a question."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from curate import output
from curate.cli_options import Json, Quiet


def push(
    folder: Annotated[Path, typer.Argument(help="Folder of the export.")],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Data set on the hub.")],
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch; else the main one.")] = None,
    message: Annotated[str, typer.Option("-m", "--message", help="Of the commit.")] = "Upload training shards",
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Upload an export to a hub of data sets; the token is that of HF_TOKEN or `hf auth login`."""
    import curate

    result = curate.push(
        folder,
        repo,
        private=not public,
        revision=revision,
        message=message,
        dry_run=dry_run,
        confirm=None if yes else _ask,
        quiet=quiet,
    )
    counts: dict[str, Any] = {"repository": f"{result.endpoint}/datasets/{result.repo}", "files": len(result.files)}
    output.facts(result, json, {**counts, "bytes": result.bytes, "commit": result.commit or "none: nothing was sent"})


def _ask(planned: Any) -> bool:
    """On a terminal; elsewhere the answer is no."""
    if not sys.stdin.isatty():
        return False
    kind = "private" if planned.private else "PUBLIC"
    place = f"{planned.endpoint}/datasets/{planned.repo} ({kind} if it is new)"
    return typer.confirm(f"Upload {len(planned.files)} files, {planned.bytes:,} bytes, to {place}?", err=True)
