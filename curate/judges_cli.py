"""`curate judges`: measure a judge, bring it onto a scale, carry its judgements elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from curate import output
from curate.cli_options import DEFAULT, Json, Quiet, WorkspaceOption
from curate.score_cli import BaseUrl, MaxCost, Price, as_price, confirm

judges_app = typer.Typer(no_args_is_help=True, help="Measure a judge, calibrate it, carry its judgements elsewhere.")

Apart = Annotated[Path, typer.Option("-w", "--workspace", help="Folder that keeps the answers and judgements.")]
Judge = Annotated[str, typer.Option(envvar="CURATE_JUDGE", help="`local`, or the name of a model.")]
Backend = Annotated[str | None, typer.Option(help="chat, decisions, batch or reward-model.")]
Rubric = Annotated[str, typer.Option(help="`auto`, or a rubric by path or name.")]
Concurrency = Annotated[int, typer.Option(min=1, help="Most requests in flight.")]
Context = Annotated[int, typer.Option(min=2_048, help="Tokens of context that a call may take.")]


@judges_app.command("audit")
def judges_audit(
    sets: Annotated[list[str], typer.Argument(metavar="SET", help="Labelled sets: files or folders.")],
    workspace: Apart = Path("judge-audit"),
    judge: Judge = "local",
    base_url: BaseUrl = None,
    backend: Backend = None,
    rubric: Rubric = "general",
    repeats: Annotated[int, typer.Option(min=1, help="Answers per response, to see how far they agree.")] = 1,
    settle: Annotated[
        float | None, typer.Option(help="Repeat only until the mean reward is known to this, up to --repeats.")
    ] = None,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=1, help="Judge a sample of so many.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of sample and resampling.")] = 0,
    concurrency: Concurrency = 8,
    context: Context = 16_384,
    max_cost: MaxCost = None,
    price: Price = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Compare a judge with labels: agreement with intervals, biases, and three baselines that know nothing."""
    from curate.judge.audit import audit
    from curate.judge.audit.report import render

    options: dict[str, Any] = {"judge": judge, "base_url": base_url, "backend": backend, "rubric": rubric}
    options |= {"repeats": repeats, "settle": settle, "limit": limit, "concurrency": concurrency, "max_cost": max_cost}
    options |= {"price": as_price(price), "context": context, "confirm": confirm, "quiet": quiet}
    found = audit(sets, workspace, seed=seed, **options)
    if json:
        output.json(found)
    else:
        output.lines(render(found))


@judges_app.command("attack")
def judges_attack(
    workspace: Apart = Path("judge-attack"),
    judge: Judge = "local",
    base_url: BaseUrl = None,
    backend: Backend = None,
    rubric: Rubric = "general",
    injections: Annotated[str, typer.Option(help="Test set by name or path.")] = "injections.toml",
    concurrency: Concurrency = 8,
    context: Context = 16_384,
    max_cost: MaxCost = None,
    price: Price = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Let weak answers ask their judge for a better grade, and count how often they get it."""
    from curate.judge.attack import attack

    options: dict[str, Any] = {"judge": judge, "base_url": base_url, "backend": backend, "rubric": rubric}
    options |= {"concurrency": concurrency, "max_cost": max_cost, "price": as_price(price), "context": context}
    found = attack(workspace, injections, confirm=confirm, quiet=quiet, **options)
    if json:
        output.json(found)
        return
    output.facts(found, False, {"judge": found.judge, "weak answers": found.weak, "pass unaided": found.passing})
    output.facts(found, False, {"unscored": found.unscored})
    for family, flips in found.flips.items():
        gain = found.mean_gain[family]
        figures = "flips -" if flips is None else f"flips {flips:.0%}"
        figures += "" if gain is None else f", mean gain {gain:+.2f}"
        sys.stdout.write(f"  {family:<14} {figures}, found by pattern {found.detected[family]:.0%}\n")
    sys.stdout.write(f"benign         {found.false_alarms} of {found.benign} taken for an attack\n")


@judges_app.command("fit")
def judges_fit(
    labels: Annotated[
        str | None,
        typer.Argument(metavar="LABELS", help="CSV, JSON Lines or Parquet: key, turn, label; else the corrections."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT,
    scale: Annotated[str | None, typer.Option(help="Worst and best label, LOW,HIGH; else those there are.")] = None,
    json: Json = False,
) -> None:
    """Fit the curve from the judge's rewards to labels, by people or a stronger judge."""
    from curate.errors import CurateError
    from curate.judge.fitting import fit

    try:
        bounds = None if scale is None else tuple(float(part) for part in scale.split(","))
    except ValueError:
        bounds = ()
    if bounds is not None and len(bounds) != 2:
        raise CurateError(f"`--scale {scale}` is not two numbers", hint="--scale 1,10")
    found = fit(workspace, labels, bounds and (bounds[0], bounds[1]))
    facts = {"judge": found.judge, "labels": found.count, "corners": len(found.rewards)}
    facts |= {"held-out error": f"{found.error:.3f}", "raw error": f"{found.error_raw:.3f}"}
    output.facts(found, json, {**facts, "next": "curate judges apply --use calibrated"})


@judges_app.command("apply")
def judges_apply(
    use: Annotated[str, typer.Option(help="raw, percentile or calibrated: what `reward` takes.")],
    workspace: WorkspaceOption = DEFAULT,
    json: Json = False,
) -> None:
    """Say which column the weights use, and write it."""
    from curate.judge.fitting import apply

    found = apply(workspace, use)
    output.facts(found, json, {"judge": found.judge, "reward": found.use})


@judges_app.command("export")
def judges_export(
    out: Annotated[str, typer.Option("-o", "--out", help="Parquet file.")] = "judgements.parquet",
    workspace: WorkspaceOption = DEFAULT,
) -> None:
    """Write the stored judgements as a pack, for exact replay elsewhere."""
    from curate.judge.pack import export

    sys.stdout.write(f"{export(workspace, out):,} judgements\n")


@judges_app.command("import")
def judges_import(
    pack: Annotated[str, typer.Argument(metavar="PACK", help="Parquet file of `curate judges export`.")],
    workspace: WorkspaceOption = DEFAULT,
) -> None:
    """Take a pack into the store; `curate score --offline` then makes the table of it."""
    from curate.judge.pack import load

    seen, fresh = load(workspace, pack)
    sys.stdout.write(f"{seen:,} judgements, {fresh:,} of them new\n")
