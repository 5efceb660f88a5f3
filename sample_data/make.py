"""Make the files of this folder again: `python sample_data/make.py [FOLDER]`. Running it twice changes no byte.

Everything in them is made up or computed here. Needs pyarrow for Parquet and zstd, nothing else.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from random import Random

import account
import api_log
import feedback
import pyarrow as pa
import pyarrow.parquet as pq
import sharegpt
import tables
from questions import exchange
from talk import conversation, lines, shuffled


def alpaca(rng: Random) -> bytes:
    """One answer a line, by several generators; some of the questions are asked of two of them."""
    records = []
    for style, generators in {
        "gpt-4": ["gpt4"] * 32,
        "gpt-3.5": ["gpt-3.5-turbo-0301"] * 40 + ["text_davinci_003"] * 10,
    }.items():
        for generator in generators:
            ((ask, answer),) = conversation(rng, style, 1)
            instruction, colon, text = ask.partition(": ")
            extra = text if colon and ask.startswith("Translate") else rng.choice(["", "", "<noinput>"])
            record = {"instruction": instruction if extra == text else ask, "input": extra, "output": answer}
            records.append({**record, "generator": generator})
    for _ in range(4):
        found = exchange(rng)
        records.append({"instruction": found.ask, "input": "", "output": found.full, "generator": "human"})
    return lines(shuffled(rng, records))


def make(folder: Path) -> None:
    """Write all files; each has random numbers of its own, so that changing one leaves the others alone."""
    whole = sharegpt.whole(Random("sharegpt"))
    (folder / "sharegpt.json").write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", "utf-8")
    (folder / "sharegpt_cut.json").write_bytes(sharegpt.cut(Random("sharegpt_cut"), whole))
    (folder / "sharegpt_page.html").write_text(sharegpt.site(Random("sharegpt_page")), "utf-8")
    with gzip.GzipFile(folder / "api_log.jsonl.gz", "wb", mtime=0) as packed:
        packed.write(api_log.log(Random("api_log")))
    with pa.CompressedOutputStream(str(folder / "alpaca.jsonl.zst"), "zstd") as stream:
        stream.write(alpaca(Random("alpaca")))
    (folder / "chatgpt_export.zip").write_bytes(account.archive(Random("chatgpt_export")))
    for name, records in feedback.bench(Random("mt_bench")).items():
        file = folder / "mt_bench" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(lines(records))
    (folder / "preferences.jsonl").write_bytes(lines(feedback.preferences(Random("preferences"))))
    (folder / "thumbs.jsonl").write_bytes(lines(feedback.thumbs(Random("thumbs"))))
    pq.write_table(tables.wildchat(Random("wildchat")), folder / "wildchat.parquet", compression="zstd")
    (folder / "answers.csv").write_bytes(tables.answers(Random("answers")))


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
