"""ShareGPT dumps: RyokoAI's, V3 and Vicuna files, WizardLM, FastChat's and OpenChat's inputs, LLaMA-Factory's rows.

    {"id": "QWJhYvA_0", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]}

`conversations` may be called `items`, and its turns may have `role` and `content`. Where a turn has its text as HTML
in `value` and as `markdown` too, `value` is read: it is what the page said, converted once and not twice. Of an empty
`value`, `markdown` or `text` takes the place. `curate/ingest/chat.py` says what becomes of tools.
"""

from __future__ import annotations

from typing import Any

from curate.ingest.chat import add_system, add_tools, message_of, refuse_media
from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.languages import language_code
from curate.ingest.moments import moment
from curate.ingest.normalise import is_null, optional_text

SIDES = {"human": "user", "gpt": "assistant"}
OWN = {"id", "idx", "conversation_id", "conversations", "model", "model_name", "lang", "language", "category",
       "created_at", "system", "system_message", "system_prompt", "tools"}  # fmt: skip
# More than one line, or a longer one, is no model's name.
MAX_MODEL = 100


def matches(record: dict[str, Any]) -> bool:
    """Turns with `from` under `conversations` or `items`, or with `role` under `conversations`.

    Where there is null in the place of `conversations` or of its first turn, all other columns are ShareGPT's.
    """
    turns = record.get("conversations")
    if is_null(turns) and "conversations" in record:
        return record.keys() <= OWN
    if isinstance(turns, list):
        if "chosen" in record or "rejected" in record or isinstance(record.get("messages"), list):
            return False
        return not turns or (isinstance(turns[0], dict) and ("from" in turns[0] or "role" in turns[0]))
    turns = record.get("items")
    if not isinstance(turns, list):
        return False
    if not turns:
        return not ("condition" in record or "system" in record)
    return isinstance(turns[0], dict) and "from" in turns[0]


def convert(record: dict[str, Any]) -> Conversation:
    """One record is one conversation."""
    turns = record.get("conversations")
    turns = record.get("items") if turns is None else turns
    if not isinstance(turns, list):
        raise UnusableError("bad_message", "`conversations` or `items` is not a list")
    messages = []
    edits: list[str] = []
    for number, turn in enumerate(turns):
        try:
            if len(turn) == 2 and type(content := turn["value"]) is str:
                messages.append(Message(SIDES[turn["from"]], content))
                continue
        except (KeyError, TypeError):
            pass
        messages.append(message_of(turn, number, edits))
    source_id = optional_text(record.get("id"))
    if len(record) == 2 and source_id and not edits:
        return Conversation(messages, source_id)
    model = _model(record, messages, edits)
    refuse_media(record)
    add_system(messages, record.get("system") or record.get("system_message") or record.get("system_prompt"), edits)
    add_tools(messages, record.get("tools"), edits)
    return Conversation(
        messages,
        source_id or optional_text(record.get("idx")) or optional_text(record.get("conversation_id")),
        model,
        created_at=moment(record.get("created_at")),
        language=language_code(record.get("lang")) or language_code(record.get("language")),
        task=optional_text(record.get("category")),
        edits=sorted(set(edits)),
        marks=["undesirable"] if record.get("kto_tag") is False else [],
    )


def _model(record: dict[str, Any], messages: list[Message], edits: list[str]) -> str | None:
    """The model as written; ShareGPT's extension took the head of the page for it, perhaps the question itself.

    Source: domeccleston/sharegpt, extension/index.js: without the Plus button it reads the first child of the thread.
    """
    model = optional_text(record.get("model")) or optional_text(record.get("model_name"))
    if model is None:
        return None
    folded = model.strip()
    is_question = bool(messages) and messages[0].role == "user" and messages[0].content.strip() == folded
    if len(folded) > MAX_MODEL or "\n" in folded or is_question:
        edits.append("page_text_no_model")
        return None
    return model
