"""What ChatGPT's page made of an answer: the HTML that ShareGPT saved, and words of its buttons."""

from __future__ import annotations

import html
import json
import re
from typing import Any

PROSE = '<div class="markdown prose w-full break-words dark:prose-invert light">{}</div>'
BLOCK = (
    '<pre><div class="bg-black mb-4 rounded-md"><div class="flex items-center text-gray-200 px-4 py-2">'
    '<span class="">{language}</span><button class="flex ml-auto gap-2"><svg stroke="currentColor" fill="none" '
    'viewBox="0 0 24 24"><path d="M16 4h2"></path></svg>Copy code</button></div><div class="p-4 overflow-y-auto">'
    '<code class="!whitespace-pre hljs language-{language}">{code}</code></div></div></pre>'
)
SITE = (
    "<!DOCTYPE html><html><head><title>{title}</title></head><body><div id=\"__next\"></div>\n"
    '<script id="__NEXT_DATA__" type="application/json">{data}</script></body></html>\n'
)


def answer(markdown: str) -> str:
    """The HTML of an answer whose Markdown has paragraphs, lists, fenced code, code and bold words."""
    first, *rest = re.split(r"```(\w+)\n(.*?)\n```", markdown, flags=re.DOTALL)
    parts = [_prose(first)]
    for language, code, text in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        parts += [BLOCK.format(language=language, code=html.escape(code + "\n", quote=False)), _prose(text)]
    return PROSE.format("".join(parts))


def _prose(text: str) -> str:
    return "".join(_paragraph(part) for part in text.strip().split("\n\n") if part)


def _paragraph(text: str) -> str:
    text = html.escape(text, quote=False)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", re.sub(r"`(.+?)`", r"<code>\1</code>", text))
    if re.match(r"\d+\. ", text):
        items = re.sub(r"\d+\. (.*)\n?", r"<li>\1</li>", text)
        return f"<ol>{items}</ol>"
    return f"<p>{text}</p>"


def site(id_: str, title: str, record: dict[str, Any]) -> str:
    """A shared conversation as the page that a browser saves.

    Args:
        id_: As in its address.
        title: Of the page.
        record: A record of a ShareGPT dump.
    """
    content = {"title": title, "model": record["model"], "items": record["conversations"]}
    data = {"props": {"pageProps": {"id": id_, "views": 7, "comments": [], "content": content}}, "page": "/c/[id]"}
    return SITE.format(title=title, data=json.dumps(data, ensure_ascii=False).replace("</", "<\\/"))
