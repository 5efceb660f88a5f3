"""HTML of ChatGPT's page to Markdown, and only that: what a person or a model wrote about HTML stays.

A ShareGPT page holds each answer as the `outerHTML` of its element:

    <div class="markdown prose w-full break-words dark:prose-invert light"><p>Use <code>ls</code>.</p></div>

The evidence asked for is what a browser's serialisation cannot lack: the answer begins with that very
element (its class has the words `markdown` and `prose`; plain wrappers may surround it), every tag
that HTML knows is closed in order, and the first element ends where the text ends. The box of an error
message is known by its class, too; any other `div` only in a conversation with such an answer. A prompt
on such a page was saved as text, so a prompt is HTML only when it is one wrapper of the class
`whitespace-pre-wrap` with nothing but text in it, in a conversation whose answers are HTML. A bare
`<p>` is no evidence: a model asked for HTML answers just so.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from curate.ingest.copy_code import BUTTON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bs4 import BeautifulSoup
    from bs4.element import Tag
    from markdownify import MarkdownConverter

# The converter calls itself for every level; formulas, which nest deepest, are taken out before.
MAX_DEPTH = 150

# What the page shows and nobody said.
_SILENT = frozenset(("button", "svg", "style", "script"))
_VOIDS = "area base br col embed hr img input link meta source track wbr"
_ELEMENTS = """
    a abbr article aside audio b bdi bdo blockquote body button caption circle cite clippath code colgroup data
    datalist dd defs del details dfn dialog div dl dt ellipse em fieldset figcaption figure footer foreignobject
    form g h1 h2 h3 h4 h5 h6 head header hgroup html i iframe ins kbd label legend li line lineargradient main
    map mark marker mask menu meter nav noscript object ol optgroup option output p path pattern picture polygon
    polyline pre progress q radialgradient rect rp rt ruby s samp script section select slot small span stop
    strong style sub summary sup svg symbol table tbody td template textarea tfoot th thead time title tr tspan
    u ul use var video annotation math menclose merror mfenced mfrac mi mmultiscripts mn mo mover mpadded
    mphantom mprescripts mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder
    munderover semantics
"""
_VOID = frozenset(_VOIDS.split())
_KNOWN = _VOID | frozenset(_ELEMENTS.split())
_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)"
    r"(?P<attributes>(?:\s+[^\s\"'<>/=]+(?:=\"[^\"]*\")?)*+)\s*(?P<void>/?)>|<(?:!---->|!-- -->)?"
)
_CLASS = re.compile(r'\sclass="([^"]*)"')
_ANSWER = {"markdown", "prose"}
_ERROR = {"border-red-500", "text-gray-600"}
_COLOUR = re.compile(r"text-gray-\d00")
_UI_IDS = re.compile(r"result-(?:action|counter|copy)")
_LANGUAGE_CLASS = re.compile(r"(?:language|lang)-([\w+#.-]+)")
_LANGUAGE = re.compile(r"[\w+#.-]{1,20}")
_SPACES = re.compile(r"[ \t]{2,}")


def is_page(response: str) -> bool:
    """Whether a response begins as an answer on ChatGPT's page does, or as the box of an error."""
    return any(classes >= _ANSWER or classes >= _ERROR for classes in _first_wrappers(response))


def is_box(response: str) -> bool:
    """Whether a response begins with a `div` that has a class, as everything on the page does."""
    return bool(next(_first_wrappers(response), None))


def may_be_page(response: str) -> bool:
    """Whether a box and nothing else, as is the response of a page, has classes that occur there."""
    coloured = any(_COLOUR.fullmatch(name) for classes in _first_wrappers(response) for name in classes)
    return coloured and _sound(response) is not None


def to_markdown(response: str) -> str | None:
    """A page's answer as Markdown; null when its tags do not fit together, or nest too deeply."""
    sound = _sound(response, squeezed=True)
    if sound is None:
        return None
    try:
        return str(_converter().convert(sound)).strip()
    except RecursionError:
        return None


def prompt_text(prompt: str) -> str | None:
    """The text within a page's prompt; null when it is not wrapped as the page wraps one."""
    if not any("whitespace-pre-wrap" in classes for classes in _first_wrappers(prompt)):
        return None
    sound = _sound(prompt)
    if sound is None:
        return None
    tags = list(_TAG.finditer(sound))
    if any(tag["name"].lower() not in ("div", "span", "br") for tag in tags):
        return None
    text = _TAG.sub(lambda tag: "\n" if tag["name"].lower() == "br" else "", sound)
    return html.unescape(text).strip()


def _first_wrappers(text: str) -> Iterator[set[str]]:
    """The classes of each `div` that the text begins with, one inside the other."""
    place = len(text) - len(text.lstrip())
    while (tag := _TAG.match(text, place)) and tag["name"] == "div" and not tag["close"]:
        found = _CLASS.search(tag["attributes"])
        yield set(found[1].split()) if found else set()
        place = tag.end()
        while text[place : place + 1].isspace():
            place += 1


