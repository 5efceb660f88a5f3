"""One set of shards of one layout: its schemas, then its rows, batch by batch."""

from __future__ import annotations

import json
from hashlib import blake2b, file_digest
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.verify import openchat, text, tokens
from curate.verify.context import Context, Limits

if TYPE_CHECKING:
    from pathlib import Path

    from curate.verify.files import Shards
    from curate.verify.findings import Findings

LAYOUTS: dict[str, ModuleType] = {"openchat": openchat, "tokens": tokens, "text": text}
# Rows that are looked at together.
BATCH = 1000
DAMAGE = (pa.ArrowException, OSError, ValueError, OverflowError)


def layout(schema: pa.Schema) -> str | None:
    """The layout by its columns: openchat, tokens or text; None = none of them."""
    names = set(schema.names)
    if names & {name for name in openchat.REQUIRED if name.startswith("nz_")}:
        return "openchat"
    return "tokens" if "input_ids" in names else "text" if "messages" in names else None


def schema_of(path: Path) -> pa.Schema:
    """The schema of a file; raises one of `DAMAGE`."""
    return pq.read_schema(path)


def examine(shards: Shards, name: str, schemas: dict[Path, pa.Schema], findings: Findings, limits: Limits) -> Context:
    """Look at every file of a set.

    Args:
        shards: Names files.
        name: The layout.
        schemas: The files, in order, with their schemas.
        findings: Where to note.
        limits: What was said on the command line.
    """
    module = LAYOUTS[name]
    drifted = _compare(shards, schemas, findings)
    context = Context(findings, _limits(shards, name, schemas, findings, limits))
    for path, schema in schemas.items():
        file = shards.name(path)
        if missing := sorted(module.REQUIRED - set(schema.names)):
            what = ", ".join(f"`{column}`" for column in missing)
            if path not in drifted or path == next(iter(schemas)):
                findings.add("missing_column", file, detail=what)
            continue
        if wrong := module.types(schema):
            for column, wanted in wrong.items():
                findings.add("wrong_type", file, detail=f"`{column}` is {schema.field(column).type}, not {wanted}")
            continue
        if name == "text" and (reserved := sorted(text.RESERVED & set(schema.names))):
            findings.add("reserved_column", file, detail=", ".join(f"`{column}`" for column in reserved))
        _rows(context, module, path, file)
    context.first.report(findings)
    context.last.report(findings)
    _whole(context, name, schemas)
    return context


def _rows(context: Context, module: Any, path: Path, file: str) -> None:
    begin = 0
    try:
        # Neither pre-buffered nor in threads: memory holds a few pages of each column.
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20) as parquet:
            for batch in parquet.iter_batches(BATCH, use_threads=False):
                module.check(context, file, begin, batch)
                _ids(context, batch)
                begin += batch.num_rows
    except DAMAGE as error:
        context.findings.add("unreadable", file, row=begin, detail=str(error).split("\n")[0])
        return
    finally:
        context.rows += begin
    if not begin:
        context.findings.add("empty_shard", file, detail="0 rows")


def _ids(context: Context, batch: pa.RecordBatch) -> None:
    """Eight bytes a row."""
    if name := next((name for name in ("id", "ids") if name in batch.schema.names), None):
        column = pl.from_arrow(batch.column(batch.schema.names.index(name)))
        assert isinstance(column, pl.Series)
        if isinstance(column.dtype, pl.List):
            column = column.explode(empty_as_null=False, keep_nulls=False)
        context.ids.append(column.hash(0).to_numpy())


def _whole(context: Context, name: str, schemas: dict[Path, pa.Schema]) -> None:
    """What only all rows together say."""
    findings = context.findings
    if context.ids:
        hashes = np.concatenate(context.ids)
        if twice := len(hashes) - len(np.unique(hashes)):
            findings.add("duplicate_id", count=twice, detail="rows share their `id` with another one")
        context.ids.clear()
    if not context.rows:
        findings.add("no_rows", detail="no row could be read")
        return
    if not context.trained_rows:
        findings.add("all_zero", detail="no row has anything to learn")
    names = set().union(*(schema.names for schema in schemas.values()))
    if name == "tokens" and "loss_weights" not in names:
        findings.add("unweighted", detail="there is no column `loss_weights`")
    if name == "text" and not any(_weighted(schema) for schema in schemas.values()):
        findings.add("unweighted", detail="messages have no field `weight`")
    if name != "openchat" and not context.conditioned:
        findings.add("unconditioned", detail="`condition` is empty" if context.has_condition else "no `condition`")


