"""Before anything is written: which files are new, how they are laid out, and whether we can read them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.ingest import companions, formats
from curate.ingest.companions import Prompts
from curate.ingest.conversation import UnusableError
from curate.ingest.inputs import Input
from curate.ingest.sources import STDIN, Source, expand
from curate.ingest.stream import Position, Record, Reject, read, sniff

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = 1 << 20
# Records at the head of a file among which one must look like a known format.
PROBE = 50


@dataclass
class Plan:
    """What an ingest is going to read.

    Attributes:
        inputs: New files with conversations.
        known: Files that the workspace has already.
        prompts: Identity of each file whose answers lie in others, and how many prompts it has.
        skipped: Files of folders, globs and archives that hold nothing for us, and why.
    """

    inputs: list[Input] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    prompts: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def plan(paths: Sequence[str], options: dict[str, Any], known: Sequence[dict[str, Any]]) -> Plan:
    """Look at every file.

    Args:
        paths: As the user gave them.
        options: The arguments of `curate.ingest`.
        known: Files of earlier ingests: `file`, `identity` and the `options` they were read with.

    Raises:
        InputError: See `curate.ingest`.
    """
    if options["format"] is not None:
        formats.load(options["format"])
    earlier = {entry[name]: entry for name in ("file", "identity") for entry in known}
    result = Plan()
    named, given = Prompts(), Prompts()
    for source in expand(options["prompts"]) if options["prompts"] else ():
        found = _look(source, {**options, "format": None, "columns": None})
        if isinstance(found, Input):
            raise InputError("the file holds conversations and no prompts", where=source.file, hint="name it as a FILE")
        named.add(source, found)
    problem: InputError | None = None
    for source in expand(paths):
        if source.file in named.files:
            continue
        entry = earlier.get(source.identity) or earlier.get(source.file)
        if entry is not None and source.file != STDIN:
            _same(source, entry, options)
            result.known.append(source.file)
            continue
        try:
            if source.problem:
                raise InputError(source.problem, where=source.file)
            found = _look(source, options)
        except InputError as error:
            if source.chosen:
                raise
            problem = problem or error
            result.skipped[source.file] = error.what
            continue
        if isinstance(found, Input):
            result.inputs.append(found)
        else:
            given.add(source, found)
    if problem and not (result.inputs or result.known):
        raise problem
    if given.files and not (result.inputs or result.known):
        what = "the file holds prompts whose answers lie in another file"
        raise InputError(what, where=next(iter(given.files)), hint="name the file with the answers as well")
    beside: dict[str, Prompts] = {}
    result.inputs = [_with_prompts(item, named, beside, given) for item in result.inputs]
    for prompts in (named, given, *beside.values()):
        result.prompts |= prompts.files
    return result


def _same(source: Source, entry: dict[str, Any], options: dict[str, Any]) -> None:
    """Refuse a file that is known, but changed or was read in another way."""
    others = [f"--{name} {old}" for name in options if (old := entry["options"].get(name)) != options[name]]
    if entry["identity"] == source.identity and not others:
        return
    how = f"was ingested with {', '.join(others).replace(' None', ' not given')}"
    raise InputError(
        f"the file {how if others else 'has changed since it was ingested'}",
        where=source.file,
        hint="ingest it into a new workspace with -w DIR",
    )


def _with_prompts(item: Input, named: Prompts, beside: dict[str, Prompts], given: Prompts) -> Input:
    """The input with the prompts for its answers: those of `--prompts`, those beside it, those of the other files."""
    if item.format is None or formats.answers(item.format) is None:
        return item
    place = companions.beside(item.source.file) if item.source.file != STDIN else None
    if place and place not in beside:
        beside[place] = Prompts()
        (source,) = expand([place])
        found = _look(source, item.options | {"format": None, "columns": None})
        if not isinstance(found, Input):
            beside[place].add(source, found)
    return replace(item, prompts=(named, *([beside[place]] if place else []), given))


def _look(source: Source, options: dict[str, Any]) -> Input | list[dict[str, Any]]:
    """A file as an input; when it holds prompts for the answers of other files, these records."""
    format = options["format"]
    stream = source.open()
    head = stream.peek(HEAD)
    if source.file != STDIN:
        stream.close()
    if not head and stream.damage:
        raise InputError(f"the file cannot be unpacked: {stream.damage}", where=source.file)
    mode = sniff(head, source.file)
    if mode == "parquet" and source.file == STDIN:
        raise InputError("Parquet cannot be read from a pipe", where=source.file, hint="write it to a file first")
    looked = Input(source, mode, format, options, stream=stream if source.file == STDIN else None)
    start = Position(mode=mode)
    if mode == "parquet" or (mode == "page" and len(head) == HEAD):
        probe = looked.records(start)
    else:
        probe = read(io.BytesIO(head), start, looked.recognises)
    found = list(islice(probe, PROBE))
    records = [item for item in found if isinstance(item, Record)]
    detected = next((name for item in records if (name := formats.detect(item.value))), None)
    if records and not detected and not format:
        if all(companions.keys_of(item.value) for item in records) and source.file != STDIN:
            return [item.value for item in looked.records(start) if isinstance(item, Record)]
        keys = ", ".join(f"`{key:.40}`" for key in list(records[0].value)[:8]) or "none"
        raise InputError(
            "no record of the file has a shape that curate knows",
            where=f"{source.file}, first record, keys: {keys}",
            hint="say which columns hold what: --columns user=COLUMN,assistant=COLUMN (docs/formats.md)",
        )
    if records and format and not formats.answers(format):
        _reads(looked, records)
    rejects = [item for item in found if isinstance(item, Reject)]
    cut = any(item.reason == "truncated" and item.raw for item in rejects)
    if not records and len(head) < HEAD and not cut:
        detail = f", {rejects[0].detail}" if rejects else ""
        raise InputError("the file has no readable record", where=f"{source.file}{detail}")
    return replace(looked, format=format or detected)


def _reads(looked: Input, records: list[Record]) -> None:
    """Refuse a format that the user named and that none of the first records has."""
    detail = ""
    for record in records:
        try:
            looked.convert(record.value)
        except UnusableError as error:
            detail = detail or error.detail
            if error.reason != "empty":
                continue
        return
    raise InputError(
        f"no record of the file reads as `{looked.format}`",
        where=f"{looked.source.file}, first record: {detail}",
        hint="leave --format out",
    )
