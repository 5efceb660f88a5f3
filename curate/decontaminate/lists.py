"""Benchmark lists: which files, which column, and the texts of their items.

A list is any file that `curate ingest` has a container for. An item is one record of it; a column that holds a list,
such as the `turns` of MT-bench, gives the item one part per text.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError, InputError, did_you_mean
from curate.ingest import parquet
from curate.ingest.sources import STDIN, Source, expand
from curate.ingest.stream import Position, Record, Reject, read, sniff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The first of these that the records have is the text of an item, whatever its case.
COLUMNS = (
    "question", "prompt", "turns", "instruction", "problem", "text", "query", "input", "goal", "sentence", "content",
)  # fmt: skip
# The first of these that a record has names the item.
IDS = ("task_id", "question_id", "id", "uid", "_id", "qid", "problem_id", "item_id", "idx")
HEAD = 1 << 20
# Records at the head of a list that tell its columns.
PROBE = 100


@dataclass(frozen=True)
class BenchmarkList:
    """A list that can be read.

    Attributes:
        benchmark: Its name: as given, else that of its file, and of the folders above where two files have the same.
        source: The file.
        column: Where the text of an item is; `choices.turns` is a column within another.
        inside: The column of a single object around the records, which holds them; None = there is none.
    """

    benchmark: str
    source: Source
    column: str
    inside: str | None

    def items(self, unread: Counter[str] | None = None) -> Iterator[tuple[int, str, list[str]]]:
        """Row, id and texts of each item; the id is the number of the row where no column names the item.

        Args:
            unread: Takes the number of records that cannot be read, by reason; and of those without a text.
        """
        unread = Counter() if unread is None else unread
        for row, record in enumerate(_records(self.source, self.inside)):
            if isinstance(record, Reject):
                unread[record.reason] += 1
                continue
            texts = texts_of(record, self.column)
            if texts:
                yield row, _id(record, row), texts
            else:
                unread["no text"] += 1


def find(lists: Sequence[str], column: str | None = None) -> list[BenchmarkList]:
    """The lists behind files, folders and globs, each looked at.

    Args:
        lists: Each may end in `:COLUMN` and begin with `NAME=`, the name of the benchmark.
        column: The column of the others; None = a well-known one that the list has.

    Raises:
        InputError: No such file, an empty one, one that is no list, or one without the column.
    """
    if not lists:
        raise CurateError("no list of benchmark items", hint="curate decontaminate gsm8k.jsonl humaneval.jsonl.gz …")
    wanted = {
        (source.file, own or column): (name, source) for path in lists for name, source, own in _sources(str(path))
    }
    names = _names([source.file for name, source in wanted.values() if name is None])
    return [_look(name or names[file], source, chosen) for (file, chosen), (name, source) in wanted.items()]


def _sources(path: str) -> list[tuple[str | None, Source, str | None]]:
    """Name of the benchmark, file, and column, of each file that is meant."""
    name: str | None = None
    column = None
    if not Path(path).exists() and "=" in path.partition("/")[0]:
        name, _, path = path.partition("=")
    if not Path(path).exists() and ":" in path:
        before, _, after = path.rpartition(":")
        if after and "/" not in after:
            path, column = before, after
    if path == STDIN:
        raise InputError("a list is read more than once, so not from stdin", hint="write it to a file")
    found = expand([path])
    return [(f"{name}/{source.name}" if name and len(found) > 1 else name, source, column) for source in found]


def _names(files: list[str]) -> dict[str, str]:
    """A name per file: its own, with as many folders before it as set it apart from the others."""
    names = own = {file: Source(file).name for file in files}
    for depth in range(1, 8):
        counts = Counter(names.values())
        folders = {file: Path(file).resolve().parent.parts[1:][-depth:] for file in own}
        names = {
            file: "/".join((*folders[file], own[file])) if counts[name] > 1 else name for file, name in names.items()
        }
    # `a.json` beside `a.csv`: the whole file name then.
    counts = Counter(names.values())
    return {file: f"{name} ({Path(file).name})" if counts[name] > 1 else name for file, name in names.items()}


def _look(benchmark: str, source: Source, column: str | None) -> BenchmarkList:
    if source.problem:
        raise InputError(source.problem, where=source.file)
    inside = None
    head = list(islice(_records(source, None), PROBE))
    if len(head) == 1 and isinstance(head[0], dict):
        inside = _holder(head[0], column)
        head = head if inside is None else list(islice(_records(source, inside), PROBE))
    good = [record for record in head if isinstance(record, dict)]
    if not good:
        rejects = [record for record in head if isinstance(record, Reject)]
        what = f"no record of the list can be read: {rejects[0].detail}" if rejects else "the list has no items"
        raise InputError(what, where=source.file, hint="a list has an object or a row with names per item")
    return BenchmarkList(benchmark, source, _column(good, column, source), inside)


def _holder(record: dict[str, Any], column: str | None) -> str | None:
    """The key of an only record under which the true records are: BBH has `{"canary": …, "examples": [{…}]}`."""
    if (column is not None and texts_of(record, column)) or (column is None and _known(record)):
        return None
    lists = [key for key, value in record.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return lists[0] if len(lists) == 1 else None


def _column(records: list[dict[str, Any]], column: str | None, source: Source) -> str:
    """The column as the records spell it."""
    names = list(dict.fromkeys(key for record in records for key in record))
    spelled = {name.lower(): name for name in reversed(names)}
    candidates = COLUMNS if column is None else (column,)
    for candidate in candidates:
        name = candidate if candidate in names or "." in candidate else spelled.get(candidate.lower())
        if name is not None and any(texts_of(record, name) for record in records):
            return name
    found = ", ".join(f"`{name:.40}`" for name in names[:20]) or "none"
    if column is None:
        what, hint = "no column of the list has a well-known name", f"name it: {source.file}:COLUMN, or --column"
    else:
        near = did_you_mean(column, [key for key in names if any(texts_of(record, key) for record in records)]) or ""
        what = f"the list has no text in a column `{column}`"
        hint = near if near.startswith("did") else f"{source.file}:COLUMN chooses one"
    raise InputError(f"{what}; it has {found}", where=source.file, hint=hint)


def _known(record: dict[str, Any]) -> bool:
    return any(name.lower() in COLUMNS and texts_of(record, name) for name in record)


def texts_of(value: Any, column: str) -> list[str]:
    """The texts at a column, one per part; a number counts as its digits, anything else as none."""
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item, column)]
    if column and isinstance(value, dict):
        if column in value:
            return texts_of(value[column], "")
        name, _, rest = column.partition(".")
        return texts_of(value.get(name), rest) if rest else []
    if column or isinstance(value, bool):
        return []
    if isinstance(value, str):
        return [value] if value.strip() else []
    return [str(value)] if isinstance(value, int | float) else []


def _id(record: dict[str, Any], row: int) -> str:
    """The item's own id, or the number of its row."""
    named = (record[name] for name in IDS if isinstance(record.get(name), str | int) and record[name] != "")
    return str(next(named, row))


def _records(source: Source, inside: str | None) -> Iterator[dict[str, Any] | Reject]:
    with _opened(source) as found:
        for record in found:
            if isinstance(record, Reject) or inside is None:
                yield record.value if isinstance(record, Record) else record
                continue
            for number, value in enumerate(record.value.get(inside) or ()):
                wrong = Reject(number, -1, number + 1, "not_an_object", f"entry {number} is no object", b"")
                yield value if isinstance(value, dict) else wrong


@contextmanager
def _opened(source: Source) -> Iterator[Iterator[Record | Reject]]:
    with source.open() as stream:
        mode = sniff(stream.peek(HEAD), source.file)
        if mode == "page":
            raise InputError("a page is no list of benchmark items", where=source.file)
        if mode != "parquet":
            yield read(stream, Position(mode=mode), lambda _: True)
            return
    with source.seekable() as file:
        yield parquet.rows(file, source.file, 0, lambda _: None)