def _weighted(schema: pa.Schema) -> bool:
    type_ = schema.field("messages").type if "messages" in schema.names else None
    return type_ is not None and "weight" in str(type_)


def _limits(shards: Shards, name: str, schemas: dict[Path, pa.Schema], findings: Findings, limits: Limits) -> Limits:
    """What the files say of their own length, where nobody else said it."""
    stated: int | None = None
    if name == "openchat":
        contexts = [openchat.metadata(findings, shards.name(path), schema) for path, schema in schemas.items()]
        stated = min((context for context in contexts if context), default=None)
    facts = [json_of(schema.metadata, b"curate") for schema in schemas.values()]
    own = [fact["max_length"] for fact in facts if isinstance(fact.get("max_length"), int)]
    stated = min([*own, *([stated] if stated else [])], default=None)
    sizes = [fact["vocabulary_size"] for fact in facts if isinstance(fact.get("vocabulary_size"), int)]
    vocabulary = limits.vocabulary or min(sizes, default=None)
    if len({json.dumps(fact, sort_keys=True) for fact in facts}) > 1:
        findings.add("mixed_exports", detail="the shards were made with different options")
    return Limits(limits.max_length or stated, vocabulary, limits.bos, limits.eot)


def json_of(metadata: dict[bytes, bytes] | None, key: bytes) -> dict[str, Any]:
    """A JSON object of a schema's metadata; empty when there is none."""
    try:
        value = json.loads((metadata or {}).get(key, b"{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _compare(shards: Shards, schemas: dict[Path, pa.Schema], findings: Findings) -> set[Path]:
    """Note shards that cannot be, or are not, of one schema with the first."""
    first_path, first = next(iter(schemas.items()))
    drifted = set()
    for path, schema in schemas.items():
        file = shards.name(path)
        for field in schema:
            if pa.types.is_null(field.type):
                findings.add("null_column", file, detail=f"`{field.name}`")
            if pa.types.is_map(field.type) or pa.types.is_union(field.type):
                findings.add("wrong_type", file, detail=f"`{field.name}` is {field.type}, which `datasets` cannot read")
        if differ := sorted(_paths(first) ^ _paths(schema)):
            drifted.add(path)
            where = f"{', '.join(f'`{name}`' for name in differ[:5])} not in both it and `{shards.name(first_path)}`"
            findings.add("schema_drift", file, detail=where)
        elif changed := [name for name in first.names if first.field(name).type != schema.field(name).type]:
            what = f"`{changed[0]}` is {schema.field(changed[0]).type}, not {first.field(changed[0]).type}"
            findings.add("type_drift", file, count=len(changed), detail=what)
    return drifted


def _paths(schema: pa.Schema) -> set[str]:
    """Names of columns and of the fields in them."""
    found = set()

    def walk(name: str, type_: pa.DataType) -> None:
        found.add(name)
        if pa.types.is_struct(type_):
            for number in range(type_.num_fields):
                walk(f"{name}.{type_.field(number).name}", type_.field(number).type)
        elif pa.types.is_list(type_) or pa.types.is_large_list(type_):
            walk(f"{name}[]", type_.value_type)

    for field in schema:
        walk(field.name, field.type)
    return found


def digest(paths: list[Path]) -> bytes | None:
    """Of the ids in their order; None where they cannot be read."""
    total = blake2b(digest_size=16)
    try:
        for path in paths:
            if path.suffix == ".jsonl":
                with path.open("rb") as file:
                    total.update(file_digest(file, "sha256").digest())
                continue
            with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as parquet:
                for batch in parquet.iter_batches(BATCH, columns=["total_length", "nz_input_ids"], use_threads=False):
                    total.update(batch.column(0).to_numpy(zero_copy_only=False).astype(np.int64).tobytes())
                    ids = batch.column(1).flatten().to_numpy(zero_copy_only=False)
                    total.update(ids.astype(np.int64).tobytes())
    except DAMAGE:
        return None
    return total.digest()
