"""The command line: parse, call, print. Every command is one function of the package."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from curate import __version__, output

app = typer.Typer(
    name="curate",
    no_args_is_help=True,
    rich_markup_mode="rich" if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
rules_app = typer.Typer(no_args_is_help=True, help="Look at the rule files: what they say, and whether they hold.")
app.add_typer(rules_app, name="rules")

Paths = Annotated[
    list[str], typer.Argument(metavar="FILE", help="Files, globs, folders, or - for stdin; plain, .gz or .zst.")
]
WorkspaceOption = Annotated[
    Path, typer.Option("-w", "--workspace", envvar="CURATE_WORKSPACE", help="Folder of the workspace.")
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but warnings and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Limit = Annotated[int | None, typer.Option("-n", "--limit", min=1, help="Read no more than this many records.")]
Sample = Annotated[int | None, typer.Option("-n", "--limit", min=1, help="Judge a random sample of so many responses.")]
Judge = Annotated[
    str, typer.Option(envvar="CURATE_JUDGE", help="`local` (finds defects, needs nothing), or the name of a model.")
]
BaseUrl = Annotated[str | None, typer.Option(envvar="OPENAI_BASE_URL", help="Address of an OpenAI-compatible server.")]
MaxCost = Annotated[float | None, typer.Option(help="Dollars after which no more judgements are bought.")]
Price = Annotated[str | None, typer.Option(help="Dollars per million tokens, IN,OUT.")]
Beta = Annotated[float | None, typer.Option(help="Temperature of judge and mixed weights; 1/ln 10 spans 10:1.")]
Tokenizer = Annotated[str | None, typer.Option(help="Folder with tokenizer.json or tokenizer.model: write token ids.")]
Assume = Annotated[str | None, typer.Option(help="Class of responses that no rule knows, on your own word.")]
Weighting = Annotated[str, typer.Option(help="auto, coarse, judge, mixed or local.")]
Format = Annotated[str, typer.Option("--format", help="crlft, openchat or openchat-jsonl.")]

DEFAULT = Path("curated")


@app.callback(invoke_without_command=True)
def version_option(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Raw chat dumps in, conditioned and weighted C-RLFT training shards out.

    \b
    curate run dump.json                     the whole flow, no key needed
    curate hist                              scores by class, in the terminal
    curate export --format crlft -o shards   other weights, same workspace
    """
    if version:
        sys.stdout.write(f"curate {__version__}\n")
        raise typer.Exit


