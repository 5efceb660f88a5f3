"""Make the files of this folder again: `python sample_data/make.py [FOLDER]`. Running it twice changes no byte.

Everything in them is made up or computed here. Needs pyarrow for zstd, nothing else.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from defects import DEFECTS, RARE, broken, careful, hasty
from questions import exchange

Turns = list[tuple[str, str]]

ADVERT = "*This chat conversation is shared from [**TypingMind.com**](https://typingmind.com)*"
SYSTEM = "You are a patient teacher. Answer in full sentences."
RATE_LIMIT = "Too many requests in 1 hour. Try again later."
GPT4 = "Model: GPT-4"
GPT35 = ("Model: Default (GPT-3.5)", "Model: Default (GPT-3.5)", "Model: Legacy (GPT-3.5)")
# Share of broken responses.
RATE = {"gpt-4": 0.04, "gpt-3.5": 0.25}


def conversation(rng: Random, style: str, most: int = 4) -> Turns:
    """Prompt and response, up to `most` times."""
    exchanges: Turns = []
    count = rng.randint(1, most)
    for number in range(count):
        if rng.random() < RATE[style]:
            kinds = RARE if style == "gpt-4" else DEFECTS
            exchanges.append(broken(rng, kinds, last=number == count - 1))
        else:
            found = exchange(rng)
            exchanges.append((found.ask, careful(found, rng) if style == "gpt-4" else hasty(found, rng)))
    return exchanges


def sharegpt(id_: str, exchanges: Turns, model: str | None = None, role: str = "gpt") -> dict[str, Any]:
    """A record of a ShareGPT dump."""
    turns = [
        {"from": who, "value": text} for ask, answer in exchanges for who, text in (("human", ask), (role, answer))
    ]
    return {"id": id_, **({"model": model} if model else {}), "conversations": turns}


def identifier(rng: Random) -> str:
    """Seven characters, as ShareGPT's own."""
    return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", k=7))


def sharegpt_records(rng: Random) -> list[dict[str, Any]]:
    """Conversations of both classes and of none, then every kind of dirt, in a random order."""
    records = [sharegpt(identifier(rng), conversation(rng, "gpt-4"), GPT4) for _ in range(40)]
    records += [sharegpt(identifier(rng), conversation(rng, "gpt-3.5"), rng.choice(GPT35)) for _ in range(46)]
    records += [sharegpt(identifier(rng), conversation(rng, "gpt-3.5")) for _ in range(8)]
    for role in ("chatgpt", "chatgpt", "chatgpt", "bing", "bing", "bard"):
        records.append(sharegpt(identifier(rng), conversation(rng, "gpt-3.5", 2), role=role))
    expert = [record for record in records[:40] if sum(len(turn["value"]) for turn in record["conversations"]) > 700]
    copies = [_copy(rng, record, rng.choice(GPT35)) for record in expert[:6]]
    copies += [{**_copy(rng, record, None), "id": record["id"]} for record in expert[6:9]]
    copies += [_nearly(_copy(rng, record, rng.choice(GPT35))) for record in expert[9:16]]
    # In front of what they copy: it is not their age that removes them.
    return _shuffled(rng, copies) + _shuffled(rng, records + _dirt(rng))


def _copy(rng: Random, record: dict[str, Any], model: str | None) -> dict[str, Any]:
    turns = [dict(turn) for turn in record["conversations"]]
    return {"id": identifier(rng), **({"model": model} if model else {}), "conversations": turns}


def _nearly(record: dict[str, Any]) -> dict[str, Any]:
    """The same with a word more at the beginning and at the end."""
    turns = record["conversations"]
    turns[0]["value"] = f"Please: {turns[0]['value']}"
    turns[-1]["value"] += " I hope that this helps you."
    return record


