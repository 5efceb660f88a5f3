"""What a judge sees of a conversation: inert text, the judged responses whole, the middle of the history cut.

One view serves a window of responses, so that the conversation is sent once for all of them. Source,
model names and dates are never part of it.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WINDOW = 8  # responses judged in one call
CHARS_PER_TOKEN = 3
PROMPT_TOKENS = 1_800  # what rules and rubric take of the context
MOST_RESPONSE = 16_000  # characters; longer: head 60 %, tail 40 %, and the judge is told
MOST_PROMPT = 8_000
LEAST = 200  # characters; a message with less room than that is left out

# Zero-width and bidirectional marks, tags and variation selectors: they hide text from people.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]"
)
# Our own delimiters, and the tokens by which chat templates begin a turn.
_FORGED = re.compile(
    r"<(/?\s*data\b[^>\n]{0,80})>|<\|([^|\n]{0,40})\|>|\[(/?(?:INST|SYS))\]|<(/?s|/?think)>", re.IGNORECASE
)


class Limits(NamedTuple):
    """Characters that a view may take."""

    response: int
    prompt: int
    history: int
    window: int
    responses: int = WINDOW


class Window(NamedTuple):
    """One call's worth: the turns judged together, and the user message that shows them."""

    turns: tuple[int, ...]
    user: str
    partial: frozenset[int]


def limits(context: int, reply_tokens: int) -> Limits:
    """How much text fits a context of so many tokens, one reply included."""
    room = max(1_000, (context - PROMPT_TOKENS - reply_tokens) * CHARS_PER_TOKEN)
    around = min(MOST_PROMPT, room // 4)
    return Limits(min(MOST_RESPONSE, room // 2), around, around, room * 3 // 4)


def clean(text: str) -> str:
    """Text from data without hidden characters, forged delimiters and chat-template tokens."""
    text = _HIDDEN.sub("", text)
    return _FORGED.sub(lambda match: "‹" + next(group for group in match.groups() if group is not None) + "›", text)


def texts(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The messages as a judge may read them, tool calls included."""
    shown = []
    for message in messages:
        calls = message.get("tool_calls")
        shown.append(clean(message["content"]) + (f"\n[tool calls] {clean(calls)}" if calls else ""))
    return shown


def prefixes(messages: Sequence[Mapping[str, Any]], shown: Sequence[str]) -> list[str]:
    """For each message a digest of everything up to it: what tells one response from another wherever it stands."""
    digest, found = blake2b(digest_size=16), []
    for message, text in zip(messages, shown, strict=True):
        digest.update(orjson.dumps([message["role"], text]) + b"\n")
        found.append(digest.hexdigest())
    return found


def windows(
    messages: Sequence[Mapping[str, Any]],
    shown: Sequence[str],
    turns: Sequence[int],
    limits: Limits,
    references: Mapping[int, str] | None = None,
) -> Iterator[Window]:
    """The calls in which these turns are judged, in order.

    Args:
        messages: All messages; only `role` is read.
        shown: Their texts, as of `texts`.
        turns: Indices of the responses to judge, ascending.
        limits: How much may be shown.
        references: Reference answers by turn.
    """
    room, window = limits.window, list[int]()
    for turn in turns:
        begin = _asked(messages, turn)
        size = sum(min(len(shown[i]), limits.response) for i in range(begin, turn + 1))
        if window and (size > room or len(window) == limits.responses):
            yield _window(messages, shown, window, limits, references or {})
            room, window = limits.window, []
        window.append(turn)
        room -= size
    if window:
        yield _window(messages, shown, window, limits, references or {})


def cut(text: str, limit: int) -> str:
    """The head (60 %) and tail (40 %) of a text that is too long, with the gap marked."""
    if len(text) <= limit:
        return text
    head = limit * 6 // 10
    return f"{text[:head]}\n[… {len(text) - limit} characters left out …]\n{text[head - limit :]}"


def wrap(data: dict[str, Any]) -> str:
    """Data as one line of JSON between delimiters that carry a hash of it, which no text in it can know."""
    line = orjson.dumps(data).decode()
    nonce = blake2b(line.encode(), digest_size=6).hexdigest()
    return f"<data {nonce}>\n{line}\n</data {nonce}>"


def _asked(messages: Sequence[Mapping[str, Any]], turn: int) -> int:
    """Index of the user message that a response answers; its own when there is none."""
    return next((i for i in range(turn - 1, -1, -1) if messages[i]["role"] == "user"), turn)


def _window(
    messages: Sequence[Mapping[str, Any]],
    shown: Sequence[str],
    turns: list[int],
    limits: Limits,
    references: Mapping[int, str],
) -> Window:
    slots = {turn: f"r{number}" for number, turn in enumerate(turns, start=1)}
    own = {turn for turn in turns} | {_asked(messages, turn) for turn in turns}
    parts: dict[int, dict[str, Any]] = {}
    partial = set()
    for index in sorted(own):
        text = cut(shown[index], limits.response if index in slots else limits.prompt)
        if index in slots and text != shown[index]:
            partial.add(index)
        slot = {"grade": slots[index]} | ({"partial": True} if index in partial else {}) if index in slots else {}
        parts[index] = {"role": messages[index]["role"], **slot, "text": text}
    room = limits.history
    others = [index for index in range(turns[-1]) if index not in own]
    # The system message says what all the rest is about; then what was said last counts most.
    for index in sorted(others, key=lambda index: (messages[index]["role"] != "system" or index > 0, -index)):
        if room < LEAST:
            break
        text = cut(shown[index], room)
        room -= len(text)
        parts[index] = {"role": messages[index]["role"], "text": text}
    chat: list[dict[str, Any]] = []
    last = -1
    for index, part in sorted(parts.items()):
        if index > last + 1:
            chat.append({"role": "note", "text": f"{index - last - 1} messages left out"})
        chat.append(part)
        last = index
    known = {slots[turn]: cut(references[turn], limits.prompt) for turn in turns if turn in references}
    data = {"chat": chat} | ({"reference": known} if known else {})
    asked = "Grade " + ", ".join(f"`{slot}`" for slot in slots.values()) + "."
    return Window(tuple(turns), f"{wrap(data)}\n{asked}", frozenset(partial))