@app.command()
def run(
    paths: Paths,
    workspace: WorkspaceOption = DEFAULT,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the export.")] = Path("shards"),
    recipe: Annotated[str, typer.Option(help="Recipe by path or name.")] = "default",
    judge: Annotated[str | None, typer.Option(envvar="CURATE_JUDGE", help="`local`, or the name of a model.")] = None,
    base_url: BaseUrl = None,
    limit: Sample = None,
    max_cost: MaxCost = None,
    price: Price = None,
    assume: Assume = None,
    format: Annotated[str | None, typer.Option("--format", help="Export format.")] = None,
    tokenizer: Tokenizer = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run the whole flow: ingest, clean, label, dedup, score, export; histograms and the funnel at the end."""
    import curate

    chosen: dict[str, dict[str, Any]] = {
        "label": {"assume": assume},
        "score": dict(judge=judge, base_url=base_url, limit=limit, max_cost=max_cost, price=_price(price)),
        "export": {"format": format, "tokenizer": tokenizer},
    }
    options = {stage: {k: v for k, v in values.items() if v is not None} for stage, values in chosen.items()}
    result = curate.run(paths, workspace, out, recipe=recipe, options=options, confirm=_confirm, quiet=quiet)
    if json:
        output.json(result)
        return
    if "score" in result.stages and "label" in result.stages:
        output.hist(curate.hist(workspace))
        sys.stdout.write("\n")
    output.funnel(result.funnel)
    if "export" in result.stages:
        output.export(result.stages["export"])


@app.command()
def ingest(
    paths: Paths,
    workspace: WorkspaceOption = DEFAULT,
    source: Annotated[str | None, typer.Option(help="Name of the data set; else each file's own name.")] = None,
    format: Annotated[str | None, typer.Option("--format", help="Input format; else detected.")] = None,
    limit: Limit = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Read dumps into the workspace; records that cannot be used are set aside with their reason."""
    import curate

    result = curate.ingest(paths, workspace, source=source, format=format, limit=limit, quiet=quiet)
    output.facts(result, json, {"conversations": result.conversations, "rejected": result.rejects})


@app.command()
def clean(
    workspace: WorkspaceOption = DEFAULT,
    rules: Annotated[str, typer.Option(help="Rule file.")] = "clean.toml",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Flag conversations with what is wrong with them; nothing is deleted."""
    import curate

    result = curate.clean(workspace, rules_file=rules, quiet=quiet)
    counts = {"conversations": result.conversations, "flagged": result.flagged, "by rule": result.rules}
    output.facts(result, json, counts)


@app.command()
def label(
    workspace: WorkspaceOption = DEFAULT,
    rules: Annotated[str, typer.Option(help="Rule file.")] = "labels.toml",
    assume: Assume = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Give every response its class by what its record says about the source; unknown stays unknown."""
    import curate

    result = curate.label(workspace, rules_file=rules, assume=assume, quiet=quiet)
    output.facts(result, json, {"responses": result.responses, "classes": result.classes, "by rule": result.rules})


@app.command()
def dedup(
    workspace: WorkspaceOption = DEFAULT,
    threshold: Annotated[float, typer.Option(help="Jaccard similarity of a near duplicate, above 0, up to 1.")] = 0.7,
    by_reward: Annotated[bool, typer.Option(help="Of one class, keep the copy with the better reward.")] = False,
    policy: Annotated[str, typer.Option(help="Which copy stays.")] = "keep.toml",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find exact and near duplicates; the best copy of each stays."""
    import curate

    result = curate.dedup(workspace, threshold=threshold, by_reward=by_reward, policy=policy, quiet=quiet)
    counts = {name: getattr(result, name) for name in ("conversations", "kept", "exact", "near", "clusters")}
    output.facts(result, json, counts)


@app.command()
def score(
    workspace: WorkspaceOption = DEFAULT,
    judge: Judge = "local",
    base_url: BaseUrl = None,
    rubric: Annotated[str, typer.Option(help="Rubric by path or name.")] = "general",
    limit: Sample = None,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Most requests in flight.")] = 8,
    max_cost: MaxCost = None,
    price: Price = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Calls, tokens and money; send nothing.")] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Score every response with a judge; answers are kept and never bought twice."""
    import curate

    result = curate.score(
        workspace,
        judge=judge,
        base_url=base_url,
        rubric=rubric,
        limit=limit,
        seed=seed,
        concurrency=concurrency,
        max_cost=max_cost,
        price=_price(price),
        dry_run=dry_run,
        confirm=_confirm,
        quiet=quiet,
    )
    facts: dict[str, Any] = {"judge": result.judge, "rubric": result.rubric}
    facts |= {"estimate": str(result.estimate)} if dry_run and result.estimate else {"responses": result.statuses}
    facts |= {"defects": result.defects} if result.defects else {}
    if result.calls or result.cached:
        facts |= {"calls": result.calls, "from the store": result.cached}
    output.facts(result, json, facts)


@app.command()
def hist(
    workspace: WorkspaceOption = DEFAULT,
    column: Annotated[str, typer.Argument(help="reward, score or chars.")] = "reward",
    by: Annotated[str, typer.Option(help="class, source, model, language, task, status or rule.")] = "class",
    bins: Annotated[int, typer.Option(min=1, help="Bins for values that are not whole numbers.")] = 10,
    json: Json = False,
) -> None:
    """Show score histograms, class beside class."""
    import curate

    result = curate.hist(workspace, column=column, by=by, bins=bins)
    if json:
        output.json(result)
    else:
        output.hist(result)


@app.command()
def export(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the export.")] = Path("shards"),
    workspace: WorkspaceOption = DEFAULT,
    format: Format = "crlft",
    weighting: Weighting = "auto",
    beta: Beta = None,
    mix: Annotated[float, typer.Option(help="Share of the class in a mixed reward, 0 to 1.")] = 0.5,
    fallback: Annotated[str, typer.Option(help="Responses without a reward: coarse, drop or mask.")] = "coarse",
    unlabelled: Annotated[str, typer.Option(help="Responses without a class: keep, drop or mask.")] = "keep",
    clean_rules: Annotated[str, typer.Option("--clean", help="Rule file that `curate clean` used.")] = "clean.toml",
    keep_flagged: Annotated[list[str] | None, typer.Option(help="Cleaning rule whose conversations stay.")] = None,
    drop_flagged: Annotated[list[str] | None, typer.Option(help="Cleaning rule whose conversations go.")] = None,
    tokenizer: Tokenizer = None,
    template: Annotated[str, typer.Option(help="OpenChat model type.")] = "openchat_v3.2_mistral",
    max_length: Annotated[int | None, typer.Option(min=1, help="Token ids per row; else the template's.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Files of different order, where the format has one each.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the shuffle.")] = 0,
    name: Annotated[str, typer.Option(help="Split and file prefix.")] = "train",
    conditions: Annotated[str, typer.Option(help="Rule file of the conditions.")] = "conditions.toml",
    weights: Annotated[str, typer.Option(help="File of the class weights.")] = "weights.toml",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count; write nothing.")] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write conditioned, weighted training shards."""
    import curate

    result = curate.export(
        workspace,
        out,
        format=format,
        weighting=weighting,
        beta=beta,
        mix=mix,
        fallback=fallback,
        unlabelled=unlabelled,
        keep_flagged=keep_flagged or (),
        drop_flagged=drop_flagged or (),
        tokenizer=tokenizer,
        template=template,
        max_length=max_length,
        epochs=epochs,
        seed=seed,
        name=name,
        conditions=conditions,
        weights=weights,
        clean=clean_rules,
        dry_run=dry_run,
        quiet=quiet,
    )
    if json:
        output.json(result)
    else:
        output.export(result)


@app.command()
def report(workspace: WorkspaceOption = DEFAULT, json: Json = False) -> None:
    """Show the funnel: from the records of the dumps to the rows of the export, every loss by its reason."""
    import curate

    funnel = curate.funnel(workspace)
    if json:
        output.json(funnel)
    else:
        output.funnel(funnel)


@rules_app.command("check")
def rules_check(
    files: Annotated[list[str] | None, typer.Argument(help="Rule files; without any, those in use.")] = None,
    json: Json = False,
) -> None:
    """Check rule files: keys, expressions, and every rule's own cases."""
    from curate.rules import check

    checked = [check(file) for file in files or _rule_files()]
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
def rules_columns(kind: Annotated[str, typer.Argument(help="labels, clean, defects or conditions.")]) -> None:
    """List the columns that rules of a kind may ask about."""
    from curate.errors import CurateError, did_you_mean
    from curate.rules import COLUMNS

    if kind not in COLUMNS:
        raise CurateError(f"no rules of kind `{kind}`", hint=did_you_mean(kind, COLUMNS))
    for column, (type_, meaning) in COLUMNS[kind].items():
        sys.stdout.write(f"{column:<18} {type_:<6} {meaning}\n")


def _rule_files() -> list[str]:
    from curate.rules import locate

    folder = locate("labels.toml").parent
    return [str(path) for path in sorted(folder.rglob("*.toml"))]


def _price(text: str | None) -> tuple[float, float] | None:
    from curate.errors import CurateError

    if text is None:
        return None
    try:
        price_in, price_out = (float(part) for part in text.split(","))
    except ValueError:
        raise CurateError(f"`--price {text}` is not two numbers", hint="--price 0.20,0.50") from None
    return price_in, price_out


def _confirm(estimate: Any) -> bool:
    """Ask before money is spent; without a terminal there is nobody to ask, so no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm(f"{estimate}\nGo on?", err=True)
