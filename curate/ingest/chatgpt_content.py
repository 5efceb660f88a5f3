"""What a node of a ChatGPT export says: its content types as text, and its message in our roles."""

from __future__ import annotations

from typing import Any

from curate.ingest.conversation import Message, UnusableError
from curate.ingest.normalise import json_text, optional_text, role_of

# Notes of reasoning that the page shows folded: no part of the response.
THOUGHTS = {"thoughts", "reasoning_recap"}
# What the user asked ChatGPT to keep in mind in every conversation, and what ChatGPT remembers of the user.
CONTEXT_FIELDS = {
    "user_editable_context": ("user_profile", "user_instructions"),
    "model_editable_context": ("model_set_context", "repository", "repo_summary", "structured_context"),
}
# Fields that hold text, in the order in which a reader wants them.
TEXT_FIELDS = ("title", "name", "url", "domain", "result", "text", "summary")


def message_of(node: dict[str, Any], edits: list[str]) -> Message | None:
    """The message of a node; null for the empty root and for what is no part of the dialogue.

    Args:
        node: A value of `mapping`.
        edits: What was changed or dropped is added here.

    Raises:
        UnusableError: The node is none of ChatGPT's.
    """
    message = node.get("message")
    if message is None:
        return None
    if not isinstance(message, dict):
        raise UnusableError("bad_message", "the message of a node is not an object")
    author, content, metadata = _object(message, "author"), _object(message, "content"), _object(message, "metadata")
    role, _ = role_of(author.get("role"))
    kind = content.get("content_type")
    if isinstance(kind, str) and kind in THOUGHTS:
        edits.append("thoughts_dropped")
        return None
    text = text_of(content, edits)
    if metadata.get("is_user_system_message") is True or (isinstance(kind, str) and kind in CONTEXT_FIELDS):
        edits.append("custom_instructions" if text.strip() else "empty_dropped")
        return Message("system", text) if text.strip() else None
    if role == "system" and (not text.strip() or metadata.get("is_visually_hidden_from_conversation") is True):
        edits.append("hidden_dropped" if text.strip() else "empty_dropped")
        return None
    if kind == "system_error":
        edits.append("system_error")
        return Message("tool", text, None, optional_text(author.get("name")))
    name = optional_text(author.get("name"))
    if role != "assistant":
        return Message(role, text, None, name)
    model = optional_text(metadata.get("model_slug"))
    recipient = optional_text(message.get("recipient"))
    if recipient not in (None, "all"):
        return Message("assistant", "", model, name, json_text([{"recipient": recipient, "content": text}]))
    if not text.strip() and message.get("end_turn") is not True:
        # The page shows nothing here: the model thinks, calls a tool, or was stopped before its first word.
        edits.append("empty_dropped")
        return None
    if kind == "code":
        edits.append("code_fenced")
        language = optional_text(content.get("language"))
        text = f"```{'' if language in (None, 'unknown') else language}\n{text}\n```"
    return Message("assistant", text, model, name)


def text_of(content: dict[str, Any], edits: list[str]) -> str:
    """All that can be read of a content object; pictures and sound are named in square brackets."""
    kind = content.get("content_type")
    if isinstance(kind, str) and kind in CONTEXT_FIELDS:
        return "\n\n".join(text for field in CONTEXT_FIELDS[kind] if (text := optional_text(content.get(field))))
    parts = content.get("parts")
    if isinstance(parts, list):
        texts = [_part(part, edits) for part in parts]
        if len(texts) > 1:
            edits.append("parts_joined")
        return "\n".join(texts)
    if kind == "tether_quote":
        head = [text for field in ("title", "url") if (text := optional_text(content.get(field)))]
        return "\n\n".join(text for text in ("\n".join(head), optional_text(content.get("text"))) if text)
    if isinstance(content.get("text"), str) and kind != "system_error":
        return str(content["text"])
    texts = [text for field in TEXT_FIELDS if (text := optional_text(content.get(field)))]
    if not texts and isinstance(kind, str) and set(content) - {"content_type", "parts", *TEXT_FIELDS}:
        edits.append("content_named")
        return f"[{kind}]"
    return (": " if kind == "system_error" else "\n").join(texts)


def _part(part: Any, edits: list[str]) -> str:
    """A part of a text: itself, the transcript of a sound, or the name of what it is."""
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    edits.append("content_named")
    kind = part.get("content_type") if isinstance(part, dict) else None
    return f"[{kind}]" if isinstance(kind, str) else "[unknown]"


def _object(parent: dict[str, Any], field: str) -> dict[str, Any]:
    value = parent.get(field)
    return value if isinstance(value, dict) else {}
