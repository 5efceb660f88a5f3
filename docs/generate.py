"""Write `cli.md` and `schema.md` from the code: `python docs/generate.py`. A test compares them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import typer

from curate import cli
from curate.export.formats import crlft
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
    "`messages[].role` is system, user, assistant or tool. Tool calls are in no shard: a message that holds nothing",
    "but one is empty and weighs 0 (`tool_call` in the manifest). Texts are raw: special tokens that somebody typed,",
    "such as `<|end_of_turn|>`, become control tokens in a tokenizer that reads them; with `--tokenizer` they stay",
    "text.",
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
    for title, schema in (("Text", crlft.TEXT), ("With `--tokenizer`", crlft.TOKENS)):
        rows = [(f"`{field.name}`", type_name(field.type), "yes" if field.nullable else "") for field in schema]
        lines += [f"## {title}", "", *_table(("column", "type", "null"), rows)]
    lines += ["# Columns that rules may ask about", "", "See [rules.md](rules.md). Any of them may be null.", ""]
    for kind, columns in COLUMNS.items():
        rows = [(f"`{name}`", type_, meaning) for name, (type_, meaning) in columns.items()]
        verdict, _, meaning = VERDICTS[kind]
        lines += [f"## `{kind}`", "", f"A rule says `{verdict}`: {meaning}.", ""]
        lines += _table(("column", "type", "meaning"), rows)
    return "\n".join(lines)


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


PAGES = {"cli.md": cli_page, "schema.md": schema_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), "utf-8")
