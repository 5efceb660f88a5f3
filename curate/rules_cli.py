"""`curate rules`: look at the rule files, at what they do to a workspace, and at what another file would do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from curate import output
from curate.cli_options import Json, Quiet

rules_app = typer.Typer(no_args_is_help=True, help="Look at the rule files: what they say, and whether they hold.")

Seed = Annotated[int, typer.Option(help="Seed of the examples.")]
Examples = Annotated[int, typer.Option("-n", "--examples", min=0, help="Examples per rule.")]


@rules_app.command("check")
def rules_check(
    files: Annotated[list[str] | None, typer.Argument(help="Rule files; without any, those in use.")] = None,
    json: Json = False,
) -> None:
    """Check rule files: keys, expressions, and every rule's own cases."""
    from curate.rules import check, shipped

    checked = [check(file) for file in files or map(str, shipped())]
    if json:
        output.json(checked)
    else:
        for item in checked:
            sys.stdout.write(f"ok  {item.path}: {item.rules} {item.kind}, {item.cases} cases\n")


@rules_app.command("list")
def rules_list(file: Annotated[str, typer.Argument(help="Rule file.")], json: Json = False) -> None:
    """List the rules of a file with their reasons."""
    from curate.console import plain
    from curate.rules import check, load

    rule_set = load(file, check(file).kind, check_cases=False)
    if json:
        output.json([{"name": r.name, "verdict": r.verdict, "why": r.why, "when": r.when} for r in rule_set.rules])
        return
    for rule in rule_set.rules:
        sys.stdout.write(plain(f"{rule.name} → {rule.verdict}") + "\n")
        for line in (rule.why, *rule.when.strip().split("\n")):
            sys.stdout.write(f"    {plain(line.strip())}\n")


@rules_app.command("columns")
def rules_columns(kind: Annotated[str, typer.Argument(help="labels, clean, tasks, defects or conditions.")]) -> None:
    """List the columns that rules of a kind may ask about."""
    from curate.errors import CurateError, did_you_mean
    from curate.rules import COLUMNS

    if kind not in COLUMNS:
        raise CurateError(f"no rules of kind `{kind}`", hint=did_you_mean(kind, COLUMNS))
    for column, (type_, meaning) in COLUMNS[kind].items():
        sys.stdout.write(f"{column:<18} {type_:<6} {meaning}\n")


@rules_app.command("explain")
def rules_explain(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A rule of the files in use, or a rule file.")],
    workspace: Annotated[
        Path | None, typer.Option("-w", "--workspace", envvar="CURATE_WORKSPACE", help="Where to look for hits.")
    ] = None,
    examples: Examples = 3,
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Show what rules say and why, their cases, and with -w how often they fire there, and on what."""
    from curate.explain import explain, render

    found = explain(what, workspace, examples=examples, seed=seed, quiet=quiet)
    if json:
        output.json(found)
    else:
        for explanation in found:
            output.lines(render(explanation))


@rules_app.command("try")
def rules_try(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Rule file that is not in use.")],
    workspace: Annotated[
        Path, typer.Option("-w", "--workspace", envvar="CURATE_WORKSPACE", help="Folder of the workspace.")
    ] = Path("curated"),
    examples: Examples = 3,
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Show what a rule file would do to a workspace, and what would change; nothing is written."""
    from curate.explain import render, try_rules

    found = try_rules(file, workspace, examples=examples, seed=seed, quiet=quiet)
    if json:
        output.json(found)
    else:
        output.lines(render(found))
