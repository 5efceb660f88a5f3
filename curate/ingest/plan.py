"""Before anything is written: which files are new, how they are laid out, and whether we can read them."""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from curate.errors import InputError
from curate.ingest import formats
from curate.ingest.conversation import Conversation, UnusableError
from curate.ingest.sources import STDIN, Source, Stream, expand
from curate.ingest.stream import Position, Record, Reject, read, sniff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEAD = 1 << 20
# Records at the head of a file among which one must look like a known format.
PROBE = 50


@dataclass(frozen=True)
class Input:
    """A file that was looked at.

    Attributes:
        source: The file.
        mode: How its records are laid out, see `stream.sniff`.
        format: Format of its first records; the others are tried when a record is not one of its.
        forced: The user named the format: no other is tried.
        stream: The open stream of stdin, which cannot be opened twice.
    """

    source: Source
    mode: str
    format: str | None
    forced: bool = False
    stream: Stream | None = None

    @contextmanager
    def open(self, offset: int) -> Iterator[Stream]:
        """The decompressed bytes from `offset` on."""
        with self.stream or self.source.open() as stream:
            stream.skip(offset)
            yield stream

    def recognises(self, record: dict[str, Any]) -> bool:
        """Whether a JSON object is a whole record, and not a piece of one."""
        if self.forced and self.format:
            return formats.load(self.format).matches(record)
        return formats.detect(record) is not None

    def convert(self, record: Record) -> Conversation | Reject:
        """The record as a conversation with at least one message, or set aside with its reason."""
        value = record.value
        try:
            name = self.format
            if name is None or not (self.forced or formats.load(name).matches(value)):
                name = formats.detect(value)
            if name is None:
                keys = ", ".join(f"`{key:.40}`" for key in list(value)[:8])
                raise UnusableError("unknown_shape", f"no format has these keys: {keys}" if keys else "an empty object")
            conversation = formats.load(name).convert(value)
            if not conversation.messages:
                raise UnusableError("empty", "no messages")
        except UnusableError as error:
            return record.reject(error.reason, error.detail)
        return conversation


def plan(
    paths: Sequence[str], options: dict[str, Any], known: Sequence[dict[str, Any]]
) -> tuple[list[Input], list[str]]:
    """The files to read, and those that the workspace has already.

    Args:
        paths: As the user gave them.
        options: `source`, `format` (None = detect it) and `limit`.
        known: Files of earlier ingests: `file`, `identity` and the `options` they were read with.

    Raises:
        InputError: See `curate.ingest`.
    """
    format = options["format"]
    if format is not None:
        formats.load(format)
    earlier = {entry[name]: entry for name in ("file", "identity") for entry in known}
    new, old = [], []
    for source in expand(paths):
        entry = earlier.get(source.identity) or earlier.get(source.file)
        if entry is None or source.file == STDIN:
            new.append(_look(source, format))
            continue
        others = [f"--{name} {entry['options'][name]}" for name in options if entry["options"][name] != options[name]]
        if entry["identity"] == source.identity and not others:
            old.append(source.file)
            continue
        how = f"was ingested with {', '.join(others).replace(' None', ' not given')}"
        raise InputError(
            f"the file {how if others else 'has changed since it was ingested'}",
            where=source.file,
            hint="ingest it into a new workspace with -w DIR",
        )
    return new, old


def _look(source: Source, format: str | None) -> Input:
    stream = source.open()
    head = stream.peek(HEAD)
    if source.file != STDIN:
        stream.close()
    if not head and stream.damage:
        raise InputError(f"the file cannot be unpacked: {stream.damage}", where=source.file)
    mode = sniff(head, source.file)
    found: list[Record | Reject] = []
    looked = Input(source, mode, format, format is not None, stream if source.file == STDIN else None)
    for item in read(io.BytesIO(head), Position(0, 0, mode), looked.recognises):
        found.append(item)
        if len(found) == PROBE:
            break
    records = [item for item in found if isinstance(item, Record)]
    detected = next((name for item in records if (name := formats.detect(item.value))), None)
    if records and not detected and not format:
        keys = ", ".join(f"`{key:.40}`" for key in list(records[0].value)[:8]) or "none"
        raise InputError(
            "no record of the file has a shape that curate knows",
            where=f"{source.file}, first record, keys: {keys}",
            hint="formats: " + ", ".join(formats.names()) + "; name one with --format",
        )
    if records and format:
        outcomes = [looked.convert(item) for item in records]
        if all(isinstance(outcome, Reject) and outcome.reason != "empty" for outcome in outcomes):
            detail = outcomes[0].detail if isinstance(outcomes[0], Reject) else ""
            raise InputError(
                f"no record of the file reads as `{format}`",
                where=f"{source.file}, first record: {detail}",
                hint="leave --format out",
            )
    rejects = [item for item in found if isinstance(item, Reject)]
    cut = any(item.reason == "truncated" and item.raw for item in rejects)
    if not records and len(head) < HEAD and not cut:
        detail = f", byte {rejects[0].offset}: {rejects[0].detail}" if rejects else ""
        raise InputError("the file has no readable record", where=f"{source.file}{detail}")
    return replace(looked, format=format or detected)