def _sound(text: str, squeezed: bool = False) -> str | None:
    """The text when its tags fit together as a browser writes them, else null.

    What only looks like a tag ("List<generic>" where a cleaner has undone the entities) becomes text.

    Args:
        text: HTML.
        squeezed: Leave out what the converter has no use for: insides of buttons and icons, colours of code, and all
            spaces but one outside `pre`, as a browser shows them; the converter would take quadratic time for it.
    """
    text = text.strip()
    parts: list[str] = []
    open_tags: list[str] = []
    shown: list[bool] = []
    place = 0
    for tag in _TAG.finditer(text):
        name = (tag["name"] or "").lower()
        pre = "pre" in open_tags
        inside = squeezed and not _SILENT.isdisjoint(open_tags)
        if not inside:
            between = text[place : tag.start()]
            parts.append(_SPACES.sub(" ", between) if squeezed and not pre else between)
        place = tag.end()
        if name not in _KNOWN:
            if not inside and not tag[0].startswith("<!--"):
                parts.append(tag[0].replace("<", "&lt;").replace(">", "&gt;"))
            continue
        show = not inside and not (squeezed and pre and name == "span" and "hljs-" in tag["attributes"])
        if tag["close"] and name not in _VOID:
            if not open_tags or open_tags.pop() != name or (not open_tags and place < len(text)):
                return None
            show = shown.pop()
        elif not tag["void"] and name not in _VOID:
            open_tags.append(name)
            shown.append(show)
            if len(open_tags) > MAX_DEPTH:
                return None
        if show:
            parts.append(tag[0])
    return None if open_tags or place < len(text) else "".join(parts)


def _prepare(soup: BeautifulSoup) -> None:
    """Empty counters; formulas become TeX, code blocks plain text; list items know their number.

    Nothing is taken out of the tree: finding its place among its siblings would take quadratic time.
    """
    found: dict[str, list[Any]] = defaultdict(list)
    for element in soup(True):
        found[element.name].append(element)
        if _UI_IDS.search(str(element.get("id") or "")):
            found["#"].append(element)
    for element in found["#"]:
        element.clear()
    for formula in found["span"]:
        if "katex" not in (formula.get("class") or []) or not (source := formula.find("annotation")):
            continue
        tex = source.get_text().strip()
        parent = formula.parent
        if parent is not None and "katex-display" in (parent.get("class") or []):
            parent.string = f"\n$$\n{tex}\n$$\n"
        else:
            formula.string = f"${tex}$"
    for table in found["table"]:
        _one_head_and_body(table)
    for block in found["pre"]:
        language, code = _code_block(block)
        block["language"] = language
        block.string = code
    for items in found["ol"]:
        start = str(items.get("start"))
        first = int(start) if start.isdecimal() and len(start) < 10 else 1
        for number, item in enumerate(items("li", recursive=False), first):
            item["bullet"] = f"{number}. "


def _one_head_and_body(table: Tag) -> None:
    """Several bodies, or rows of a head, become one: the converter searches the table for each."""
    for head in table("thead", recursive=False):
        head.insert_after(*head("tr", recursive=False)[1:])
    bodies = table("tbody", recursive=False)
    for body in bodies[1:]:
        bodies[0].extend(body("tr", recursive=False))


@cache
def _converter() -> MarkdownConverter:
    from markdownify import ATX, MarkdownConverter

    class PageConverter(MarkdownConverter):
        """Plain text stays as it is; code blocks, links and table cells as ChatGPT wrote them."""

        def convert_soup(self, soup: BeautifulSoup) -> str:
            _prepare(soup)
            return str(super().convert_soup(soup))

        def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            code = el.get_text()
            if not code.strip():
                return ""
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
            return f"\n\n{fence}{el['language']}\n{code}\n{fence}\n\n"

        def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            # Written bare, and made a link by the page.
            bare = text.strip()
            if bare and el.get("href") in (bare, f"http://{bare}", f"https://{bare}", f"mailto:{bare}"):
                return text
            return str(super().convert_a(el, text, parent_tags))  # type: ignore[misc]

        def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return str(super().convert_td(el, text.replace("|", "\\|"), parent_tags))  # type: ignore[misc]

        def convert_th(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            return str(super().convert_th(el, text.replace("|", "\\|"), parent_tags))  # type: ignore[misc]

        def convert_input(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            if el.get("type") != "checkbox":
                return ""
            return "[x]" if el.has_attr("checked") else "[ ]"

        def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
            bullet = str(el.get("bullet", "- "))
            lines = text.strip().split("\n")
            indent = " " * len(bullet)
            return bullet + "\n".join([lines[0], *(line and indent + line for line in lines[1:])]) + "\n"

    return PageConverter(heading_style=ATX, escape_asterisks=False, escape_underscores=False)


def _code_block(pre: Tag) -> tuple[str, str]:
    """Language and code of a `pre`: the language from the code's class, else from the head above it."""
    code: Any = pre.find("code")
    if code is None:
        head, button, text = pre.get_text().partition(BUTTON)
        head = head.strip()
        if button and (not head or (head[0].isalpha() and _LANGUAGE.fullmatch(head))):
            return head, text.strip("\n")
        return "", pre.get_text().strip("\n")
    text = code.get_text()
    named = _LANGUAGE_CLASS.search(" ".join(code.get("class") or []))
    if named:
        return named[1], text.strip("\n")
    code.extract()
    head = pre.get_text().strip().removesuffix(BUTTON).rstrip()
    return head if _LANGUAGE.fullmatch(head) else "", text.strip("\n")
