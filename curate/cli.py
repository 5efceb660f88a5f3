"""The command line: parse, call, print. Every command is one function of the package."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from curate import __version__, output
from curate.browse_cli import browse
from curate.cli_options import DEFAULT, Engine, Json, Quiet, WorkspaceOption
from curate.correct_cli import correct
from curate.dedup_cli import dedup
from curate.hist_cli import hist
from curate.judges_cli import judges_app
from curate.push_cli import push
from curate.report_cli import report
from curate.rules_cli import rules_app
from curate.score_cli import BaseUrl, MaxCost, Price, Sample, as_price, confirm, score
from curate.show_cli import show
from curate.tools_cli import diff, doctor
from curate.verify_cli import verify

app = typer.Typer(
    name="curate",
    no_args_is_help=True,
    rich_markup_mode="rich" if sys.stdout and sys.stdout.isatty() and not os.environ.get("NO_COLOR") else None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(rules_app, name="rules")
app.add_typer(judges_app, name="judges")

Paths = Annotated[
    list[str], typer.Argument(metavar="FILE", help="Files, globs, folders, or - for stdin; also .gz, .zst and .zip.")
]
Limit = Annotated[int | None, typer.Option("-n", "--limit", min=1, help="Read no more than this many records.")]
Beta = Annotated[float | None, typer.Option(help="Temperature of judge and mixed weights; 1/ln 10 spans 10:1.")]
Tokenizer = Annotated[str | None, typer.Option(help="Folder with tokenizer.json or tokenizer.model: write token ids.")]
Labels = Annotated[str | None, typer.Option(help="Side file of known classes; it goes before the rules.")]
SourceClass = Annotated[list[str] | None, typer.Option(metavar="NAME=CLASS", help="Class of a source; repeatable.")]
Assume = Annotated[str | None, typer.Option(help="Class of responses that no rule knows, on your own word.")]
Weighting = Annotated[str, typer.Option(help="auto, coarse, judge, mixed or local.")]
Format = Annotated[
    str, typer.Option("--format", help="crlft, openchat, openchat-jsonl, trl, axolotl …: docs/targets.md.")
]


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
    labels: Labels = None,
    source_class: SourceClass = None,
    assume: Assume = None,
    format: Annotated[str | None, typer.Option("--format", help="Export format.")] = None,
    tokenizer: Tokenizer = None,
    engine: Engine = "local",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run the whole flow: ingest, clean, label, dedup, score, export; histograms and the funnel at the end."""
    import curate

    chosen: dict[str, dict[str, Any]] = {
        "label": {"assume": assume, "labels": labels, "sources": _source_classes(source_class) or None},
        "score": dict(judge=judge, base_url=base_url, limit=limit, max_cost=max_cost, price=as_price(price)),
        "export": {"format": format, "tokenizer": tokenizer},
    }
    options = {stage: {k: v for k, v in values.items() if v is not None} for stage, values in chosen.items()}
    result = curate.run(
        paths, workspace, out, recipe=recipe, options=options, confirm=confirm, engine=engine, quiet=quiet
    )
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
    columns: Annotated[
        str | None, typer.Option(help="Which column holds what: user=QUESTION,assistant=ANSWER,model=ENGINE …")
    ] = None,
    prompts: Annotated[
        list[str] | None, typer.Option(help="File with the prompts of answers that come without; repeatable.")
    ] = None,
    branches: Annotated[str, typer.Option(help="The `current` (of trees the best) branch, or `all`.")] = "current",
    fragments: Annotated[str, typer.Option(help="`join` conversations that come in pieces, or `keep` them.")] = "join",
    limit: Limit = None,
    engine: Engine = "local",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Read dumps into the workspace; records that cannot be used are set aside with their reason."""
    import curate

    result = curate.ingest(
        paths,
        workspace,
        source=source,
        format=format,
        columns=_pairs("--columns", columns),
        prompts=prompts or (),
        branches=branches,
        fragments=fragments,
        limit=limit,
        engine=engine,
        quiet=quiet,
    )
    counts: dict[str, Any] = {"records": result.records, "conversations": result.conversations}
    counts |= {"more than one in a record": result.split} if result.split else {}
    counts |= {"joined": result.joined, "fragments": result.fragments} if result.joined or result.fragments else {}
    counts |= {"rejected": result.rejects} | ({"edited": result.edits} if result.edits else {})
    output.facts(result, json, counts)


@app.command()
def clean(
    workspace: WorkspaceOption = DEFAULT,
    rules: Annotated[str, typer.Option(help="Rule file.")] = "clean.toml",
    redact: Annotated[
        bool | None, typer.Option("--redact/--no-redact", help="Replace personal data and secrets from here on.")
    ] = None,
    engine: Engine = "local",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Flag conversations and messages with what is wrong with them; nothing is deleted."""
    import curate

    result = curate.clean(workspace, rules_file=rules, redact=redact, engine=engine, quiet=quiet)
    counts = {"conversations": result.conversations, "flagged": result.flagged, "by rule": result.rules}
    counts |= {} if result.redacted is None else {"redacted": result.redacted}
    output.facts(result, json, counts)


