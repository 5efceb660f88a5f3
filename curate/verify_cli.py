"""The command `curate verify`: will a trainer accept and use every row?"""

from __future__ import annotations

from typing import Annotated

import typer

from curate import output
from curate.cli_options import Json, Quiet


def verify(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files of Parquet or JSON lines, folders, globs.")],
    batch_max_length: Annotated[
        int | None, typer.Option(help="OpenChat's tokens per rank and batch; 81,920 without it.")
    ] = None,
    world_size: Annotated[int, typer.Option(help="Ranks that will train.")] = 1,
    max_length: Annotated[int | None, typer.Option(help="Tokens a row may have; else what the shards say.")] = None,
    max_lost: Annotated[float, typer.Option(help="Share of the tokens that the sampler may leave unused.")] = 0.05,
    tokenizer: Annotated[
        str | None, typer.Option(help="Tokenizer folder to compare BOS, end of turn and ids with.")
    ] = None,
    template: Annotated[str, typer.Option(help="OpenChat model type, for its end of turn.")] = "openchat_v3.2_mistral",
    target: Annotated[
        str | None, typer.Option(help="Export format that JSON lines are for; else what their manifest says.")
    ] = None,
    fail_on: Annotated[str, typer.Option(help="What exit code 1 is for: error, warning or never.")] = "warning",
    ignore: Annotated[list[str] | None, typer.Option(metavar="CODE", help="Finding to leave out; repeatable.")] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Show what loaders and OpenChat's sampler will do with training shards, ours or not; exit 1 on a finding."""
    import curate

    report = curate.verify(
        paths,
        batch_max_length=batch_max_length,
        world_size=world_size,
        max_length=max_length,
        max_lost=max_lost,
        tokenizer=tokenizer,
        template=template,
        target=target,
        fail_on=fail_on,
        ignore=ignore or (),
        quiet=quiet,
    )
    output.verification(report, json)
