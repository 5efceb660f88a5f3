"""MOSS: multi-turn conversations with plugins, the special tokens of the model in every text.

    {"conversation_id": 1, "meta_instruction": "You are MOSS.", "num_turns": 1, "category": "tool", "chat": {
        "turn_1": {"Human": "<|Human|>: 2 times 8?<eoh>", "Inner Thoughts": "<|Inner Thoughts|>: Multiply.<eot>",
            "Commands": "<|Commands|>: Calculate('2*8')<eoc>", "Tool Responses": "<|Results|>: 16<eor>",
            "MOSS": "<|MOSS|>: 16.<eom>"}}}
    {"prefix": "You are MOSS.", "num_turns": 1, "plain_text": "[Human]: Hi<eoh> [MOSS]: Hello!<eoa>"}

The second shape is moss-002's; one that does not end with a marker was cut off. "None" says that there is no thought,
command or result.
Source: README and `SFT_data` of OpenLMLab/MOSS; fnlp/moss-002-sft-data.
"""

from __future__ import annotations

import re
from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.normalise import json_text, optional_text

# The sections of a turn, and what their markers call them.
SECTIONS = {"Human": "Human", "Inner Thoughts": "Inner Thoughts", "Commands": "Commands", "Results": "Tool Responses"}
OPENING = r"\s*(?:<\|(?P<tag>Human|Inner Thoughts|Commands|Results|MOSS)\|>|\[(?P<name>Human|MOSS)\])\s*:"
BEGIN = re.compile(r"\A" + OPENING)
END = re.compile(r"(?:<eo[hmtcria]>\s*)+\Z")
# Up to the token that ends a piece, so that a marker quoted inside it is text.
PIECE = re.compile(OPENING + r".*?(?:<eo[hmtcria]>|\Z)", re.DOTALL)
TURN = re.compile(r"turn_(\d+)")


def matches(record: dict[str, Any]) -> bool:
    """Turns under `chat`, or a `plain_text` with the tokens of MOSS; null beside the words for the model."""
    chat, plain = record.get("chat"), record.get("plain_text")
    if isinstance(chat, dict):
        return "turn_1" in chat or (not chat and "meta_instruction" in record)
    if chat is None and plain is None:
        return any(record.keys() >= names for names in ({"chat", "meta_instruction"}, {"plain_text", "prefix"}))
    return isinstance(plain, str) and ("[Human]:" in plain or "<|Human|>:" in plain)


def convert(record: dict[str, Any]) -> Conversation:
    """Thoughts are dropped; a command other than None becomes a tool call, its result a tool message."""
    edits: list[str] = []
    marks: list[str] = []
    chat, plain = record.get("chat"), record.get("plain_text")
    if isinstance(chat, dict):
        turns = [chat[name] for name in sorted(chat, key=_turn_number)]
    elif isinstance(plain, str):
        turns = _turns(plain)
        marks = [] if END.search(plain) else ["incomplete"]
    else:
        raise UnusableError("bad_message", "no turns under `chat` or `plain_text`")
    messages = [message for number, turn in enumerate(turns) for message in _messages(turn, number, edits)]
    system = optional_text(record.get("meta_instruction")) or optional_text(record.get("prefix"))
    if system and messages:
        messages.insert(0, Message("system", system.strip()))
    source_id = record.get("conversation_id") if "conversation_id" in record else record.get("id")
    task = optional_text(record.get("category"))
    return Conversation(messages, optional_text(source_id), task=task, edits=sorted(set(edits)), marks=marks)


def _turn_number(name: str) -> int:
    match = TURN.fullmatch(name)
    if match is None:
        raise UnusableError("bad_message", f"`chat` has {name!r:.60}, which is no turn")
    return int(match[1][:9])


def _turns(plain: str) -> list[dict[str, str]]:
    """The turns of a `plain_text`, in the shape of `chat`; each begins with the human."""
    turns: list[dict[str, str]] = []
    end = 0
    while plain[end:].strip():
        match = PIECE.match(plain, end)
        if match is None:
            raise UnusableError("bad_message", f"text outside the markers: {plain[end:].strip()!r:.60}")
        section = match["name"] or match["tag"]
        section = SECTIONS.get(section, section)
        if not turns or section == "Human" or section in turns[-1]:
            turns.append({})
        turns[-1][section] = match[0]
        end = match.end()
    return turns


def _messages(turn: Any, number: int, edits: list[str]) -> list[Message]:
    if not isinstance(turn, dict):
        raise UnusableError("bad_message", f"turn {number} is not an object")
    said = {}
    for section in ("Human", "Inner Thoughts", "Commands", "Tool Responses", "MOSS"):
        text = turn.get(section)
        if text is not None and not isinstance(text, str):
            raise UnusableError("bad_message", f"`{section}` of turn {number} is not text")
        if text is not None:
            said[section] = _bare(text, edits)
    if not said.keys() & {"Human", "MOSS"}:
        raise UnusableError("bad_message", f"turn {number} has neither `Human` nor `MOSS`")
    messages = [Message("user", said["Human"])] if "Human" in said else []
    if _given(said.get("Inner Thoughts")):
        edits.append("thoughts_dropped")
    if _given(said.get("Commands")):
        messages.append(Message("assistant", "", tool_calls=json_text([{"content": said["Commands"]}])))
    if _given(said.get("Tool Responses")):
        messages.append(Message("tool", said["Tool Responses"]))
    if "MOSS" in said:
        messages.append(Message("assistant", said["MOSS"]))
    return messages


def _bare(text: str, edits: list[str]) -> str:
    """The text between its markers."""
    bare = END.sub("", BEGIN.sub("", text, 1)).strip()
    if bare != text.strip():
        edits.append("markers_stripped")
    return bare


def _given(text: str | None) -> bool:
    return text is not None and text.strip().lower() not in ("", "none")
