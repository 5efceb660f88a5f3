"""Turns as chat APIs and trainers write them: roles, parts, tool calls, loss weights.

    {"role": "assistant", "content": null, "tool_calls": [{"id": "t1", "function": {"name": "f", "arguments": "{}"}}]}
    {"from": "function_call", "value": "{\\"name\\": \\"f\\", \\"arguments\\": {}}"}
    {"role": "user", "content": [{"type": "text", "value": "Hi"}], "loss_weight": 0.0}

What a turn has beside its text goes into the message's `tool_calls`: an assistant's calls, as a JSON list of what the
record writes; the tools that a system message offers, as {"tools": …}. A tool's answer has the id of the call as its
`name`, or the tool's name where there is no id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from curate.ingest.conversation import Message, UnusableError
from curate.ingest.normalise import json_text, optional_text, role_of

PLAIN_ROLES = {"user": "user", "assistant": "assistant", "system": "system"}
# LLaMA-Factory and ms-swift: what such a turn says is the call.
CALL_ROLES = {"function_call", "tool_call", "function-call", "tool-call"}
RESULT_ROLES = {"tool_response", "function_response", "tool-response", "function-response", "ipython"}
TEXT_PARTS = {"text", "input_text", "output_text", "refusal"}
REASONING_PARTS = {"reasoning", "thinking", "redacted_thinking"}
CALL_PARTS = {"tool_call", "tool_use", "function_call"}
# Where the words of a turn without `value` or `content` are: RyokoAI's dumps, refusals of the OpenAI API.
STAND_INS = ("markdown", "text", "refusal")
MEDIA = ("image", "images", "video", "videos", "audio", "audios")
MAX_WEIGHT = 1e9


@dataclass
class _Said:
    """What one turn says."""

    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)


def messages_of(turns: Any, edits: list[str]) -> list[Message]:
    """One message for each of a list of turns; what was normalised is added to `edits`.

    Raises:
        UnusableError: It is no list, or see `message_of`.
    """
    if not isinstance(turns, list):
        raise UnusableError("bad_message", "the turns are not a list")
    messages = []
    for number, turn in enumerate(turns):
        try:  # nearly all turns are plain, and a file may have millions
            if len(turn) == 2 and type(content := turn["content"]) is str:
                messages.append(Message(PLAIN_ROLES[turn["role"]], content))
                continue
        except (KeyError, TypeError):
            pass
        messages.append(message_of(turn, number, edits))
    return messages


def message_of(turn: Any, number: int, edits: list[str]) -> Message:
    """The message of one turn, `{"role", "content"}` or `{"from", "value"}`; `number` is its place, for errors.

    Raises:
        UnusableError: It is none, has an unknown role, or a part that is no text.
    """
    if not isinstance(turn, dict) or not ("role" in turn or "from" in turn):
        raise UnusableError("bad_message", f"turn {number} has no role")
    word = turn["role"] if "role" in turn else turn["from"]
    folded = word.strip().lower() if isinstance(word, str) else ""
    content = turn["content"] if turn.get("content") is not None else turn.get("value")
    speaker = None
    if folded in CALL_ROLES:
        if content is None:
            raise UnusableError("bad_message", f"turn {number} calls nothing")
        role, said = "assistant", _Said(calls=_calls(content, edits))
    else:
        role, speaker = ("tool", None) if folded in RESULT_ROLES else role_of(word)
        said = _said(turn, content, number, edits)
    return Message(
        role,
        _text(said, edits),
        optional_text(turn.get("model")),
        speaker or optional_text(turn.get("tool_call_id")) or optional_text(turn.get("name")),
        "[" + ",".join(said.calls) + "]" if said.calls else None,
        weight_of(turn.get("weight", turn.get("loss_weight"))),
    )


def weight_of(value: Any) -> float | None:
    """A weight in the loss: a number from 0 on, or null where the record states none."""
    return float(value) if type(value) in (int, float) and 0 <= value <= MAX_WEIGHT else None


def refuse_media(record: dict[str, Any]) -> None:
    """Nothing, for a record of words alone.

    Raises:
        UnusableError: `not_text`. Without its picture, a question about it teaches to make things up.
    """
    for name in MEDIA:
        if record.get(name):
            raise UnusableError("not_text", f"the record has `{name}`")


def add_system(messages: list[Message], system: Any, edits: list[str]) -> None:
    """The system prompt that a record has beside its turns; a system turn at their beginning comes first."""
    text = optional_text(system)
    if not text or not messages:
        return
    if messages[0].role != "system":
        messages.insert(0, Message("system", text))
    elif messages[0].content != text:
        edits.append("system_dropped")


def add_tools(messages: list[Message], tools: Any, edits: list[str]) -> None:
    """The tools that were offered, as `tool_calls` of the system message; one without words is made where none is.

    Every chat template writes tools into the system message, each in its own way, so they are no words of ours.

    Args:
        messages: The conversation.
        tools: Definitions, or the JSON of them; no or an empty list offers nothing.
        edits: What was normalised.
    """
    text = tools.strip() if isinstance(tools, str) else None
    given = tools if text is None else _parsed(text)
    if not given or not messages:
        return
    if messages[0].role != "system":
        messages.insert(0, Message("system", ""))
    definitions = json_text(given) if text is None or given is text else text
    messages[0] = messages[0]._replace(tool_calls=f'{{"tools":{definitions}}}')
    edits.append("tools_in_system")


def _said(turn: dict[str, Any], content: Any, number: int, edits: list[str]) -> _Said:
    said = _Said(calls=_calls(turn.get("tool_calls") or turn.get("function_call"), edits))
    if isinstance(content, list):
        _read_parts(content, said, number, edits)
    elif isinstance(content, dict) and isinstance(content.get("answer"), str):  # arena-hard v2
        said.texts.append(content["answer"])
        edits.append("content_unwrapped")
    elif not content and (name := next((name for name in STAND_INS if _is_words(turn.get(name))), None)):
        said.texts.append(turn[name])
        edits.append(f"{name}_used")
    elif isinstance(content, str):
        said.texts.append(content)
    elif content is not None or not said.calls:
        raise UnusableError("bad_message", f"the content of turn {number} is not text")
    if _is_words(turn.get("reasoning_content")):
        said.reasoning.append(turn["reasoning_content"])
    return said


def _read_parts(parts: list[Any], said: _Said, number: int, edits: list[str]) -> None:
    for part in parts:
        kind, words = "text", part
        if isinstance(part, dict):
            kind = part["type"] if isinstance(part.get("type"), str) else kind
            words = next((part[name] for name in ("text", "value", kind) if isinstance(part.get(name), str)), None)
        if kind in CALL_PARTS:
            said.calls += _calls(part if words is None else words, edits)
        elif kind in REASONING_PARTS and words is None:  # encrypted, or a summary of nothing
            edits.append("reasoning_dropped")
        elif kind in REASONING_PARTS:
            said.reasoning.append(words)
        elif kind in TEXT_PARTS and isinstance(words, str):
            said.texts.append(words)
        else:
            raise UnusableError("not_text", f"turn {number} has a part that is no text: {kind!r:.80}")
    if len(said.texts) != 1 and not said.calls:
        edits.append("parts_joined")


def _text(said: _Said, edits: list[str]) -> str:
    """The words of a turn; reasoning stands before them as open models write it, and is left out before mere calls."""
    text = "\n".join(said.texts)
    if not said.reasoning:
        return text
    if said.calls and not text:
        edits.append("reasoning_dropped")
        return text
    edits.append("reasoning_in_content")
    return "<think>\n" + "\n".join(said.reasoning) + "\n</think>\n\n" + text


def _calls(value: Any, edits: list[str]) -> list[str]:
    """The JSON of each call: of one object, of a list of them, or of either as JSON already."""
    if isinstance(value, str):
        text = value.strip()
        parsed = _parsed(text)
        if isinstance(parsed, dict):
            return [text]
        if isinstance(parsed, list):
            return [text[1:-1]] if parsed else []
        edits.append("call_not_json")
        return [json_text(value)]
    if isinstance(value, list):
        return [json_text(call) for call in value]
    return [] if value is None else [json_text(value)]


def _parsed(text: str) -> Any:
    """The value of JSON, or the text itself when it is none."""
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _is_words(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