@app.command()
def label(
    workspace: WorkspaceOption = DEFAULT,
    rules: Annotated[str, typer.Option(help="Rule file.")] = "labels.toml",
    impossible: Annotated[str, typer.Option(help="Rule file of classes that cannot be.")] = "impossible.toml",
    claims: Annotated[str, typer.Option(help="Rule file of what responses say of themselves.")] = "claims.toml",
    labels: Labels = None,
    source_class: SourceClass = None,
    assume: Assume = None,
    weights: Annotated[str, typer.Option(help="File of the class weights that the export will use.")] = "weights.toml",
    tasks: Annotated[str, typer.Option(help="Rule file of the tasks.")] = "tasks.toml",
    semantic: Annotated[bool, typer.Option("--semantic", help="Let a classifier tell the other tasks.")] = False,
    embedder: Annotated[str | None, typer.Option(help="Its model: a folder, or a name on the hub.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Examples of every class, rule and conflict.")] = False,
    engine: Engine = "local",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Give every response its class by what its record says about the source; unknown stays unknown."""
    import curate

    result = curate.label(
        workspace,
        rules_file=rules,
        impossible=impossible,
        claims=claims,
        labels=labels,
        sources=_source_classes(source_class),
        assume=assume,
        weights=weights,
        tasks_file=tasks,
        semantic=semantic,
        embedder=embedder,
        explain=explain,
        engine=engine,
        quiet=quiet,
    )
    output.labels(result, json)


app.command()(dedup)


@app.command()
def decontaminate(
    lists: Annotated[
        list[str],
        typer.Argument(metavar="LIST", help="Benchmark items: files, globs or folders; [NAME=]FILE[:COLUMN]."),
    ],
    workspace: WorkspaceOption = DEFAULT,
    column: Annotated[str | None, typer.Option(help="Their column of the text; else a well-known one.")] = None,
    overlap: Annotated[float, typer.Option(help="Share of an item's 8-grams that makes a hit.")] = 0.5,
    common: Annotated[float, typer.Option(help="Share of the conversations above which an 8-gram is common.")] = 0.01,
    show: Annotated[int, typer.Option("-n", "--show", min=0, help="Hits of each list to show, with the passage.")] = 0,
    engine: Engine = "local",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find the conversations that hold items of benchmarks; `export` leaves them out."""
    import curate

    result = curate.decontaminate(
        workspace, lists, column=column, overlap=overlap, common=common, show=show, engine=engine, quiet=quiet
    )
    output.contamination(result, json)


app.command()(score)


app.command()(hist)


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
    contaminated: Annotated[str, typer.Option(help="Conversations with benchmark items: drop, mask or keep.")] = "drop",
    clean_rules: Annotated[str, typer.Option("--clean", help="Rule file that `curate clean` used.")] = "clean.toml",
    keep_flagged: Annotated[list[str] | None, typer.Option(help="Cleaning rule whose conversations stay.")] = None,
    drop_flagged: Annotated[list[str] | None, typer.Option(help="Cleaning rule whose conversations go.")] = None,
    mask_flagged: Annotated[list[str] | None, typer.Option(help="Cleaning rule whose responses weigh 0.")] = None,
    tokenizer: Tokenizer = None,
    template: Annotated[
        str, typer.Option(help="OpenChat model type; or a chat template: `hf`, a file or a folder.")
    ] = "openchat_v3.2_mistral",
    max_length: Annotated[int | None, typer.Option(min=1, help="Token ids per row; else the template's.")] = None,
    truncate: Annotated[
        str, typer.Option(help="Longer ones: end at a `turn`, `split` into rows, or `openchat`: cut anywhere.")
    ] = "turn",
    context: Annotated[int, typer.Option(min=0, help="Exchanges that rows of a split repeat, at weight 0.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Files of different order, where the format has one each.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the shuffle.")] = 0,
    name: Annotated[str, typer.Option(help="Split and file prefix.")] = "train",
    licence: Annotated[
        list[str] | None, typer.Option(metavar="SOURCE=ID", help="Licence of a source, for the card; repeatable.")
    ] = None,
    emulate_weights: Annotated[
        str | None, typer.Option(help="Where the target carries no fractional weight: resample, or drop.")
    ] = None,
    conditions: Annotated[str, typer.Option(help="Rule file of the conditions.")] = "conditions.toml",
    weights: Annotated[str, typer.Option(help="File of the class weights.")] = "weights.toml",
    solve: Annotated[str | None, typer.Option(help="Solve beta: ratio=10, share:gpt-4=0.6 or ess=0.5.")] = None,
    floor: Annotated[float | None, typer.Option(help="Least weight above zero.")] = None,
    ceiling: Annotated[float | None, typer.Option(help="Greatest weight.")] = None,
    per: Annotated[str, typer.Option(help="A weight is for each `token`, or for the whole `response`.")] = "token",
    rounding: Annotated[str, typer.Option(help="`none`, or `bf16`: weights that bfloat16 holds exactly.")] = "none",
    only: Annotated[list[str] | None, typer.Option(help="Train on this class only; repeatable.")] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(help="Target of the loss: task:maths=0.3; also source:, language:, class:; repeatable."),
    ] = None,
    mixture: Annotated[str, typer.Option(help="Targets by `weight`, or by `sample`, seeded.")] = "weight",
    cap: Annotated[
        list[str] | None, typer.Option(help="Most conversations per source: 5000 or SOURCE=5000; repeatable.")
    ] = None,
    validation: Annotated[float, typer.Option(help="Share to hold out, no family on both sides.")] = 0.0,
    pack: Annotated[bool, typer.Option("--pack", help="Fill rows up with whole rows; each stays apart.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Weights, loss and losses; write nothing.")] = False,
    engine: Engine = "local",
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
        contaminated=contaminated,
        keep_flagged=keep_flagged or (),
        drop_flagged=drop_flagged or (),
        mask_flagged=mask_flagged or (),
        tokenizer=tokenizer,
        template=template,
        max_length=max_length,
        truncate=truncate,
        context=context,
        epochs=epochs,
        seed=seed,
        name=name,
        licences=_licences(licence),
        emulate_weights=emulate_weights,
        conditions=conditions,
        weights=weights,
        clean=clean_rules,
        solve=solve,
        floor=floor,
        ceiling=ceiling,
        per=per,
        rounding=rounding,
        only=only or (),
        shares=share or (),
        mixture=mixture,
        caps=cap or (),
        validation=validation,
        pack=pack,
        dry_run=dry_run,
        engine=engine,
        quiet=quiet,
    )
    if json:
        output.json(result)
    else:
        output.export(result)


