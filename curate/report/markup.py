"""HTML and SVG made of elements, so that text from data is text whatever it says."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, tostring

from curate.console import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    Child = Element | str | None


def node(tag: str, *children: Child | Iterable[Child], **attributes: object) -> Element:
    """An element.

    Args:
        tag: Its name.
        children: Elements and text; text is made inert, line by line.
        attributes: Their names with a hyphen for an underscore, none at the end: `class_`, `aria_label`. One that is
            None is left out, one that is True has no value of its own.
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None and value is not False:
            made.set(name.rstrip("_").replace("_", "-"), "" if value is True else inert(_text(value)))
    for child in children:
        for one in [child] if isinstance(child, Element | str) or child is None else child:
            _append(made, one)
    return made


def inert(text: str) -> str:
    """Text without characters that control or reorder what stands around it; lines stay lines."""
    return "\n".join(plain(line) for line in text.replace("\r\n", "\n").replace("\t", "    ").split("\n"))


def own(tag: str, text: str, **attributes: object) -> Element:
    """A `style` or `script` of ours, whose text no escape may touch."""
    made = node(tag, **attributes)
    made.text = text
    return made


def html(element: Element) -> str:
    """An element as HTML."""
    return tostring(element, encoding="unicode", method="html")


def _append(parent: Element, child: Child) -> None:
    if child is None or child == "":
        return
    if isinstance(child, Element):
        parent.append(child)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + inert(child)
    else:
        parent.text = (parent.text or "") + inert(child)


def _text(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
