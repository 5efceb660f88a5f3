"""DevGPT: what developers linked to on GitHub and Hacker News, with the shared ChatGPT conversations behind the links.

    {"Sources": [{"Type": "issue", "URL": "https://github.com/…", "ChatgptSharing": [
        {"URL": "https://chat.openai.com/share/…", "Status": 200, "DateOfConversation": "July 27, 2023",
         "Model": "GPT-4", "NumberOfPrompts": 1, "Conversations": [{"Prompt": "Sort it.", "Answer": "[CODE_BLOCK_0]",
             "ListOfCode": [{"ReplaceString": "[CODE_BLOCK_0]", "Type": "python", "Content": "xs.sort()"}]}]},
        {"URL": "https://chat.openai.com/share/…", "Status": 404}]}]}

A record is the whole file or one of its sources. The crawler cut fenced code out of the answers: it is put back. When
an answer came in several pieces it kept the code of the last piece only; such an answer has the edit `code_lost`, and
its conversation the mark `incomplete`. Source: the crawler in the README of NAIST-SE/DevGPT.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from curate.ingest.conversation import Conversation, Message, UnusableError
from curate.ingest.normalise import optional_text

MARKER = re.compile(r"\[CODE_BLOCK_\d+\]")
DATE = re.compile(r"([A-Z][a-z]+) (\d{1,2}), (\d{4})")
MONTHS = "January February March April May June July August September October November December"


def matches(record: dict[str, Any]) -> bool:
    """A list of links or null under `ChatgptSharing`, or of sources with such lists under `Sources`."""
    if isinstance(record.get("ChatgptSharing", ""), list | None):
        return True
    sources = record.get("Sources")
    return isinstance(sources, list) and any(isinstance(item, dict) and "ChatgptSharing" in item for item in sources)


def convert(record: dict[str, Any]) -> list[Conversation | UnusableError]:
    """One conversation for each link that still led to one."""
    sources = record["Sources"] if isinstance(record.get("Sources"), list) else [record]
    found: list[Conversation | UnusableError] = []
    for source in sources:
        sharings = source.get("ChatgptSharing") if isinstance(source, dict) else None
        if not isinstance(sharings, list):
            found.append(UnusableError("bad_message", "a source without a list under `ChatgptSharing`"))
            continue
        if not sharings:
            found.append(UnusableError("empty", "a source without links"))
        for sharing in sharings:
            try:
                found.append(_conversation(sharing))
            except UnusableError as error:
                found.append(error)
    if not found:
        raise UnusableError("empty", "no shared conversation")
    return found


def _conversation(sharing: Any) -> Conversation:
    if not isinstance(sharing, dict):
        raise UnusableError("bad_message", "a shared conversation is not an object")
    turns, status = sharing.get("Conversations"), sharing.get("Status")
    url = optional_text(sharing.get("URL"))
    if not turns and status not in (None, 200):
        raise UnusableError("not_found", f"{url or 'a link'!s:.200} answered with status {optional_text(status)!s:.20}")
    if turns is None or turns == []:
        raise UnusableError("empty", f"{url or 'a link'!s:.200} has no turns")
    if not isinstance(turns, list):
        raise UnusableError("bad_message", "`Conversations` is not a list")
    messages: list[Message] = []
    edits: list[str] = []
    for number, turn in enumerate(turns):
        prompt, answer = (turn.get("Prompt"), turn.get("Answer")) if isinstance(turn, dict) else (None, None)
        if not isinstance(prompt, str) or not isinstance(answer, str):
            raise UnusableError("bad_message", f"turn {number} has no `Prompt` and `Answer`")
        messages += [Message("user", prompt), Message("assistant", _with_code(answer, turn.get("ListOfCode"), edits))]
    return Conversation(
        messages,
        url,
        optional_text(sharing.get("Model")),
        _date(sharing.get("DateOfConversation")),
        edits=sorted(set(edits)),
        marks=["incomplete"] if "code_lost" in edits else [],
    )


def _with_code(answer: str, blocks: Any, edits: list[str]) -> str:
    """The answer with its code in the places of the markers, fenced as it was."""
    fenced: dict[str, str] = {}
    for block in blocks if isinstance(blocks, list) else []:
        marker, code = (block.get("ReplaceString"), block.get("Content")) if isinstance(block, dict) else (None, None)
        if isinstance(marker, str) and marker and isinstance(code, str):
            fenced.setdefault(marker, _fence(block.get("Type"), code))
    kept, restored = answer, answer
    if fenced:
        markers = re.compile("|".join(map(re.escape, sorted(fenced, key=len, reverse=True))))
        kept, restored = markers.sub(" ", answer), markers.sub(lambda match: fenced[match[0]], answer)
    if restored != answer:
        edits.append("code_restored")
    if MARKER.search(kept):
        edits.append("code_lost")
    return restored


def _fence(language: Any, code: str) -> str:
    language = language if isinstance(language, str) else ""
    if language.endswith("```") and not code:  # a fence on one line: the crawler took all of it for the language
        return f"```{language}"
    return f"```{language}\n{code}\n```"


def _date(text: Any) -> datetime | None:
    """The day, "July 27, 2023", as its midnight; month names are English whatever the machine's language."""
    match = DATE.fullmatch(text.strip()) if isinstance(text, str) else None
    months = MONTHS.split()
    if match is None or match[1] not in months:
        return None
    try:
        return datetime(int(match[3]), months.index(match[1]) + 1, int(match[2]), tzinfo=UTC)
    except ValueError:
        return None
