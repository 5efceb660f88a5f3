"""A log of chat requests as JSON Lines: a model per record, tools, personal data, and lines that nobody can read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from talk import conversation, identifier, messages, shuffled

if TYPE_CHECKING:
    from random import Random

MODELS = {"gpt-4-0314": 16, "gpt-3.5-turbo-0301": 20, "text-davinci-002-render-sha": 5, "gpt-4o-mini": 3}
# Nobody's: there is no domain .zz and no bank 99173004; 030 23125 is set aside for German films.
EMAIL, PHONE, IBAN = "mara.lindqvist@lantern-orchard.zz", "+49 30 23125 417", "DE48 9917 3004 0048 2619 35"


def log(rng: Random) -> bytes:
    """The whole file."""
    lines = []
    for model in [model for model, count in MODELS.items() for _ in range(count)]:
        style = "gpt-4" if model.startswith("gpt-4-") else "gpt-3.5"
        exchanges = conversation(rng, style)
        lines.append({"id": f"chatcmpl-{identifier(rng)}", "model": model, "messages": messages(exchanges)})
    lines += [{"model": "gpt-3.5-turbo-0301", "messages": messages([pair])} for pair in _personal(rng)]
    lines = shuffled(rng, lines)
    lines += [{"model": "gpt-4-0613", "messages": turns} for turns in (_tools(), _parts(), _picture())]
    packed = [json.dumps(line, ensure_ascii=False).encode() for line in lines]
    for place, line in _unreadable().items():
        packed.insert(place, line)
    return b"\xef\xbb\xbf" + b"\n".join(packed) + b"\n"


def _personal(rng: Random) -> list[tuple[str, str]]:
    """What visitors should have kept to themselves."""
    key = "sk-" + "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", k=48))
    return [
        (
            f"Write a friendly line to {EMAIL}: the lamp has arrived.",
            f"To {EMAIL}: the lamp has arrived in one piece and already stands on my desk. Thank you!",
        ),
        (
            f"Write a note for the door: the tent can be collected, phone {PHONE}.",
            f"The tent is ready and can be collected. Please call {PHONE} before you come.",
        ),
        (
            f"Put this into one sentence: the price of the kettle goes to {IBAN}.",
            f"Please transfer the price of the kettle to the account {IBAN}.",
        ),
        (
            f'Why does this fail?\n\n```python\nclient = OpenAI(api_key="{key}")\nclient.chat("hi")\n```',
            "The client has no method of that name. Ask for `client.chat.completions.create` with model and messages.",
        ),
    ]


def _tools() -> list[dict[str, Any]]:
    city = "Oslo"
    call = [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": f'{{"city": "{city}"}}'}}]
    return [
        {"role": "user", "content": f"Do I need an umbrella in {city} today?"},
        {"role": "assistant", "content": None, "tool_calls": call},
        {"role": "tool", "name": "weather", "content": '{"rain_mm": 4.2}'},
        {"role": "assistant", "content": f"Yes: 4.2 mm of rain are expected in {city} today."},
    ]


def _parts() -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": [{"type": "text", "text": text} for text in ("Which is larger:", "7/9 or 3/4?")]},
        {"role": "assistant", "content": "7/9 = 28/36 and 3/4 = 27/36, so 7/9 is larger."},
    ]


def _picture() -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}]}]


def _unreadable() -> dict[int, bytes]:
    """Lines by the place where they go."""
    good = b'{"model": "gpt-3.5-turbo-0301", "messages": [{"role": "user", "content": "%s"}]}'
    return {
        5: b"",
        9: good[:-2] % b"no bracket at the end",
        14: good % b"caf\xe9 in Latin-1",
        20: good % b"half of a pair: \\ud83d",
        27: b'{"model": "gpt-4-0314", ' + good[1:] % b"two models",
        33: b"42",
        38: b'{"error": {"code": 429, "message": "rate limited"}}',
    }
