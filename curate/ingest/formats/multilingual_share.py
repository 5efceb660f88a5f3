"""cryscan's multilingual-share: ShareGPT in many languages, each conversation one text.

    {"id": "idMLILF", "lang": "en", "text": "\\n<|user|>: Hi\\n\\n<|bot|>: Hello!\\n\\n"}

Pages that were themselves pasted transcripts have all their turns under one marker, with the real speaker as a heading
("**Usuario**"): when every turn has one, the headings give the roles.
"""

from __future__ import annotations

import re
from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.languages import language_code
from curate.ingest.normalise import optional_text, role_of

# Only where a line begins: elsewhere someone writes about the markers.
MARKER = re.compile(r"^[ \t]*<\|(user|bot|system)\|>:", re.MULTILINE)
BEGINNINGS = ("<|user|>:", "<|bot|>:", "<|system|>:")
HEADING = re.compile(r"\*\*(\w{4,12})\*\*[ \t]*(?:\n|\Z)")
# English, Spanish, Portuguese, French, Italian, German.
HEADINGS = {
    "system": "system sistema système",
    "user": "user usuario usuário utilisateur utente benutzer",
    "assistant": "assistant asistente assistente",
}
SPEAKERS = {word: role for role, words in HEADINGS.items() for word in words.split()}


def matches(record: dict[str, Any]) -> bool:
    """A `lang`, and a `text` that begins with a marker; null, and no other column than `id`."""
    text = record.get("text")
    if text is None:
        return record.keys() == {"id", "lang", "text"}
    return "lang" in record and isinstance(text, str) and text.lstrip().startswith(BEGINNINGS)


def convert(record: dict[str, Any]) -> Conversation:
    """The turns between the markers, without the space around them."""
    text = record.get("text")
    if not isinstance(text, str):
        raise UnusableError("bad_message", "`text` is not text")
    before, *pieces = MARKER.split(text)
    if before.strip() or not pieces:
        raise UnusableError("bad_message", "the text does not begin with a marker")
    messages = [
        Message(role_of(word)[0], said.strip()) for word, said in zip(pieces[::2], pieces[1::2], strict=True)
    ]
    headed = _headed(messages)
    edits = ["roles_from_headings"] if headed else []
    return Conversation(
        headed or messages, optional_text(record.get("id")), language=language_code(record.get("lang")), edits=edits
    )


def _headed(messages: list[Message]) -> list[Message]:
    """The messages with the roles of their headings; nothing when one has no heading."""
    headed = []
    for message in messages:
        match = HEADING.match(message.content)
        role = SPEAKERS.get(match[1].lower()) if match else None
        if match is None or role is None:
            return []
        headed.append(Message(role, message.content[match.end() :].strip()))
    return headed
