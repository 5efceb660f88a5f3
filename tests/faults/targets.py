"""What holds for any bytes at all: one function a reader, which raises when a promise is broken.

`benchmarks/fuzz.py` searches for bytes that break one; what it found stands in `test_findings.py`.
"""

from __future__ import annotations

import gzip
import io
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

import curate
from curate.console import plain
from curate.errors import CurateError, InputError
from curate.ingest import copy_code, decode, html, parquet, transcript, ui_text, window, zero_width
from curate.ingest.conversation import Conversation, Message
from curate.ingest.sources import Stream, zstd
from curate.ingest.stream import Position, Record, Reject, read, sniff
from curate.ingest.tidy import tidy

if TYPE_CHECKING:
    from collections.abc import Callable

MODES = ("array", "lines", "objects", "wrapped", "page", "csv", "tsv")
# What may stand between records and is no data.
BETWEEN = re.compile(rb"(?:[ \t\r\n,\[\]]|\xef\xbb\xbf)*")
SMALL = 64
# Endings under which a file of any bytes is read.
ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".html", ".parquet", ".zip", ".jsonl.gz", ".json.zst")


def _is_record(value: dict[str, Any]) -> bool:
    return isinstance(value.get("conversations"), list)


def _read(data: bytes, position: Position, chunk: int = 512 << 10) -> list[Record | Reject]:
    before, window.CHUNK = window.CHUNK, chunk
    try:
        stream = io.BytesIO(data)
        stream.seek(0 if position.mode in ("csv", "tsv") else position.offset)
        return list(read(stream, position, _is_record))
    finally:
        window.CHUNK = before


def _shape(found: list[Record | Reject]) -> list[tuple[Any, ...]]:
    return [
        (item.row, item.offset, item.end, item.value if isinstance(item, Record) else (item.reason, item.raw))
        for item in found
    ]


def records(data: bytes) -> None:
    """Every byte is in a record, in a reject or between two; where blocks end and where one begins change nothing."""
    if not data:
        return
    mode, data = MODES[data[0] % len(MODES)], data[1:]
    whole = _read(data, Position(0, 0, mode))
    rows = [item.row for item in whole]
    assert rows == sorted(set(rows)), "rows out of order"
    for item in whole:
        for text in (item.detail,) if isinstance(item, Reject) else ():
            text.encode()
    if mode in ("csv", "tsv", "page"):
        assert _shape(_read(data, Position(0, 0, mode), SMALL)) == _shape(whole), "blocks change what is read"
        return
    at = 0
    for item in whole:
        empty = item.offset == item.end == len(data) and isinstance(item, Reject) and item.reason == "truncated"
        assert at <= item.offset < item.end <= len(data) or empty, f"{item.offset}-{item.end} of {len(data)}"
        if mode != "wrapped":
            assert BETWEEN.fullmatch(data, at, item.offset), f"lost {data[at : item.offset][:40]!r}"
        if isinstance(item, Record):
            text = data[item.offset : item.end].strip(window.SPACE)
            assert item.value == decode.parse_one(text), "a record that is not its bytes"
        at = item.end
    if mode != "wrapped":
        assert BETWEEN.fullmatch(data, at), f"lost {data[at:][:40]!r}"
    assert _shape(_read(data, Position(0, 0, mode), SMALL)) == _shape(whole), "blocks change what is read"
    for number, item in enumerate(whole[:-1][:4]):
        rest = _read(data, Position(item.end, item.row + 1, mode), SMALL)
        if mode != "wrapped":
            assert _shape(rest) == _shape(whole[number + 1 :]), f"read on from {item.end}"


def containers(data: bytes) -> None:
    """A packed stream gives what it holds up to where it is damaged, and says so; never anything else."""
    if len(data) < 3:
        return
    kind, flip, data = data[0] % 3, data[1], data[2:]
    packed = bytearray((lambda raw: raw, gzip.compress, zstd.compress)[kind](data))
    if flip and len(packed) > 8 and kind:
        packed[4 + flip % (len(packed) - 4)] ^= 1 + flip % 255
    stream = Stream(io.BufferedReader(io.BytesIO(bytes(packed))))  # type: ignore[type-var]
    ahead = stream.peek(16)
    found = b""
    damaged = False
    try:
        while block := stream.read(SMALL):
            assert len(block) <= SMALL
            found += block
    except EOFError as error:
        damaged = bool(str(error))
    assert found.startswith(ahead)
    if kind and not flip:
        assert (found, damaged) == (data, False)


def values(data: bytes) -> None:
    """The fast way and the careful way agree about what a record is."""
    one: dict[str, Any] | None = None
    reason = detail = "read"
    try:
        one = decode.parse_one(data)
    except decode.UnreadableError as error:
        reason, detail = error.reason, error.detail
    assert reason.isidentifier()
    detail.encode()
    if b"\n" not in data and data.strip():
        many = decode.parse_lines([data], data)
        assert many is None or many == [one], "the fast way reads what the careful one does not"
    if one is not None:
        orjson.dumps(one)
        found = decode.value_end(data, len(data) - len(data.lstrip(window.SPACE)))
        assert found is not None
        assert found[1] in ("", decode.TOO_DEEP)
    decode.closing_end(data, 0, len(data)) if data[:1] == b"{" else None