app.command()(verify)
app.command()(push)


app.command()(report)


app.command()(show)
app.command()(correct)
app.command()(browse)
app.command()(diff)
app.command()(doctor)


def _pairs(option: str, text: str | None) -> dict[str, str] | None:
    from curate.errors import CurateError

    if text is None:
        return None
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(name.strip() and value.strip() for name, _, value in pairs):
        what = f"`{option} {text}` is not NAME=VALUE,NAME=VALUE"
        raise CurateError(what, hint=f"{option} user=prompt,assistant=answer")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _source_classes(options: list[str] | None) -> dict[str, str]:
    from curate.errors import CurateError

    pairs = [option.rpartition("=") for option in options or ()]
    for number, (name, _, class_) in enumerate(pairs):
        if not (name and class_):
            raise CurateError(f"`--source-class {name}{class_}` is not NAME=CLASS", hint="--source-class my_dump=gpt-4")
        if name in {other for other, _, _ in pairs[:number]}:
            raise CurateError(f"`--source-class` gives `{name}` a class twice", hint="keep the right one")
    return {name: class_ for name, _, class_ in pairs}


def _licences(options: list[str] | None) -> dict[str, str]:
    from curate.errors import CurateError

    pairs = [option.rpartition("=") for option in options or ()]
    if wrong := next((source + licence for source, _, licence in pairs if not (source and licence)), None):
        raise CurateError(f"`--licence {wrong}` is not SOURCE=ID", hint="--licence my_dump=cc-by-4.0")
    return {source: licence for source, _, licence in pairs}
