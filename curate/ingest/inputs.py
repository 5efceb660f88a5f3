"""One file that is read: its records, and what its formats make of them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import signature
from typing import TYPE_CHECKING, Any

from curate.ingest import formats, fragments, parquet
from curate.ingest.conversation import Conversation, UnusableError
from curate.ingest.stream import Position, Record, Reject, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from curate.ingest.companions import Prompts
    from curate.ingest.sources import Source, Stream


PROGRESS_BYTES = 1 << 20


@dataclass(frozen=True)
class Input:
    """A file that was looked at.

    Attributes:
        source: The file.
        mode: How its records are laid out, see `stream.sniff`.
        format: Format of its first records; the others are tried when a record is not one of its.
        options: The arguments of `curate.ingest`; with `format`, no other format is tried.
        prompts: Where the prompts are that its answers need.
        stream: The open stream of stdin, which cannot be opened twice.
    """

    source: Source
    mode: str
    format: str | None
    options: dict[str, Any]
    prompts: tuple[Prompts, ...] = ()
    stream: Stream | None = None
    _converters: dict[str, Callable[[dict[str, Any]], formats.Result]] = field(default_factory=dict, repr=False)

    @contextmanager
    def open(self, offset: int) -> Iterator[Stream]:
        """The decompressed bytes from `offset` on."""
        with self.stream or self.source.open() as stream:
            stream.skip(offset)
            yield stream

    def records(
        self, position: Position, advance: Callable[[float], None] = lambda _: None
    ) -> Iterator[Record | Reject]:
        """Every record from a position on, good or bad.

        Args:
            position: Its mode is `self.mode`.
            advance: Told now and then how many more bytes of the file are used up.
        """
        if self.mode == "parquet":
            with self.source.seekable() as file:
                yield from parquet.rows(file, self.source.file, position.offset, advance, self.source.bytes or 0)
            return
        told = done = 0
        with self.open(0 if self.mode in ("csv", "tsv") else position.offset) as stream:
            for record in read(stream, position, self.recognises):
                yield record
                if record.end - told > PROGRESS_BYTES:
                    told = record.end
                    advance(stream.tell() - done)
                    done = stream.tell()

    def recognises(self, record: dict[str, Any]) -> bool:
        """Whether a JSON object is a whole record, and not a piece of one."""
        return self.format_of(record) is not None

    def format_of(self, record: dict[str, Any]) -> str | None:
        """The format of a record; None when no format has such records."""
        name = self.format
        if self.options["format"]:
            return name if self.options["columns"] or (name and formats.load(name).matches(record)) else None
        if name is not None and formats.load(name).matches(record):
            return name
        return formats.detect(record)

    def group(self, record: dict[str, Any]) -> str | None:
        """What the records have in common that make sense together only; None for a record by itself."""
        name = self.format
        if name is not None and (grouped := formats.grouped(name)):
            key = grouped.group(record) if grouped.matches(record) else None
            return None if key is None else f"{name} {key}"
        return fragments.base_of(record.get("id")) if self.options["fragments"] == "join" else None

    def convert(self, record: dict[str, Any]) -> list[Conversation | UnusableError]:
        """What one record holds.

        Raises:
            UnusableError: Nothing that can be used.
        """
        name = self.options["format"] or self.format_of(record)
        if name is None:
            keys = ", ".join(f"`{key:.40}`" for key in list(record)[:8])
            raise UnusableError("unknown_shape", f"no format has these keys: {keys}" if keys else "an empty object")
        if name not in self._converters:
            self._converters[name] = self._converter(name)
        result = self._converters[name](record)
        return result if isinstance(result, list) else [result]

    def convert_group(self, records: list[Record]) -> list[Conversation | UnusableError] | None:
        """What records hold that make sense together only; None when their format has no such records."""
        grouped = formats.grouped(self.format) if self.format else None
        if grouped is None or not grouped.matches(records[0].value) or grouped.group(records[0].value) is None:
            return None
        return grouped.convert_group([record.value for record in records], **self._given(grouped.convert_group))

    def _converter(self, name: str) -> Callable[[dict[str, Any]], formats.Result]:
        """The format's `convert` with the options and prompts that it takes."""
        module = formats.load(name)
        given = self._given(module.convert)
        if answers := formats.answers(name):
            return lambda record: module.convert(record, self._prompt(name, answers.needs(record)), **given)
        return (lambda record: module.convert(record, **given)) if given else module.convert

    def _given(self, function: Callable[..., Any]) -> dict[str, Any]:
        """The options that a format's function takes."""
        parameters = signature(function).parameters
        return {option: self.options[option] for option in ("branches", "columns") if option in parameters}

    def _prompt(self, name: str, key: str) -> Any:
        return next((prompt for prompts in self.prompts if (prompt := prompts.of(name, key)) is not None), None)
