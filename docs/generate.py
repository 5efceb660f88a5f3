"""Write `cli.md`, `formats.md` and `schema.md` from the code: `python docs/generate.py`. A test compares them."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import typer

from curate import cli
from curate.export.formats import crlft
from curate.ingest import formats
from curate.rules import COLUMNS, VERDICTS
from curate.schema import SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
WIDTH = 100
WEIGHTS = (
    "`messages[].weight` is what the tokens of that message weigh in the loss, 0 for all but trained responses;",
    "`weight` is its mean over the trained responses, `reward` the mean of their rewards. `loss_weights` are not",
    "shifted: position *i* weighs the prediction of token *i*, 0 where its label is -100. `meta` is JSON.",
    "",
    "`messages[].role` is system, user, assistant or tool. Tool calls are in no shard: a message with one weighs",
    "0 (`tool_call` in the manifest). Texts are raw: special tokens that somebody typed,",
    "such as `<|end_of_turn|>`, become control tokens in a tokenizer that reads them; with `--tokenizer` they stay",
    "text.",
)
CONTAINERS = (
    "`curate ingest` tells the format of each record by its keys. `--format NAME` tries no other; `--format",
    "./mine.py` is a format of your own ([extend.md](extend.md)). Records come out of JSON arrays, JSON Lines,",
    "objects one after the other, lists inside an object (`data`, `rows`, `train`, `Sources` …), Parquet, CSV and TSV",
    "(with a header; `,`, `;`, `|` or tab) and share pages; text may be packed with gzip or zstd, and all of it may",
    "lie in a .zip. Of folders, globs and archives, data files that hold nothing for us are left out and named; a",
    "file that you name yourself must be readable. A file of the same name and content as one that the workspace has",
    "counts as known, wherever it lies.",
    "",
    "Any table is read with `--columns user=QUESTION,assistant=ANSWER` (also `system`, `model`, `id`, `created_at`,",
    "`language`, `task`, `messages`). Prompts that lie in another file (FastChat's `question.jsonl`, the input of an",
    "OpenAI batch) are named beside the answers or with `--prompts`; a `question.jsonl` in the answers' folder or the",
    "one above is found by itself. They are held in memory.",
    "",
    "Conversations that V3's split left in pieces (`X_0`, `X_5`, …) are joined, within one file, where the turns they",
    "share are the same, or where the numbers of a ShareGPT id fit; `--fragments keep` leaves them. Of conversations",
    "that branch, the current branch is read, of ranked trees the best answer; `--branches all` gives every branch",
    "and rank.",
)
NOTE = "Made by `docs/generate.py`; do not edit."


def cli_page() -> str:
    """Every command's own help, as wide as `WIDTH` whatever the terminal."""
    cli.app.rich_markup_mode = None
    lines = ["# Command line", "", NOTE, ""]
    for name, text in _helps(typer.main.get_command(cli.app), "curate", None):
        lines += [f"## `{name}`", "", "```text", text.rstrip(), "```", ""]
    return "\n".join(lines)


def _helps(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    settings = {"terminal_width": WIDTH, "max_content_width": WIDTH, **(command.context_settings or {})}
    context = command.context_class(command, info_name=name, parent=parent, **settings)
    yield context.command_path, command.get_help(context)
    for child in getattr(command, "commands", {}).values():
        yield from _helps(child, child.name, context)


def schema_page() -> str:
    """Tables, exported columns, and the columns that rules may ask about."""
    lines = [
        "# Tables",
        "",
        NOTE,
        "",
        f"Schema version {SCHEMA_VERSION}. A workspace is a folder of Parquet files, `TABLE/part-NNNNN.parquet`; part",
        "*k* of every table speaks of the conversations of part *k*. Null always means “not known”, never zero.",
        '`curate.scan("curated")` joins them into one polars LazyFrame, a row per response.',
        "",
    ]
    for table in TABLES.values():
        lines += [f"## `{table.name}`", "", f"Made by `curate {table.stage}`; rows: {table.rows}.", ""]
        rows = [(f"`{c.name}`", type_name(c.type), "yes" if c.nullable else "", c.doc) for c in table.columns]
        lines += _table(("column", "type", "null", "meaning"), rows)
    lines += ["# Export `crlft`", "", *WEIGHTS, ""]
    for title, schema in (("Text", crlft.TEXT), ("With `--tokenizer`", crlft.TOKENS), ("With `--pack`", crlft.PACKED)):
        rows = [(f"`{field.name}`", type_name(field.type), "yes" if field.nullable else "") for field in schema]
        lines += [f"## {title}", "", *_table(("column", "type", "null"), rows)]
    lines += ["# Columns that rules may ask about", "", "See [rules.md](rules.md). Any of them may be null.", ""]
    for kind, columns in COLUMNS.items():
        rows = [(f"`{name}`", type_, meaning) for name, (type_, meaning) in columns.items()]
        own, _, messages = kind.partition("-")
        verdict, _, meaning = VERDICTS[own]
        who = "A rule whose `unit` is a response or a prompt" if messages else "A rule"
        lines += [f"## `{kind}`", "", f"{who} says `{verdict}`: {meaning}.", ""]
        lines += _table(("column", "type", "meaning"), rows)
    return "\n".join(lines)


def formats_page() -> str:
    """Every input format by its own words."""
    lines = ["# Input formats", "", NOTE, "", *CONTAINERS, ""]
    for name in formats.names():
        summary, _, rest = inspect.getdoc(formats.load(name)).partition("\n")
        lines += [f"## `{name}`", "", summary, "", *_examples(rest.strip("\n"))]
    return "\n".join(lines)


def _examples(text: str) -> list[str]:
    """Paragraphs as they are, indented ones as code."""
    lines: list[str] = []
    for paragraph in filter(None, text.split("\n\n")):
        block = paragraph.strip("\n")
        is_code = all(line.startswith("    ") for line in block.splitlines())
        lines += ["```json", inspect.cleandoc(block), "```", ""] if is_code else [*block.splitlines(), ""]
    return lines


def type_name(type_: pa.DataType) -> str:
    """An Arrow type as one reads it: `list<struct<role: string, name: string?>>`, `?` = may be null."""
    if pa.types.is_list(type_):
        return f"list<{type_name(type_.value_type)}>"
    if pa.types.is_struct(type_):
        fields = [f"{field.name}: {type_name(field.type)}{'?' * field.nullable}" for field in type_]
        return f"struct<{', '.join(fields)}>"
    return str(type_)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    cells = [head, ("---",) * len(head), *rows]
    return [*(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in cells), ""]


PAGES = {"cli.md": cli_page, "formats.md": formats_page, "schema.md": schema_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), "utf-8")
