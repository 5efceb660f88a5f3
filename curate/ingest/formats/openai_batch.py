"""OpenAI batch output, joined to the batch input file by `custom_id`; chat, responses and completions.

    {"id": "batch_req_1", "custom_id": "r1", "error": null, "response": {"status_code": 200, "request_id": "x",
     "body": {"model": "gpt-4-0613", "choices": [{"message": {"role": "assistant", "content": "Hello!"},
                                                  "finish_reason": "stop"}]}}}
    {"custom_id": "r1", "method": "POST", "url": "/v1/chat/completions",
     "body": {"model": "gpt-4", "messages": [{"role": "user", "content": "Hi"}]}}

Lines of the batch's error file are read too: a request that failed is counted as unusable.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.chat import add_system, add_tools, message_of, messages_of
from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.moments import moment
from curate.ingest.normalise import optional_text

# Reasons to stop that leave an answer cut off.
CUT = ("length", "content_filter")


def matches(record: dict[str, Any]) -> bool:
    """An answer to a request of a batch, or the error in its place."""
    return (
        "custom_id" in record
        and "messages" not in record
        and "body" not in record
        and (isinstance(record.get("response"), dict) or ("error" in record and record.get("response") is None))
    )


def companion(record: dict[str, Any]) -> tuple[str, Any] | None:
    """A request: its id, and what was asked."""
    key, body = optional_text(record.get("custom_id")), record.get("body")
    return (key, body) if key and isinstance(body, dict) and "response" not in record else None


def needs(record: dict[str, Any]) -> str:
    """The id of the request that was answered."""
    return optional_text(record.get("custom_id")) or ""


def convert(record: dict[str, Any], prompt: Any = None) -> list[Conversation | UnusableError]:
    """Each choice is a conversation, `incomplete` where the answer was cut off.

    Raises:
        UnusableError: The request failed, is not in the batch input, or asked for something other than text.
    """
    body = _answered(record)
    if not isinstance(prompt, dict):
        raise UnusableError("no_prompt", f"no request `{needs(record)}` in the batch input")
    edits: list[str] = []
    asked = _asked(prompt, edits)
    choices = body.get("choices")
    if isinstance(body.get("output"), list):
        choices = [body]
    if not isinstance(choices, list):
        raise UnusableError("unknown_shape", "the answer has neither `choices` nor `output`")
    if not choices:
        raise UnusableError("empty", "no choices")
    outcomes: list[Conversation | UnusableError] = []
    for choice in choices:
        try:
            outcomes.append(_conversation(record, body, prompt, asked, choice, edits))
        except UnusableError as error:
            outcomes.append(error)
    return outcomes


def _answered(record: dict[str, Any]) -> dict[str, Any]:
    response = record.get("response")
    response = response if isinstance(response, dict) else {}
    body, status = response.get("body"), response.get("status_code")
    body = body if isinstance(body, dict) else {}
    error = record.get("error") or body.get("error")
    if error or status not in (200, None) or not body:
        error = error if isinstance(error, dict) else {"message": error}
        said = [optional_text(value) for value in (status, error.get("code"), error.get("message"))]
        raise UnusableError("failed_request", ": ".join(filter(None, said))[:300] or "no answer")
    return body


def _asked(request: dict[str, Any], edits: list[str]) -> list[Message]:
    turns: Any = request.get("messages", request.get("input", request.get("prompt")))
    messages = [Message("user", turns)] if isinstance(turns, str) else messages_of(turns, edits)
    add_system(messages, request.get("instructions"), edits)
    add_tools(messages, request.get("tools") or request.get("functions"), edits)
    return messages


def _conversation(
    record: dict[str, Any],
    body: dict[str, Any],
    request: dict[str, Any],
    asked: list[Message],
    choice: Any,
    asked_edits: list[str],
) -> Conversation:
    if not isinstance(choice, dict):
        raise UnusableError("bad_message", "a choice is not an object")
    edits = list(asked_edits)
    if isinstance(choice.get("output"), list):
        turn, cut = _said(choice["output"]), choice.get("status") == "incomplete"
    else:
        turn = choice.get("message", {"role": "assistant", "content": choice.get("text")})
        cut = choice.get("finish_reason") in CUT
    answer = message_of(turn, len(asked), edits)
    return Conversation(
        [*asked, answer],
        optional_text(record.get("custom_id")),
        optional_text(body.get("model")) or optional_text(request.get("model")),
        moment(body.get("created") or body.get("created_at")),
        edits=sorted(set(edits)),
        marks=["incomplete"] if cut else [],
    )


def _said(items: list[Any]) -> dict[str, Any]:
    """The output of `/v1/responses` as one turn: the parts of its messages, and its calls."""
    items = [item for item in items if isinstance(item, dict)]
    contents = [item.get("content") for item in items if item.get("type") == "message"]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    calls = [item for item in items if item.get("type") == "function_call"]
    return {"role": "assistant", "content": parts or None, "tool_calls": calls}
