"""Whatever happened to a file: every good record, and one located reject for every bad one."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.ingest import window
from curate.ingest.stream import Position, Record, Reject, read, sniff


def is_record(value: dict[str, Any]) -> bool:
    return isinstance(value.get("conversations"), list)


def reads(data: bytes, mode: str | None = None, position: Position | None = None) -> list[Record | Reject]:
    """Everything that comes out of `data`; the stream hands out short blocks now and then, as pipes do."""
    start = position or Position(0, 0, mode or sniff(data[: 1 << 20], "here"))
    stream = io.BytesIO(data)
    stream.seek(start.offset)
    return list(read(stream, start, is_record))


def good(found: list[Record | Reject]) -> list[dict[str, Any]]:
    return [item.value for item in found if isinstance(item, Record)]


def bad(found: list[Record | Reject]) -> list[Reject]:
    return [item for item in found if isinstance(item, Reject)]


def reasons(found: list[Record | Reject]) -> list[str]:
    return [item.reason for item in bad(found)]


# Text with all that makes a reader stumble: quotes, brackets, colons, backslashes, record borders.
TRAPS = ['"', "\\", "{", "}", "[", "]", ":", ",", "\n", "},{", '{"id"', '"}', '": ', "\\\\", "é", "漢", "😀", "\u2028"]
clean = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
texts = st.lists(st.sampled_from(TRAPS) | clean, max_size=6).map("".join)
turns = st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt"]), "value": texts})
fields = st.none() | st.integers(-9, 9) | texts | st.lists(st.integers(0, 3), max_size=2)
extras = st.dictionaries(st.sampled_from(["model", "id", "a\\", "k:", "{"]), fields, max_size=3)


@st.composite
def record_lists(draw: st.DrawFn, min_size: int = 1) -> list[dict[str, Any]]:
    """Records with a number of their own, so that none is like another."""
    rows = draw(st.lists(st.tuples(extras, st.lists(turns, max_size=3)), min_size=min_size, max_size=8))
    return [{"n": number, **extra, "conversations": said} for number, (extra, said) in enumerate(rows)]


def _dump(record: dict[str, Any], **options: Any) -> str:
    return json.dumps(record, **options)


# name: (text before, how a record is written, between two records, text behind, mode)
LAYOUTS: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "array": ("[", {"separators": (",", ":")}, ",", "]", "array"),
    "array, indented": ("[\n", {"indent": 2, "ensure_ascii": False}, ",\n", "\n]\n", "array"),
    "array, spaces before colons": ("\n [ ", {"separators": (" ,", " : ")}, "\r\n , ", " ] \n", "array"),
    "lines": ("", {}, "\n", "\n", "lines"),
    "lines, CRLF, blank lines": ("", {"ensure_ascii": False}, "\r\n\r\n", "", "lines"),
    "objects": ("", {}, "", "", "objects"),
    "objects, indented": ("", {"indent": 1}, "\n", "\n", "objects"),
    "objects, commas": ("", {"indent": 2}, ",\n", "", "objects"),
}
layouts = st.sampled_from(sorted(LAYOUTS))
chunks = st.sampled_from([7, 64, 100, 512, 1 << 20])


def write(parts: list[bytes], layout: str, bom: bool = False) -> tuple[bytes, list[tuple[int, int]]]:
    """The file, and where each part lies in it."""
    before, _, between, behind, _ = LAYOUTS[layout]
    data = (b"\xef\xbb\xbf" if bom else b"") + before.encode()
    places = []
    for number, part in enumerate(parts):
        data += between.encode() if number else b""
        places.append((len(data), len(data) + len(part)))
        data += part
    return data + behind.encode(), places


def encode(records: list[dict[str, Any]], layout: str) -> list[bytes]:
    return [_dump(record, **LAYOUTS[layout][1]).encode() for record in records]


@pytest.fixture(autouse=True)
def _restore_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "CHUNK", window.CHUNK)
    monkeypatch.setattr(window, "LOOK_INSIDE", window.LOOK_INSIDE)
    monkeypatch.setattr(window, "MAX_RECORD", window.MAX_RECORD)


@settings(deadline=None, max_examples=100)
@given(record_lists(), layouts, chunks, st.booleans())
def test_every_record_comes_out_where_it_stands(
    records: list[dict[str, Any]], layout: str, chunk: int, bom: bool
) -> None:
    window.CHUNK = chunk
    data, places = write(encode(records, layout), layout, bom)
    found = reads(data, LAYOUTS[layout][4])
    assert bad(found) == []
    assert good(found) == records
    assert [item.offset for item in found] == [begin for begin, _ in places]
    for item in found:
        assert isinstance(item, Record)
        assert json.loads(data[item.offset : item.end]) == item.value
    if "blank" not in layout:
        assert [item.row for item in found] == list(range(len(records)))


# One record is harmed, its own brackets still pair up: exactly that one is set aside.
LOCAL = {
    "invalid byte": lambda text: text.replace(b'"n"', b'"\xffn"', 1),
    "half a surrogate pair": lambda text: text.replace(b'"n"', b'"\\ud83d"', 1),
    "key twice": lambda text: text.replace(b'"n"', b'"conversations": [], "n"', 1),
    "comma too many": lambda text: text.rstrip()[:-1] + b",}",
    "comma missing": lambda text: text.replace(b"{", b'{"x": 1 ', 1),
    "no such word": lambda text: text.replace(b"{", b'{"x": nul, ', 1),
    "no such escape": lambda text: text.replace(b'"n"', b'"\\x"', 1),
    "control character": lambda text: text.replace(b'"n"', b'"\x01"', 1),
    "a number": lambda _: b"5",
    "null": lambda _: b"null",
    "a list": lambda _: b'[{"a": 1}]',
    "a string": lambda _: b'"some { text"',
}
# The structure itself is harmed: the record may run into its neighbour.
STRUCTURAL = {
    "quote missing": lambda text: text.replace(b'"', b"", 1),
    "later quote missing": lambda text: text.replace(b'"conversations"', b'"conversations', 1),
    "last quote missing": lambda text: b"".join(text.rpartition(b'"')[::2]),
    "closing brace missing": lambda text: text.rstrip()[:-1],
    "bracket missing": lambda text: b"".join(text.rpartition(b"]")[::2]),
    "end missing": lambda text: text[: text.rindex(b"]")],
    "opening brace missing": lambda text: text[1:],
    "brace too many": lambda text: text + b"}",
    "opening brace too many": lambda text: b"{" + text,
    "half of it": lambda text: text[: len(text) // 2],
}


@settings(deadline=None, max_examples=100)
@given(record_lists(), layouts, chunks, st.data())
def test_a_local_fault_costs_its_record_and_no_other(
    records: list[dict[str, Any]], layout: str, chunk: int, data: st.DataObject
) -> None:
    window.CHUNK = chunk
    kinds = sorted(LOCAL)
    faults = {
        number: data.draw(st.sampled_from(kinds))
        for number in data.draw(st.sets(st.integers(0, len(records) - 1), max_size=4))
    }
    if LAYOUTS[layout][2].strip() != "," and LAYOUTS[layout][4] == "objects":  # two scalars side by side are one
        faults = {number: kind for number, kind in faults.items() if not kind.startswith(("a ", "null"))}
    # Where two neighbours are broken, the first one's end is anyone's guess.
    faults = {number: kind for number, kind in faults.items() if number - 1 not in faults}
    parts = encode(records, layout)
    for number, kind in faults.items():
        parts[number] = LOCAL[kind](parts[number])
    text, places = write(parts, layout)
    found = reads(text, LAYOUTS[layout][4])
    assert good(found) == [record for number, record in enumerate(records) if number not in faults]
    assert [item.offset for item in bad(found)] == [places[number][0] for number in sorted(faults)]
    assert [item.raw.rstrip(b",") for item in bad(found)] == [parts[number] for number in sorted(faults)]
    resumes_everywhere(text, LAYOUTS[layout][4], found)


@settings(deadline=None, max_examples=100)
@given(record_lists(min_size=2), layouts, chunks, st.data())
def test_a_fault_in_the_structure_costs_no_other_record(
    records: list[dict[str, Any]], layout: str, chunk: int, data: st.DataObject
) -> None:
    window.CHUNK = chunk
    window.LOOK_INSIDE = data.draw(st.sampled_from([256, 4096, 16 << 20]))
    broken = data.draw(st.sets(st.integers(0, len(records) - 1), min_size=1, max_size=3))
    broken = {number for number in broken if number - 1 not in broken}  # two faults together can be valid JSON
    parts = encode(records, layout)
    for number in broken:
        parts[number] = STRUCTURAL[data.draw(st.sampled_from(sorted(STRUCTURAL)))](parts[number])
    text, places = write(parts, layout)
    found = reads(text, LAYOUTS[layout][4])
    whole = [record for number, record in enumerate(records) if number not in broken]
    numbers = {record["n"] for record in whole}
    assert [value for value in good(found) if value.get("n") in numbers and value in whole] == whole
    assert bad(found)
    for item in bad(found):
        assert any(places[number][0] <= item.offset <= places[number][1] for number in broken)
    resumes_everywhere(text, LAYOUTS[layout][4], found)


def resumes_everywhere(data: bytes, mode: str, found: list[Record | Reject]) -> None:
    """Read on behind any record: exactly the same follows."""
    for number, item in enumerate(found[:-1]):
        again = reads(data, position=Position(item.end, item.row + 1, mode))
        assert [plain(one) for one in again] == [plain(one) for one in found[number + 1 :]]


def plain(item: Record | Reject) -> tuple[Any, ...]:
    return item[:4] if isinstance(item, Record) else tuple(item)


@settings(deadline=None, max_examples=100)
@given(record_lists(), st.sampled_from(["array", "array, indented", "lines"]), chunks, st.data())
def test_a_file_that_is_cut_off_says_so(
    records: list[dict[str, Any]], layout: str, chunk: int, data: st.DataObject
) -> None:
    window.CHUNK = chunk
    text, places = write(encode(records, layout), layout)
    stop = data.draw(st.integers(places[0][0] + 1, places[-1][1] - 1))
    found = reads(text[:stop], LAYOUTS[layout][4])
    whole = [record for record, (_, end) in zip(records, places, strict=True) if end <= stop]
    assert good(found) == whole
    inside = any(begin < stop < end for begin, end in places)
    if inside or "array" in layout:
        assert reasons(found) == ["truncated"]
        assert found[-1].end == stop
        assert f"byte {stop:,}" in bad(found)[0].detail


ROW = {"id": "a_0", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]}


def rows(count: int) -> list[dict[str, Any]]:
    return [ROW | {"id": f"a_{number}"} for number in range(count)]


@pytest.mark.parametrize("text", ['[{"a": NaN}]', '{"a": -Infinity}\n{"b": 1}\n'])
def test_pythons_own_numbers_become_null(text: str) -> None:
    found = reads(text.encode())
    assert bad(found) == []
    assert good(found)[0] == {"a": None}


@pytest.mark.parametrize(
    "text",
    [
        b'[{"a\\\\":1,"b":1,"b":2}]',  # a key that ends in a backslash hides a colon from a hasty count
        b'[{"a" : 1,"b":1,"b":2}]',
        b'[{"a"\n \t: 1,"b":1,"b":2}]',
        b'[{"a":{"x":1,"x":1},"b":":"}]',
        b'{"a\\\\":1,"b":1,"b":2}\n{}\n',
        b'{"\xc3\xa9":1,"\\u00e9":2}\n{}\n',
        b'[{"n":' + b"9" * 30 + b',"n":1}]',
    ],
)
def test_a_key_that_stands_twice_is_never_overlooked(text: bytes) -> None:
    assert reasons(reads(text)) == ["duplicate_keys"]


def test_a_record_inside_a_record_is_no_record_of_its_own() -> None:
    """Nested objects that begin like the records, and borders that are not all written alike."""
    data = b'[{"id":1},{"id":2,"items":[{"id":3},{"id":4}]}, {"id":5},{"id":6}]'
    window.CHUNK = 40
    found = reads(data)
    assert [value["id"] for value in good(found)] == [1, 2, 5, 6]
    assert [json.loads(data[item.offset : item.end]) for item in found] == good(found)


def test_text_between_two_objects_is_set_aside() -> None:
    found = reads(b'{"a": 1} what is this {"conversations": []}\n{"b"\n: 3}', mode="objects")
    assert good(found) == [{"a": 1}, {"conversations": []}, {"b": 3}]
    assert [(item.offset, item.raw) for item in bad(found)] == [(9, b"what is this")]


def test_lines_that_only_together_are_json_are_no_records() -> None:
    found = reads(b'{"a":[1\n2]}\n{"b":1},{"c":2}\n{"d":1}\n', mode="lines")
    assert good(found) == [{"d": 1}]
    assert [item.row for item in bad(found)] == [0, 1, 2]


def test_two_arrays_in_one_file_are_read_as_one() -> None:
    assert reasons(found := reads(b'[{"a": 1}]\n[{"b": 2}, []]\n')) == ["not_an_object"]
    assert good(found) == [{"a": 1}, {"b": 2}]


def test_files_put_together_with_their_marks_are_read() -> None:
    mark = b"\xef\xbb\xbf"
    found = reads(mark + b'{"a": 1}\n' + mark + b'{"b": 2}\n')
    assert good(found) == [{"a": 1}, {"b": 2}]
    assert bad(found) == []


def test_an_array_without_its_end_is_cut_off() -> None:
    found = reads(json.dumps(rows(3)).encode()[:-1])
    assert len(good(found)) == 3
    assert [(item.reason, item.raw, item.row) for item in bad(found)] == [("truncated", b"", 3)]


def test_a_fault_at_the_end_is_not_taken_for_a_cut() -> None:
    assert reasons(reads(b'{"a": 1}\n{"b": 2,}')) == ["invalid_json"]
    assert reasons(reads(b'[{"a": 1}, {"b": tru}]')) == ["invalid_json"]


@pytest.mark.parametrize(
    "tail",
    ['{"a": 1.', '{"a": 1e', '{"a": -', '{"a": tr', '{"a": "\\u00e', '{"a": "\\u00e9', '{"a": "\\', '{"a"', "{"],
)
def test_a_cut_inside_a_word_or_number_is_a_cut(tail: str) -> None:
    assert reasons(reads(f'[{{"b": 1}}, {tail}'.encode())) == ["truncated"]
    assert reasons(reads(f'{{"b": 1}}\n{tail}'.encode())) == ["truncated"]


def test_no_piece_of_a_broken_record_is_taken_for_a_record() -> None:
    """A quote that is missing turns text inside out; what closes then is not the record."""
    parts = [json.dumps(row) for row in rows(9)]
    for fault in ('"conversations"', '"from"', '"value"', '"Hi"', '"gpt"', '"Hello!"'):
        for quote in (0, len(fault) - 1):
            broken = fault[:quote] + fault[quote + 1 :]
            text = ", ".join([*parts[:4], parts[4].replace(fault, broken, 1), *parts[5:]])
            found = reads(f"[{text}]".encode())
            assert reasons(found) == ["invalid_json"]
            assert good(found) == rows(4) + rows(9)[5:]


def test_a_bracket_that_is_missing_does_not_swallow_the_rest_of_the_file() -> None:
    window.CHUNK, window.LOOK_INSIDE = 1 << 10, 8 << 10
    parts = [json.dumps(row).encode() for row in rows(2000)]
    parts[3] = parts[3][:-2]  # what follows now reads as turns of this conversation
    found = reads(b"[" + b",\n".join(parts) + b"]")
    assert len(good(found)) == 1999
    assert reasons(found) == ["invalid_json"]


def test_a_record_that_is_too_large_is_passed_over() -> None:
    window.CHUNK, window.MAX_RECORD, window.LOOK_INSIDE = 256, 2000, 1000
    records = rows(9)
    records[4]["conversations"] = [{"from": "human", "value": "x" * 500}] * 10
    for text in (json.dumps(records), "\n".join(map(json.dumps, records))):
        found = reads(text.encode())
        assert good(found) == records[:4] + records[5:]
        assert reasons(found) == ["too_large"]
        resumes_everywhere(text.encode(), "array" if text[0] == "[" else "lines", found)


def test_large_records_are_whole() -> None:
    window.CHUNK, window.LOOK_INSIDE = 256, 1000
    records = rows(9)
    records[4]["conversations"] = [{"from": "human", "value": "x" * 500}] * 10
    found = reads(json.dumps(records).encode())
    assert (good(found), bad(found)) == (records, [])


@pytest.mark.parametrize(
    "data",
    [
        b'{"' * 500_000,
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b'{"a":[' * 100_000,
        b"[" + b'{"a":1,' * 200_000,
        b"[" + b'{"x":"1},' * 100_000 + b'{"conversations":[]}]',
        b"[" + b'{"x":1,},' * 100_000 + b'{"conversations":[]}]',
        b'[{"id":"' + b"x" * 20_000_000 + b'","conversations":[]}]',
        b'{"a":1}' + b" " * 3_000_000 + b":",
        b"[{" + b'"a"' + b" " * 3_000_000 + b': ":"}]',
        b"[" + b'{"\\\\":":",":" : "a"},' * 50_000 + b"{}]",
        b"[" + b"\\" * 2_000_000,
        b'{"conversations":[' * 30_000,
        b"[" + b'{"id":1,"id":2},' * 50_000 + b"{}]",
    ],
    ids=lambda data: data[:20].decode(),
)
def test_nothing_makes_it_hang(data: bytes) -> None:
    begin = time.process_time()
    mode = "array" if data[:1] == b"[" else "objects"
    found = reads(data, mode)
    assert time.process_time() - begin < 10
    assert found
    assert all(0 <= item.offset <= item.end <= len(data) for item in found)
    if data.endswith(b"]}]"):
        assert len(good(found)) == 1
