"""Records of ShareGPT dumps: conversations of both classes and of none, copies, pages and fragments."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

import dirt
import pages
import questions
from talk import Turns, conversation, identifier, shuffled

if TYPE_CHECKING:
    from random import Random

Record = dict[str, Any]

GPT4 = "Model: GPT-4"
GPT35 = ("Model: Default (GPT-3.5)", "Model: Default (GPT-3.5)", "Model: Legacy (GPT-3.5)")
TRY_IT = "\n\nTo try it:\n\n1. Save it as `tool.py`.\n2. Start **Python** there.\n3. Type `from tool import *`."


def record(id_: str, exchanges: Turns, model: str | None = None, role: str = "gpt") -> Record:
    """A record of a ShareGPT dump."""
    turns = [
        {"from": who, "value": text} for ask, answer in exchanges for who, text in (("human", ask), (role, answer))
    ]
    return {"id": id_, **({"model": model} if model else {}), "conversations": turns}


def whole(rng: Random) -> list[Record]:
    """All of `sharegpt.json`: copies in front, then everything else in a random order."""
    records = [record(identifier(rng), conversation(rng, "gpt-4"), GPT4) for _ in range(40)]
    records += [record(identifier(rng), conversation(rng, "gpt-3.5"), rng.choice(GPT35)) for _ in range(46)]
    records += [record(identifier(rng), conversation(rng, "gpt-3.5")) for _ in range(8)]
    for role in ("chatgpt", "chatgpt", "chatgpt", "bing", "bing", "bard"):
        records.append(record(identifier(rng), conversation(rng, "gpt-3.5", 2), role=role))
    expert = sorted(records[:40], key=lambda one: sum(len(turn["value"]) for turn in one["conversations"]))[-16:]
    copies = [_copy(rng, one, rng.choice(GPT35)) for one in expert[:6]]
    copies += [{**_copy(rng, one, None), "id": one["id"]} for one in expert[6:9]]
    copies += [_nearly(_copy(rng, one, rng.choice(GPT35))) for one in expert[9:]]
    # In front of what they copy: it is not their age that removes them.
    others = [[one] for one in records + _pages(rng) + _dirt(rng)] + _fragments(rng)
    return shuffled(rng, copies) + list(chain.from_iterable(shuffled(rng, others)))


def cut(rng: Random, others: list[Record]) -> bytes:
    """All of `sharegpt_cut.json`: one line that ends within its last record; three pages of the other file, as HTML."""
    both = [("gpt-4", GPT4), ("gpt-3.5", GPT35[0])] * 9
    records = [record(identifier(rng), conversation(rng, style), model) for style, model in both]
    same = [one for one in others if one["conversations"] and one.get("model") == GPT4 and "_" not in one["id"]]
    records[4:4] = [_as_page(_copy(rng, one, GPT4)) for one in same if _is_plain(one)][:3]
    text = json.dumps(records, ensure_ascii=False).encode()
    last = json.dumps(records[-1], ensure_ascii=False).encode()
    return text[: len(text) - len(last) // 2]


def site(rng: Random) -> str:
    """A page of sharegpt.com as a browser saves it."""
    id_, found = identifier(rng), [questions.function(rng), questions.topic(rng)]
    page = _as_page(record(id_, [(one.ask, one.full) for one in found], GPT4))
    return pages.site(id_, found[0].ask, page)


def _copy(rng: Random, one: Record, model: str | None) -> Record:
    turns = [dict(turn) for turn in one["conversations"]]
    return {"id": identifier(rng), **({"model": model} if model else {}), "conversations": turns}


def _nearly(one: Record) -> Record:
    """The same with a word more at the beginning and at the end."""
    turns = one["conversations"]
    turns[0]["value"] = f"Please: {turns[0]['value']}"
    turns[-1]["value"] += " I hope that this helps you."
    return one


def _is_plain(one: Record) -> bool:
    """No page yet, and nothing wrong that a page could not show."""
    turns = one["conversations"]
    marks = ("<div", "\u200b")
    return turns[0]["from"] == "human" and not any(mark in turn["value"] for turn in turns for mark in marks)


def _as_page(one: Record) -> Record:
    for turn in one["conversations"]:
        if turn["from"] == "gpt":
            turn["value"] = pages.answer(turn["value"])
    return one


def _pages(rng: Random) -> list[Record]:
    """What the page left in the text: HTML, and its buttons and counters at the end of what somebody wrote."""
    functions = [questions.function(rng) for _ in range(4)]
    html = [_as_page(record(identifier(rng), [(one.ask, one.full + TRY_IT)], GPT4)) for one in functions[:3]]
    html[0]["conversations"][1]["value"] = "1 / 2" + html[0]["conversations"][1]["value"]
    buttons = [record(identifier(rng), conversation(rng, "gpt-3.5", 3, 2), GPT35[0]) for _ in range(5)]
    ends = ("\nShare Prompt", "\n\nShare Prompt", "\nShare Prompt", "Save & SubmitCancel", "\n\n\n2 / 2")
    for one, end in zip(buttons, ends, strict=True):
        for turn in one["conversations"][:3:2]:  # one alone might be the words of a person
            turn["value"] += end
    counted, coded = record(identifier(rng), conversation(rng, "gpt-4", 1), GPT4), functions[3]
    answer = counted["conversations"][1]["value"]
    counted["conversations"][1]["value"] += f"Copy{len(answer)} chars / {len(answer.split())} words"
    copied = record(identifier(rng), [(coded.ask, coded.full.replace("```python", "```\npythonCopy code"))], GPT4)
    return [*html, *buttons, counted, copied]


def _fragments(rng: Random) -> list[list[Record]]:
    """As the split of V3 left them: three conversations in two or three pieces, and two whose beginning is lost.

    The id ends with the number of the first turn in the whole; often that turn is the last of the piece before.
    """
    found = []
    for style, model, borders in (
        ("gpt-4", GPT4, [(0, 6), (5, 10)]),
        ("gpt-3.5", GPT35[0], [(0, 4), (4, 10)]),
        ("gpt-3.5", GPT35[0], [(0, 4), (3, 8), (8, 12)]),
        ("gpt-3.5", GPT35[0], [(5, 10)]),
        ("gpt-3.5", GPT35[0], [(1, 2)]),
    ):
        most = borders[-1][1] // 2
        one = record(identifier(rng), conversation(rng, style, most, most), model)
        found.append([
            {**one, "id": f"{one['id']}_{begin}", "conversations": one["conversations"][begin:end]}
            for begin, end in borders
        ])  # fmt: skip
    return found


def _dirt(rng: Random) -> list[Record]:
    """Records with something wrong in them, one kind after the other, and one kind of claim."""

    def new(model: str | None, style: str, most: int = 3) -> Record:
        return record(identifier(rng), conversation(rng, style, most), model)

    empty, twice = new(GPT4, "gpt-4"), new(GPT4, "gpt-4")
    empty |= {"id": twice["id"], "conversations": []}  # one id, an empty record and a real one
    nothing = [{"id": identifier(rng), "conversations": []} for _ in range(2)]
    questions_only = [new(None, "gpt-3.5", 1) for _ in range(2)]
    for one in questions_only:
        del one["conversations"][1:]
    systems = [new(GPT4, "gpt-4") for _ in range(6)]
    for one, text in zip(systems, (dirt.ADVERT, dirt.SYSTEM) * 3, strict=True):
        one["conversations"].insert(0, {"from": "system", "value": text})
    glued = new(GPT35[0], "gpt-3.5")
    glued["conversations"] += [{"from": "system", "value": dirt.SYSTEM}, *new(None, "gpt-3.5", 1)["conversations"]]
    repeats = [new(GPT35[0], "gpt-3.5") for _ in range(3)]
    for one in repeats:
        one["conversations"].insert(0, {"from": "human", "value": "Are you there?"})
    waiting = [new(GPT35[0], "gpt-3.5") for _ in range(2)]
    for one in waiting:
        one["conversations"].append({"from": "human", "value": "And what does that mean for a beginner?"})
    lost = new(GPT35[0], "gpt-3.5")
    lost["conversations"][1]["value"] += " Caf\ufffd, na\ufffdve, r\ufffdsum\ufffd."
    stranger = new(GPT35[0], "gpt-3.5", 1)
    stranger["conversations"][1]["from"] = "narrator"
    number = new(GPT35[0], "gpt-3.5", 1)
    number["conversations"][1]["value"] = 42
    single = [record(identifier(rng), [pair], model) for model, pair in dirt.exchanges(rng)]
    return [
        empty, twice, *nothing, *questions_only, *systems, glued, *repeats, *waiting, lost, stranger, number, *single,
    ]  # fmt: skip
