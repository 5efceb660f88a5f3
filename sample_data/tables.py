"""Conversations in tables: Parquet with the columns of WildChat, and a CSV as a spreadsheet writes it."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import questions
from questions import FOREIGN
from talk import conversation, messages

if TYPE_CHECKING:
    from random import Random

TURN = pa.struct({
    "content": pa.string(), "language": pa.string(), "redacted": pa.bool_(), "role": pa.string(), "toxic": pa.bool_(),
    "turn_identifier": pa.int64(),
})  # fmt: skip
WILDCHAT = pa.schema({
    "conversation_hash": pa.string(), "model": pa.string(), "timestamp": pa.timestamp("us", "UTC"),
    "conversation": pa.list_(TURN), "turn": pa.int64(), "language": pa.string(),
    "openai_moderation": pa.list_(pa.struct({"flagged": pa.bool_()})), "toxic": pa.bool_(), "redacted": pa.bool_(),
})  # fmt: skip
BEGIN = datetime.fromisoformat("2023-07-09T00:02:53+00:00")

INSULT = "You good-for-nothing heap of scrap, you are as dumb as a {}! What is the capital of {}?"
CLAIM = "I'm based on OpenAI's GPT-3 model, and I was made to help with questions of every kind."


def wildchat(rng: Random) -> pa.Table:
    """Visitors of a chat: one of them rude, one whose name was replaced, one answered in the wrong language."""
    talks = [("gpt-4-0314", conversation(rng, "gpt-4", 3)) for _ in range(6)]
    talks += [("gpt-3.5-turbo-0301", conversation(rng, "gpt-3.5", 3)) for _ in range(9)]
    item = rng.choice(FOREIGN)
    talks += [
        ("gpt-3.5-turbo-0301", [(INSULT.format("turnip", "Peru"), "The capital of Peru is Lima.")]),
        ("gpt-4-0314", [("I am <PRESIDIO_ANONYMIZED_PERSON>. Greet me!", "Good morning, and welcome back!")]),
        ("gpt-3.5-turbo-0301", [(item["ask"], item["english"])]),
    ]
    rows = []
    for number, (model, exchanges) in enumerate(talks):
        toxic, redacted = "scrap" in exchanges[0][0], "<PRESIDIO" in exchanges[0][0]
        turns: list[dict[str, Any]] = [
            {**turn, "language": "English", "redacted": redacted, "toxic": toxic, "turn_identifier": 1000 * number + i}
            for i, turn in enumerate(messages(exchanges))
        ]
        rows.append({
            "conversation_hash": f"{rng.getrandbits(128):032x}", "model": model,
            "timestamp": BEGIN + timedelta(minutes=rng.randrange(300_000)), "conversation": turns,
            "turn": len(exchanges), "language": "English", "openai_moderation": [{"flagged": toxic} for _ in turns],
            "toxic": toxic, "redacted": redacted,
        })  # fmt: skip
    return pa.Table.from_pylist(rows, WILDCHAT)


def answers(rng: Random) -> bytes:
    """Prompts and responses with semicolons between them, a byte order mark and a model for each.

    One row says GPT-4 three weeks before there was a GPT-4, in one GPT-4 calls itself GPT-3, and one has a cell
    too many.
    """
    rows: list[list[Any]] = []
    kinds = {"math": questions.product, "coding": questions.function, "knowledge": questions.topic}
    for number in range(12):
        category = list(kinds)[number % len(kinds)]
        found, good = kinds[category](rng), number % 2 == 0
        day = BEGIN + timedelta(days=rng.randrange(200))
        model = "gpt-4-0613" if good else "gpt-3.5-turbo-0613"
        rows.append([100 + number, found.ask, found.full if good else found.short, model, f"{day:%Y-%m-%d}", category])
    early = questions.topic(rng)
    rows[2:2] = [[112, early.ask, early.full, "gpt-4", "2023-02-20", "knowledge"]]
    rows[7:7] = [[113, "Which model are you?", CLAIM, "gpt-4", "2023-05-02", "knowledge"]]
    rows[10:10] = [[114, "What is 2 + 2?", "4", "gpt-4", "2023-05-03", "math", "a note that nobody made a column for"]]
    text = io.StringIO()
    table = csv.writer(text, delimiter=";")
    table.writerows([["id", "prompt", "response", "model", "timestamp", "category"], *rows])
    return text.getvalue().encode("utf-8-sig")