def pages(data: bytes) -> None:
    """HTML comes out as text or not at all."""
    text = data.decode("utf-8", "replace")
    outcomes = [html.to_markdown(text), html.prompt_text(text)]
    html.is_page(text), html.is_box(text), html.may_be_page(text)
    for found in filter(None, outcomes):
        found.encode()
    wrapped = f'<div class="markdown prose">{text}</div>'
    if (found := html.to_markdown(wrapped)) is not None:
        found.encode()
        words = "".join(re.findall(r"[a-z]{12,}", re.sub(r"<[^>]*>|&\w+;", " ", text)))
        assert len(re.sub(r"[^a-z]", "", found)) >= len(words) * 0.5 or "<" in text, "words went missing"


def texts(data: bytes) -> None:
    """Tidying a text gives a text, again the same, and loses no message that said something."""
    text = data.decode("utf-8", "replace")
    ui_text.is_suspect(text)
    ui_text.without_tails([text, text], True)
    ui_text.without_char_count(text)
    ui_text.without_first_counter(text)
    copy_code.without_copy_code(text)
    copy_code.without_copy_code(text, True)
    zero_width.without_zero_width(text)
    transcript.messages_of(text) if transcript.is_transcript(text) else None
    half = len(text) // 2
    once = tidy(Conversation([Message("user", text[:half]), Message("assistant", text[half:])]))
    for message in once.messages:
        message.content.encode()
    shown = plain(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", shown)


def parquets(data: bytes) -> None:
    """A Parquet file is rows, rejects, or an error that names it."""
    try:
        for item in parquet.rows(io.BytesIO(data), "x.parquet", 0, lambda _: None):
            assert isinstance(item, Record | Reject)
            if isinstance(item, Record):
                item.reject("any", "any").raw.decode("utf-8", "replace")
    except InputError:
        pass


def replies(data: bytes) -> None:
    """What a judge replies is levels of the rubric, or none."""
    from curate.judge import parse, rubric

    text = data.decode("utf-8", "replace")
    shipped = rubric.load("general")
    reading = parse.rating(text, shipped)
    assert reading.status in ("ok", "unparsed", "refused")
    if reading.status == "ok":
        assert reading.levels
        assert all(0 <= level <= rubric.TOP_LEVEL * 100 for level in reading.levels.values())


def tomls(data: bytes) -> None:
    """A rule file is rules or an error that names it."""
    from curate import rules
    from curate.pipeline import load_recipe

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.toml"
        path.write_bytes(data)
        for kind in ("labels", "clean"):
            try:
                rules.load(str(path), kind)
            except CurateError as error:
                str(error).encode()
        try:
            load_recipe(str(path))
        except CurateError as error:
            str(error).encode()


def side_files(data: bytes) -> None:
    """A side file is labels or an error that names it."""
    from curate import rules
    from curate.label import side_file

    if not data:
        return
    ending, data = (".csv", ".jsonl", ".tsv", ".json")[data[0] % 4], data[1:]
    rule_set = rules.load("labels.toml", "labels", check_cases=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{ending}"
        path.write_bytes(data)
        try:
            side_file.read(path, rule_set)
        except CurateError as error:
            str(error).encode("utf-8", "replace")


def ingests(data: bytes) -> None:
    """A file of any bytes is ingested with every record counted, or refused with nothing written."""
    if not data:
        return
    ending, data = ENDINGS[data[0] % len(ENDINGS)], data[1:]
    if ending.endswith(".gz"):
        data = gzip.compress(data, 1)
    if ending.endswith(".zst"):
        data = zstd.compress(data, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{ending}"
        path.write_bytes(data)
        try:
            result = curate.ingest([path], Path(folder) / "ws", quiet=True)
        except CurateError as error:
            str(error).encode("utf-8", "replace")
            assert not (Path(folder) / "ws" / "manifest.json").exists()
            return
        rejected = sum(result.rejects.values())
        found = result.conversations + rejected + result.joined - result.split
        assert found == result.records, f"{result.records} records, {found} counted"
        ws = curate.Workspace(Path(folder) / "ws")
        assert ws.rows("conversations") == result.conversations
        assert ws.rows("rejects") == rejected


def sniffs(data: bytes) -> None:
    """The layout of a file is known or refused."""
    for name in ("x", "x.csv", "x.json"):
        try:
            assert sniff(data, name) in (*MODES, "parquet")
        except InputError as error:
            str(error).encode()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "records": records,
    "containers": containers,
    "values": values,
    "pages": pages,
    "texts": texts,
    "parquets": parquets,
    "replies": replies,
    "tomls": tomls,
    "side_files": side_files,
    "ingests": ingests,
    "sniffs": sniffs,
}
