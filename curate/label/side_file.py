"""The side file: classes that the user knows from elsewhere, by conversation or response.

    source_id,turn,model
    QWJhYvA_0,,gpt-4-0314
    QWJhYvA_0,3,gpt-3.5-turbo

A conversation is named by `source_id` (or `id`), by `key`, by `content_hash`, or by `source_file` and `source_row`; of
several such columns, `source` too, all must agree. `turn` narrows it to one response. `class` is the class itself, or
`unknown`; `model` goes through the label rules, and decides nothing where no rule knows it. The order of the rows means
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.errors import InputError
from curate.label.side_records import records as read_records
from curate.rules import schema

if TYPE_CHECKING:
    from curate.rules import RuleSet
    from curate.workspace import Workspace

# The columns that name a conversation, and their types.
NAMES: dict[str, type[pl.DataType]] = {
    "source_id": pl.String,
    "key": pl.UInt64,
    "content_hash": pl.String,
    "source_file": pl.String,
    "source_row": pl.Int64,
    "source": pl.String,
}
OTHERS = ("turn", "class", "model")
CLOSE = 0.8  # of a column's name to one of ours, for a slip
# What it says of a response.
VALUES = ["side_class", "side_evidence", "side_decides"]
MOST = {"key": 2**63, "source_row": 2**63, "turn": 2**31}
MOST_MISTAKES = 5


@dataclass(frozen=True)
class SideFile:
    """A checked side file.

    Attributes:
        path: Where it lies.
        names: The columns that name a conversation.
        rows: `line` (1-based), the columns of `names`, `turn` (null = every response), `side_class` (null =
            unknown), `side_evidence` and `side_decides` (false where no rule knows the model); one row per
            conversation and turn.
        ignored: Columns that mean nothing.
    """

    path: Path
    names: tuple[str, ...]
    rows: pl.DataFrame
    ignored: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Changes when a label may change; not with the order of the rows."""
        columns = [*self.names, "turn", *VALUES]
        text = self.rows.select(columns).sort(columns).write_csv(quote_style="non_numeric")
        return blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def classes(self) -> dict[str, int]:
        """The classes that it gives, each with its first line."""
        first = self.rows.drop_nulls("side_class").group_by("side_class").agg(pl.col("line").min())
        return dict(first.sort("line").iter_rows())

    @property
    def undecided(self) -> pl.DataFrame:
        """The rows that decide nothing: no rule knows their model."""
        return self.rows.filter(~pl.col("side_decides"))

    def place(self, row: dict[str, Any]) -> str:
        """Where a row of `rows` stands in the file, and whom it names."""
        return f"line {row['line']}, " + ", ".join(f"{name} = {row[name]}" for name in self.names)

    def join(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with `VALUES`; a row for the turn wins over one for the conversation, even when it decides nothing."""
        values = VALUES
        whole = self.rows.filter(pl.col("turn").is_null()).select(*self.names, *values)
        turns = self.rows.filter(pl.col("turn").is_not_null()).select(*self.names, "turn", *values)
        joined = rows.join(whole, on=self.names, how="left", maintain_order="left").join(
            turns, on=[*self.names, "turn"], how="left", maintain_order="left", suffix="_turn"
        )
        own = pl.col("side_evidence_turn").is_not_null()
        return joined.with_columns(
            pl.when(own).then(f"{value}_turn").otherwise(value).alias(value) for value in values
        ).drop(f"{value}_turn" for value in values)

    def unmatched(self, workspace: Workspace) -> pl.DataFrame:
        """The rows that speak of no response of a labelled workspace."""
        there = (
            workspace.scan("labels")
            .select("key", "turn")
            .join(workspace.scan("conversations").select({*self.names, "key"}), on="key", how="left")
            .select({*self.names, "turn"})
            .unique()
            .collect()
        )
        whole = self.rows.filter(pl.col("turn").is_null()).join(there, on=self.names, how="anti")
        turns = self.rows.filter(pl.col("turn").is_not_null()).join(there, on=[*self.names, "turn"], how="anti")
        return pl.concat([whole, turns]).sort("line")


def read(path: str | Path, rule_set: RuleSet) -> SideFile:
    """A side file, checked.

    Args:
        path: A file that ends in `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.parquet`, or in one of them and `.gz`.
        rule_set: Label rules, which turn a `model` into a class.

    Raises:
        InputError: It cannot be read, names no conversation or class, or gives one response two classes.
    """
    path = Path(path)
    records = [(line, _renamed(path, line, record)) for line, record in read_records(path)]
    if not records:
        raise InputError("the side file has no rows", where=path)
    columns = set().union(*(record.keys() for _, record in records))
    ignored = _ignored(path, columns)
    names = _names(path, columns)
    mistakes: list[str] = []
    rows = [row for line, record in records if (row := _row(line, record, names, mistakes))]
    if mistakes:
        more = [f"  … and {len(mistakes) - MOST_MISTAKES:,} more"] if len(mistakes) > MOST_MISTAKES else []
        raise InputError("the side file has mistakes:\n" + "\n".join(mistakes[:MOST_MISTAKES] + more), where=path)
    types: dict[str, Any] = {"line": pl.Int64, **{name: NAMES[name] for name in names}, "turn": pl.Int32}
    frame = pl.DataFrame(rows, schema={**types, "class": pl.String, "model": pl.String})
    frame = _classified(frame, path.name, rule_set)
    _refuse_contradictions(path, frame, names)
    by = [*names, "turn"]
    rows_once = frame.sort(*by, "side_evidence", "line").unique(by, keep="first").sort("line")
    return SideFile(path, names, rows_once, ignored)


def _renamed(path: Path, line: int, record: dict[str, Any]) -> dict[str, Any]:
    if {"id", "source_id"} <= record.keys():
        raise InputError(f"line {line}: `id` and `source_id` are one column, and it is there twice", where=path)
    return {("source_id" if name == "id" else name): value for name, value in record.items()}


def _ignored(path: Path, columns: set[str]) -> tuple[str, ...]:
    """The columns that say nothing to us.

    Raises:
        InputError: One of them looks like a slip: without `turn`, every response would get the class.
    """
    ignored = sorted(columns - {*NAMES, *OTHERS})
    for name in ignored:
        near = get_close_matches(name.casefold(), [*NAMES, *OTHERS, "id"], n=1, cutoff=CLOSE)
        if near:
            what = f"the side file has a column `{name}`, which means nothing"
            raise InputError(what, where=path, hint=f"did you mean `{near[0]}`? If not, call it something else")
    return tuple(ignored)


def _names(path: Path, columns: set[str]) -> tuple[str, ...]:
    """The columns that name a conversation.

    Raises:
        InputError: There are none, or none that gives a class.
    """
    names = tuple(name for name in NAMES if name in columns)
    if not ({"source_id", "key", "content_hash"} & set(names) or {"source_file", "source_row"} <= set(names)):
        raise InputError(
            "the side file does not say which conversation a row is about",
            where=path,
            hint="a column `source_id`, `key` or `content_hash`, or `source_file` and `source_row`; "
            "for a whole source or file use --source-class NAME=CLASS",
        )
    if not columns & {"class", "model"}:
        raise InputError("the side file gives no class", where=path, hint="a column `class` or `model`")
    return names


def _row(line: int, record: dict[str, Any], names: tuple[str, ...], mistakes: list[str]) -> dict[str, Any] | None:
    """One row, typed; None, and a line in `mistakes`, when it cannot be."""
    row: dict[str, Any] = {"line": line}
    for name in (*names, "turn", "class", "model"):
        value = record.get(name)
        text = _text(value)
        numeric = name == "turn" or NAMES.get(name, pl.String) != pl.String
        if text is None:
            mistakes.append(f"  - line {line}: `{name}` is {value!r}")
            return None
        if numeric and text and not (text.isascii() and text.isdecimal() and int(text) < MOST[name]):
            mistakes.append(f"  - line {line}: `{name}` is {text!r}, not a number")
            return None
        row[name] = int(text) if numeric and text else text or None
    empty = [name for name in names if row[name] is None]
    if empty:
        mistakes.append(f"  - line {line}: `{empty[0]}` is empty")
    elif not (row["class"] or row["model"]):
        mistakes.append(f"  - line {line}: neither `class` nor `model` says anything")
    else:
        return row
    return None


def _text(value: object) -> str | None:
    """A cell as text, empty for nothing; None when it is no text and no whole number.

    A column of whole numbers with gaps often comes as floats, with NaN for the gaps.
    """
    if value is None or (isinstance(value, float) and isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else None


def _classified(frame: pl.DataFrame, name: str, rule_set: RuleSet) -> pl.DataFrame:
    """With `side_class` and `side_evidence`: the class as given, else that of the model by the rules."""
    from curate.label.decide import verdict

    nothing = [pl.lit(None, type_).alias(column) for column, type_ in schema("labels").items() if column != "model"]
    of_model = frame.select("model", *nothing).select(verdict(rule_set)[0].alias("class"))["class"]
    given = pl.col("class").is_not_null()
    return frame.with_columns(
        side_class=pl.when(given).then(pl.when(pl.col("class") != "unknown").then("class")).otherwise(of_model),
        side_evidence=pl.when(given)
        .then(pl.format("{}: class = {}", pl.lit(name), "class"))
        .otherwise(pl.format("{}: model = {}", pl.lit(name), "model")),
        side_decides=given | pl.Series(of_model).is_not_null(),
    ).drop("class", "model")


def _refuse_contradictions(path: Path, frame: pl.DataFrame, names: tuple[str, ...]) -> None:
    by = [*names, "turn"]
    first = frame.group_by(by, maintain_order=True).agg(pl.col("line").first(), pl.col("side_class").first())
    twice = frame.join(first, on=by, how="left", nulls_equal=True, maintain_order="left", suffix="_first").filter(
        pl.col("side_class").ne_missing(pl.col("side_class_first"))
    )
    if twice.height:
        row = twice.row(0, named=True)
        classes = [row[name] or "unknown" for name in ("side_class_first", "side_class")]
        whom = ", ".join(f"{name} = {row[name]}" for name in by if row[name] is not None)
        raise InputError(
            f"the lines {row['line_first']} and {row['line']} give one response two classes: "
            f"`{classes[0]}` and `{classes[1]}` ({whom})",
            where=path,
            hint="keep the right one" + (f"; {twice.height - 1:,} more lines do so" if twice.height > 1 else ""),
        )
