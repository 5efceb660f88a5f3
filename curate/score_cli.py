"""`curate score`: its many options, by what they are about."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from curate import output
from curate.cli_options import DEFAULT, Engine, Json, Quiet, WorkspaceOption

Judge = Annotated[
    str,
    typer.Option(
        envvar="CURATE_JUDGE",
        help="`local` (finds defects, needs nothing), the name of a model, or the folder of a reward model.",
    ),
]
BaseUrl = Annotated[str | None, typer.Option(envvar="OPENAI_BASE_URL", help="Address of an OpenAI-compatible server.")]
Sample = Annotated[int | None, typer.Option("-n", "--limit", min=1, help="Judge a random sample of so many responses.")]
MaxCost = Annotated[float | None, typer.Option(help="Dollars after which no more judgements are bought.")]
Price = Annotated[str | None, typer.Option(help="Dollars per million tokens, IN,OUT; else by genai-prices.")]

WHICH, HOW, MONEY = "Which responses", "How they are judged", "Money and time"


def score(
    workspace: WorkspaceOption = DEFAULT,
    judge: Judge = "local",
    base_url: BaseUrl = None,
    limit: Annotated[
        int | None, typer.Option("-n", "--limit", min=1, help="A random sample of so many.", rich_help_panel=WHICH)
    ] = None,
    sample: Annotated[
        str | None, typer.Option(help="A random sample of this share: 2% or 0.02.", rich_help_panel=WHICH)
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="Those with … (SQL over the columns of `scan`).", rich_help_panel=WHICH)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sample.", rich_help_panel=WHICH)] = 0,
    retry: Annotated[
        bool,
        typer.Option("--retry", help="Ask again for what was set aside or unreadable.", rich_help_panel=WHICH),
    ] = False,
    rubric: Annotated[
        str, typer.Option(help="`auto` (by task), or a rubric by path or name.", rich_help_panel=HOW)
    ] = "auto",
    backend: Annotated[
        str | None,
        typer.Option(help="chat, decisions, batch (half the price) or reward-model.", rich_help_panel=HOW),
    ] = None,
    panel: Annotated[
        list[str] | None, typer.Option(help="Further judge on the same server; repeatable.", rich_help_panel=HOW)
    ] = None,
    escalate: Annotated[
        str | None, typer.Option(help="Stronger judge for the doubtful.", rich_help_panel=HOW)
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Answers per response.", rich_help_panel=HOW)] = 1,
    settle: Annotated[
        float | None,
        typer.Option(help="Repeat only until the mean reward is known to this.", rich_help_panel=HOW),
    ] = None,
    references: Annotated[
        str | None, typer.Option(help="Model that writes reference answers (maths, code).", rich_help_panel=HOW)
    ] = None,
    effort: Annotated[
        str | None, typer.Option(help="Reasoning effort: minimal, low, medium, high.", rich_help_panel=HOW)
    ] = None,
    context: Annotated[
        int, typer.Option(min=2_048, help="Tokens of context that a call may take.", rich_help_panel=HOW)
    ] = 16_384,
    max_cost: Annotated[
        float | None, typer.Option(help="Dollars after which nothing more is bought.", rich_help_panel=MONEY)
    ] = None,
    price: Annotated[
        str | None,
        typer.Option(help="Dollars per million tokens, IN,OUT; else by genai-prices.", rich_help_panel=MONEY),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Most requests in flight.", rich_help_panel=MONEY)] = 8,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Calls, tokens, money, time; send nothing.", rich_help_panel=MONEY),
    ] = False,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            "--reparse",
            help="Send nothing: read the stored replies again with today's parser and weights.",
            rich_help_panel=MONEY,
        ),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for a batch to end.", rich_help_panel=MONEY)
    ] = False,
    engine: Engine = "local",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Score every response with a judge; answers are kept and never bought twice."""
    import curate

    result = curate.score(
        workspace,
        judge=judge,
        backend=backend,
        base_url=base_url,
        rubric=rubric,
        panel=panel or (),
        escalate=escalate,
        repeats=repeats,
        settle=settle,
        references=references,
        effort=effort,
        context=context,
        limit=limit,
        sample=_share(sample),
        where=where,
        seed=seed,
        concurrency=concurrency,
        max_cost=max_cost,
        price=as_price(price),
        dry_run=dry_run,
        offline=offline,
        retry=retry,
        wait=wait,
        confirm=confirm,
        engine=engine,
        quiet=quiet,
    )
    facts: dict[str, Any] = {"judge": result.judge, "rubric": result.rubric}
    if dry_run and result.estimate:
        facts |= {"estimate": str(result.estimate)}
        facts |= {"by rubric": result.estimate.rubrics} if result.estimate.rubrics else {}
    else:
        facts |= {"responses": result.statuses}
    facts |= {"defects": result.defects} if result.defects else {}
    if result.calls or result.cached:
        facts |= {"calls": result.calls, "from the store": result.cached}
    facts |= {"cost": f"${result.cost:,.4f}"} if result.cost else {}
    output.facts(result, json, facts)


def as_price(text: str | None) -> tuple[float, float] | None:
    """`IN,OUT` as two numbers.

    Raises:
        CurateError: It is something else.
    """
    from curate.errors import CurateError

    if text is None:
        return None
    try:
        price_in, price_out = (float(part) for part in text.split(","))
    except ValueError:
        raise CurateError(f"`--price {text}` is not two numbers", hint="--price 0.20,0.50") from None
    return price_in, price_out


def confirm(estimate: Any) -> bool:
    """Ask before money is spent; without a terminal there is nobody to ask, so no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm(f"{estimate}\nGo on?", err=True)


def _share(text: str | None) -> float | None:
    from curate.errors import CurateError

    if text is None:
        return None
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise CurateError(f"`--sample {text}` is not a share", hint="--sample 2%") from None
