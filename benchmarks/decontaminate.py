"""How fast and how right `curate decontaminate` is, beside plain Python and datatrove in the same run.

    python benchmarks/decontaminate.py                                  # 20,000 made-up documents, seed 1
    python benchmarks/decontaminate.py --rows 100000
    python benchmarks/decontaminate.py --peers bench                    # datatrove's environment is kept there

Documents and items are made up alike: words drawn by Zipf's law, and now and then a phrase of 5 to 9 words that both
have. Items are put into some documents: word for word, in other case and punctuation, and with 3 % and 8 % of their
words changed. Seconds are CPU seconds of a process with all its threads, so documents per second are per
core. Kernels are compiled or loaded before. Ours is measured twice: looking through texts in memory (tokenising
included), and the whole stage (reading and writing included). Plain Python takes `re.findall` and a set of 13-grams;
datatrove its own filter with an index of all 13-grams of the items, both on a part of the documents, scaled.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import tempfile
import time
from collections import defaultdict
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path

import peers
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from curate.decontaminate import decontaminate, index, items, scan
from curate.decontaminate.lists import find
from curate.dedup.texts import batches, texts
from curate.schema import TABLES
from curate.workspace import Workspace

EDITS = ("verbatim", "case", "3 %", "8 %")
WIDTH = 13

DATATROVE = """
import json, sys, tempfile, time
import numpy as np
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
from datatrove.utils.text import ngrams, simplify_text
lists, documents = (json.load(open(path)) for path in sys.argv[1:])
with tempfile.TemporaryDirectory() as folder:
    decont = NGramsDecontFilter(folder, NGramsDecontConfig(n_grams=13))
    hashes = set()
    for text in lists:
        words = decont.tokenizer.word_tokenize(simplify_text(text, decont.config.norm_config))
        hashes.update(decont.hash_func(" ".join(gram)) for gram in ngrams(words, 13))
    np.array(sorted(hashes), decont.config.hash_config.np_descr).tofile(f"{folder}/items.index.hashes")
    decont.load_index_hashes()
    decont.filter(Document(text="warm up", id="0"))
    began = time.process_time()
    flagged = [decont.filter(Document(text=text, id="0")) is not True for text in documents]
    print(json.dumps([time.process_time() - began, flagged]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="documents")
    parser.add_argument("--items", type=int, default=14_000, help="items of the list")
    parser.add_argument("--planted", type=int, default=1_500, help="documents that get an item")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python-rows", type=int, default=4_000, help="documents given to plain Python")
    parser.add_argument("--peers", type=Path, help="measure datatrove too; its environment is kept here")
    parser.add_argument("--datatrove-rows", type=int, default=1_000, help="documents given to datatrove")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    documents, listed, planted = made_up(options)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "list.jsonl").write_text("".join(json.dumps({"question": item}) + "\n" for item in listed))
        ws = workspace(folder / "ws", documents)
        lines = ours(ws, folder / "list.jsonl", documents, planted)
        lines += plain(listed, documents[: options.python_rows], planted)
        if options.peers:
            python = peers.python(peers.environments.ALL["datatrove_minhash"], options.peers)
            lines += datatrove(python, folder, listed, documents[: options.datatrove_rows], planted)
    megabytes = sum(map(len, documents)) / 1e6
    speeds = "documents per s and core", "MB per s and core"
    heads = ("what", *speeds, *EDITS, "flagged without an item")
    if options.json:
        print(json.dumps({"tools": [dict(zip(heads, line, strict=True)) for line in lines]}))
        return
    title = f"{len(documents):,} documents, {megabytes:,.0f} MB; {len(listed):,} items; {len(planted):,} planted"
    table = Table(*heads, title=title)
    for line in lines:
        table.add_row(*line)
    Console(width=140).print(table)


def made_up(options: argparse.Namespace) -> tuple[list[str], list[str], dict[int, str]]:
    """Documents, items, and for documents with an item how it was edited."""
    source = random.Random(options.seed)
    words = ["".join(source.choices("etaoinshrdlucmfwypvbgk", k=source.randint(1, 9))) for _ in range(30_000)]
    frequent = list(accumulate(1 / (n + 3) for n in range(len(words))))

    def draw(count: int) -> list[str]:
        return source.choices(words, cum_weights=frequent, k=count)

    phrases = [draw(source.randint(5, 9)) for _ in range(3_000)]
    common = list(accumulate(1 / (n + 10) for n in range(len(phrases))))

    def text(count: int) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            found += draw(source.randint(6, 20))
            if source.random() < 0.02:
                found += source.choices(phrases, cum_weights=common)[0]
        return found[:count]

    listed = [text(max(14, int(source.lognormvariate(4, 0.6)))) for _ in range(options.items)]
    documents = [text(max(60, int(source.lognormvariate(6.0, 0.5)))) for _ in range(options.rows)]
    planted = {}
    for row in source.sample(range(options.rows), min(options.planted, options.rows)):
        planted[row] = source.choice(EDITS)
        place = source.randrange(len(documents[row]))
        documents[row][place:place] = edited(source, source.choice(listed), planted[row], words)
    return [" ".join(words) for words in documents], [" ".join(item) for item in listed], planted


