"""What every dump's text goes through behind its format: page markup, buttons, adverts, invisible characters.

Each change is named in `edits`, and text without any of the marks comes out byte for byte:

    html              an answer of a ShareGPT page, turned into Markdown (a page's prompt: into its text)
    html_failed       such an answer whose tags do not fit together, or that may not be one; left as it is
    copy_code         the button of a code block
    counter           "2 / 2", how often a prompt was edited
    share_prompt, edit_buttons, translate_button, char_count
                      buttons and counts at the end of a turn
    policy_warning    the orange line below a prompt
    zero_width        invisible characters; nul: U+0000
    advert            a system message that advertises the tool with which the chat was shared
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from curate.ingest import html
from curate.ingest.copy_code import BUTTON, without_copy_code
from curate.ingest.ui_text import is_suspect, without_char_count, without_first_counter, without_tails
from curate.ingest.zero_width import has_zero_width, without_zero_width

if TYPE_CHECKING:
    from curate.ingest.conversation import Conversation

_ADVERT = re.compile(
    r"\*?This (?:chat )?conversation (?:is|was) shared (?:from|with|via) "
    r"\[\**(?:TypingMind(?:\.com)?|ChatHub)\**\]\(https?://[^)\s]*\)\.?\*?",
    re.IGNORECASE,
)

# An answer's HTML, perhaps with a counter before it.
_PAGE_BEGINS = "< \r\n123456789"


def tidy(conversation: Conversation) -> Conversation:
    """The conversation itself, its messages' texts changed where they bear marks; it may have no message left."""
    for role, content, *_ in conversation.messages:
        if (
            BUTTON in content
            or "\0" in content
            or has_zero_width(content)
            or (content[:1] in _PAGE_BEGINS and "<div" in content.lstrip()[:12])
            or (role == "user" and is_suspect(content))
            or (role == "assistant" and content[-8:].rstrip().endswith("words"))
            or (role == "system" and "shared" in content)
        ):
            _tidy(conversation)
            break
    return conversation


def _tidy(conversation: Conversation) -> None:
    messages = conversation.messages
    edits = set(conversation.edits)
    contents = [_invisible(message.content, edits) for message in messages]
    by_role = {
        role: [number for number, message in enumerate(messages) if message.role == role]
        for role in ("system", "user", "assistant")
    }
    is_page = _pages(contents, by_role["user"], by_role["assistant"], edits)

    has_button = False
    for number in by_role["assistant"]:
        response = _named(contents[number], without_char_count(contents[number]), "char_count", edits)
        is_page |= response != contents[number]
        contents[number] = _named(response, without_copy_code(response), "copy_code", edits)
        has_button |= contents[number] != response
    prompts, marks = without_tails([contents[number] for number in by_role["user"]], is_page or has_button)
    edits |= marks
    for number, prompt in zip(by_role["user"], prompts, strict=True):
        contents[number] = _named(prompt, without_copy_code(prompt), "copy_code", edits)
        has_button |= contents[number] != prompt
    for number in by_role["assistant"] if has_button else ():
        response = contents[number]
        contents[number] = _named(response, without_copy_code(response, proven=True), "copy_code", edits)

    adverts = set()
    for number in by_role["system"]:
        rest = _ADVERT.sub("", contents[number])
        if rest != contents[number]:
            edits.add("advert")
            contents[number] = rest.strip()
            if not contents[number]:
                adverts.add(number)

    conversation.messages = [
        message if message.content == content else message._replace(content=content)
        for number, (message, content) in enumerate(zip(messages, contents, strict=True))
        if number not in adverts
    ]
    if edits != set(conversation.edits):
        conversation.edits = sorted(edits)


def _invisible(text: str, edits: set[str]) -> str:
    text = _named(text, without_zero_width(text), "zero_width", edits)
    return _named(text, text.replace("\0", ""), "nul", edits)


def _pages(contents: list[str], prompts: list[int], responses: list[int], edits: set[str]) -> bool:
    """Turn what was saved as HTML into text; without a page's answer among them, no prompt is looked at.

    Returns:
        Whether an answer was a page's.
    """
    is_page = False
    boxes: list[tuple[int, str]] = []
    for number in responses:
        page = without_first_counter(contents[number])
        if html.is_page(page):
            is_page |= _page(number, page, contents, edits)
        elif html.is_box(page):
            boxes.append((number, page))
    for number, page in boxes:
        if is_page:
            _page(number, page, contents, edits)
        elif html.may_be_page(page):
            edits.add("html_failed")
    for number in prompts if is_page else ():
        text = html.prompt_text(contents[number])
        if text is not None:
            contents[number] = _invisible(_named(contents[number], text, "html", edits), edits)
        contents[number] = _named(contents[number], without_first_counter(contents[number]), "counter", edits)
    return is_page


def _page(number: int, page: str, contents: list[str], edits: set[str]) -> bool:
    """Put an answer's Markdown into `contents`, if it can be had; `page` is the answer without its counter."""
    markdown = html.to_markdown(page)
    if markdown is None:
        edits.add("html_failed")
        return False
    edits.add("html")
    _named(contents[number], page, "counter", edits)
    contents[number] = _invisible(markdown, edits)
    return True


def _named(before: str, after: str, edit: str, edits: set[str]) -> str:
    if before != after:
        edits.add(edit)
    return after