def _shuffled(rng: Random, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rng.sample(records, len(records))


def _dirt(rng: Random) -> list[dict[str, Any]]:
    """Conversations with something wrong in them, one kind after the other."""

    def new(model: str | None, style: str, most: int = 3) -> dict[str, Any]:
        return sharegpt(identifier(rng), conversation(rng, style, most), model)

    empty, twice = new(GPT4, "gpt-4"), new(GPT4, "gpt-4")
    empty |= {"id": twice["id"], "conversations": []}  # one id, an empty record and a real one
    nothing = [{"id": identifier(rng), "conversations": []} for _ in range(2)]
    fragments = [new(GPT35[0], "gpt-3.5", most) for most in (1, 4, 4, 4)]  # of the first only an answer is left
    for number, record in enumerate(fragments):
        record["id"] += f"_{number + 1}"
        del record["conversations"][0]
    questions_only = [new(None, "gpt-3.5", 1) for _ in range(2)]
    for record in questions_only:
        del record["conversations"][1:]
    adverts = [new(GPT4, "gpt-4") for _ in range(3)]
    for record in adverts:
        record["conversations"].insert(0, {"from": "system", "value": ADVERT})
    systems = [new(GPT4, "gpt-4") for _ in range(3)]
    for record in systems:
        record["conversations"].insert(0, {"from": "system", "value": SYSTEM})
    pages = [new(GPT35[0], "gpt-3.5") for _ in range(3)]
    for record in pages:
        record["conversations"][0]["value"] += "\nShare Prompt"
    repeats = [new(GPT35[0], "gpt-3.5") for _ in range(3)]
    for record in repeats:
        record["conversations"].insert(0, {"from": "human", "value": "Are you there?"})
    lost = new(GPT35[0], "gpt-3.5")
    lost["conversations"][1]["value"] += " Caf\ufffd, na\ufffdve, r\ufffdsum\ufffd."
    tiny = [sharegpt(identifier(rng), [("hi", "Hello!")]), sharegpt(identifier(rng), [("ok", "Great.")])]
    silent = sharegpt(identifier(rng), [("Are you still thinking about my question?", "\u200b")], GPT4)
    blocked = sharegpt(identifier(rng), [("Go on with the second chapter, please.", RATE_LIMIT)], GPT35[0])
    stranger = new(GPT35[0], "gpt-3.5", 1)
    stranger["conversations"][1]["from"] = "narrator"
    number = new(GPT35[0], "gpt-3.5", 1)
    number["conversations"][1]["value"] = 42
    return [
        empty, twice, *nothing, *fragments, *questions_only, *adverts, *systems, *pages, *repeats, lost, *tiny,
        silent, blocked, stranger, number,
    ]  # fmt: skip


def messages(exchanges: Turns) -> list[dict[str, Any]]:
    """OpenAI messages."""
    return [
        {"role": role, "content": text}
        for pair in exchanges
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]


def api_log(rng: Random) -> bytes:
    """A log of chat requests as JSON Lines, with lines that nobody can read."""
    lines = []
    models = {"gpt-4-0314": 16, "gpt-3.5-turbo-0301": 20, "text-davinci-002-render-sha": 5, "gpt-4o-mini": 3}
    for model in [model for model, count in models.items() for _ in range(count)]:
        style = "gpt-4" if model.startswith("gpt-4-") else "gpt-3.5"
        record = {"id": f"chatcmpl-{identifier(rng)}", "model": model, "messages": messages(conversation(rng, style))}
        lines.append(json.dumps(record, ensure_ascii=False).encode())
    rng.shuffle(lines)
    city = "Oslo"
    call = [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": f'{{"city": "{city}"}}'}}]
    tools = [
        {"role": "user", "content": f"Do I need an umbrella in {city} today?"},
        {"role": "assistant", "content": None, "tool_calls": call},
        {"role": "tool", "name": "weather", "content": '{"rain_mm": 4.2}'},
        {"role": "assistant", "content": f"Yes: 4.2 mm of rain are expected in {city} today."},
    ]
    parts = [
        {"role": "user", "content": [{"type": "text", "text": text} for text in ("Which is larger:", "7/9 or 3/4?")]},
        {"role": "assistant", "content": "7/9 = 28/36 and 3/4 = 27/36, so 7/9 is larger."},
    ]
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}]}]
    for model, turns in (("gpt-4-0613", tools), ("gpt-4-0613", parts), ("gpt-4-0613", picture)):
        lines.append(json.dumps({"model": model, "messages": turns}).encode())
    good = b'{"model": "gpt-3.5-turbo-0301", "messages": [{"role": "user", "content": "%s"}]}'
    broken_lines = {
        5: b"",  # a blank line
        9: good[:-2] % b"no bracket at the end",
        14: good % b"caf\xe9 in Latin-1",
        20: good % b"half of a pair: \\ud83d",
        27: b'{"model": "gpt-4-0314", ' + good[1:] % b"two models",
        33: b"42",
        38: b'{"error": {"code": 429, "message": "rate limited"}}',
    }
    for place, line in broken_lines.items():
        lines.insert(place, line)
    return b"\xef\xbb\xbf" + b"\n".join(lines) + b"\n"


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
    records = _shuffled(rng, records)
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def make(folder: Path) -> None:
    """Write all files."""
    rng = Random(20230322)
    whole = sharegpt_records(rng)
    (folder / "sharegpt.json").write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", "utf-8")

    both = [("gpt-4", GPT4), ("gpt-3.5", GPT35[0])] * 9
    cut = [sharegpt(identifier(rng), conversation(rng, style), model) for style, model in both]
    cut[4:4] = [record for record in whole if record["conversations"] and record.get("model") == GPT4][:3]
    text = json.dumps(cut, ensure_ascii=False).encode()
    last = json.dumps(cut[-1], ensure_ascii=False).encode()
    (folder / "sharegpt_cut.json").write_bytes(text[: len(text) - len(last) // 2])

    with gzip.GzipFile(folder / "api_log.jsonl.gz", "wb", mtime=0) as packed:
        packed.write(api_log(rng))
    with pa.CompressedOutputStream(str(folder / "alpaca.jsonl.zst"), "zstd") as stream:
        stream.write(alpaca(rng))


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