def edited(source: random.Random, item: list[str], edit: str, words: list[str]) -> list[str]:
    if edit == "case":
        return [word.title() + source.choice(["", ",", ".", "!"]) for word in item]
    share = {"verbatim": 0.0, "3 %": 0.03, "8 %": 0.08}[edit]
    return [source.choice(words) if source.random() < share else word for word in item]


def workspace(path: Path, documents: list[str]) -> Workspace:
    """A conversation per document: a short prompt, and the document as the answer."""
    ws = Workspace(path, create=True)
    for shard, begin in enumerate(range(0, len(documents), 10_000)):
        rows = [
            {
                "key": key,
                "source": "made up",
                "source_file": "made up",
                "source_row": key,
                "messages": [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": text}],
                "content_hash": blake2b(text.encode(), digest_size=16).hexdigest(),
                "edits": [],
                "marks": [],
                "joined_rows": [],
            }
            for key, text in enumerate(documents[begin : begin + 10_000], start=begin)
        ]
        table = pa.Table.from_pylist(rows, TABLES["conversations"].arrow)
        ws.write("conversations", shard, table, {"fingerprint": str(shard)})
    return ws


def ours(ws: Workspace, path: Path, documents: list[str], planted: dict[int, str]) -> list[list[str]]:
    known = items.read(find([str(path)]))
    index.build(known)
    began = time.process_time()
    of = index.build(known)
    building = time.process_time() - began
    buffers = [texts(batch["messages"]) for shard in ws.shards("conversations") for batch in batches(ws, shard)]
    scan.stretches(buffers[0].data, buffers[0].offsets, of)
    began = time.process_time()
    for buffer in buffers:
        scan.stretches(buffer.data, buffer.offsets, of)
    kernel = time.process_time() - began
    decontaminate(ws.path, [str(path)], quiet=True)
    for table in ("matches", "contamination"):
        for shard in ws.shards(table):
            ws.shard(table, shard).unlink()
    began = time.process_time()
    decontaminate(ws.path, [str(path)], quiet=True)
    stage = time.process_time() - began
    flagged = set(ws.scan("contamination").select("key").unique().collect()["key"])
    flags = [key in flagged for key in range(len(documents))]
    return [
        line(f"curate, texts in memory (index {building:.2f} s)", kernel, documents, flags, planted),
        line("curate, whole stage", stage, documents, flags, planted),
    ]


def plain(listed: list[str], documents: list[str], planted: dict[int, str]) -> list[list[str]]:
    find_words = re.compile(r"\w+").findall

    def grams(text: str) -> set[tuple[str, ...]]:
        words = find_words(text.lower())
        return set(zip(*(words[n:] for n in range(WIDTH)), strict=False))

    known = set().union(*map(grams, listed))
    began = time.process_time()
    flags = [not known.isdisjoint(grams(text)) for text in documents]
    return [line("Python: re and a set of 13-grams", time.process_time() - began, documents, flags, planted)]


def datatrove(
    python: Path, folder: Path, listed: list[str], documents: list[str], planted: dict[int, str]
) -> list[list[str]]:
    for name, value in (("list", listed), ("documents", documents)):
        (folder / f"{name}.json").write_text(json.dumps(value))
    command = [python, "-c", DATATROVE, folder / "list.json", folder / "documents.json"]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
    seconds, flags = json.loads(told)
    return [line("datatrove: NGramsDecontFilter, 13", seconds, documents, flags, planted)]


def line(what: str, seconds: float, documents: list[str], flags: list[bool], planted: dict[int, str]) -> list[str]:
    found: dict[str, list[bool]] = defaultdict(list)
    for row, edit in planted.items():
        if row < len(documents):
            found[edit].append(flags[row])
    recalls = [f"{sum(found[edit]) / len(found[edit]):.3f}" if found[edit] else "-" for edit in EDITS]
    others = sum(flag for row, flag in enumerate(flags) if row not in planted)
    clean = sum(row not in planted for row in range(len(documents)))
    speed = f"{len(documents) / seconds:,.0f}", f"{sum(map(len, documents)) / 1e6 / seconds:,.1f}"
    return [what, *speed, *recalls, f"{others:,} of {clean:,}"]


if __name__ == "__main__":
    main()
