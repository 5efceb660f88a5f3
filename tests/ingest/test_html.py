"""An answer of a ShareGPT page becomes the Markdown that it was rendered from; nothing else is HTML."""

from __future__ import annotations

import time

import pytest

from curate.ingest.conversation import Conversation, Message
from curate.ingest.html import is_page, prompt_text, to_markdown
from curate.ingest.tidy import tidy

HEAD = (
    '<div class="flex items-center relative text-xs"><span>{}</span><button class="flex ml-auto"><svg viewBox="0 0 24'
    ' 24"><path d="M16 4h2"></path><rect x="8" rx="1"></rect></svg>Copy code</button></div>'
)
CODE = (
    '<pre><div class="bg-black rounded-md mb-4">' + HEAD.format("python") + '<div class="p-4 overflow-y-auto"><code'
    ' class="!whitespace-pre hljs language-python"><span class="hljs-keyword">def</span> f(x: List[int]):\n'
    '    <span class="hljs-string">"&lt;b&gt; a_b"</span>\n\n\n    return x * 2\n</code></div></div></pre>'
)
FENCED = '```python\ndef f(x: List[int]):\n    "<b> a_b"\n\n\n    return x * 2\n```'
FORMULA = (
    '<span class="katex"><span class="katex-mathml"><math><semantics><mrow><mi>E</mi><mo>=</mo><mi>m</mi></mrow>'
    '<annotation encoding="application/x-tex">E=m\\_c^2</annotation></semantics></math></span><span'
    ' class="katex-html" aria-hidden="true"><span class="base"><span class="mord">E</span></span></span></span>'
)
WRAPPED = '<div class="min-h-[20px] flex flex-col items-start gap-4 whitespace-pre-wrap">{}</div>'


def page(body: str) -> str:
    return f'<div class="markdown prose w-full break-words dark:prose-invert light">{body}</div>'


def talk(prompt: str, response: str) -> Conversation:
    return tidy(Conversation([Message("user", prompt), Message("assistant", response)]))


MARKDOWN = {
    "plain text is not escaped": (
        "<p>Use snake_case and 2*3, a ~ b, [x](y), 1. # no heading.</p>",
        "Use snake_case and 2*3, a ~ b, [x](y), 1. # no heading.",
    ),
    "generics survive as entities": ("<p>A List&lt;generic&gt; &amp; more</p>", "A List<generic> & more"),
    "generics survive where a cleaner undid the entities": (
        "<p>A List<generic> if a < b</p>",
        "A List<generic> if a < b",
    ),
    "code, its language and no button": (f"<p>So:</p>{CODE}<p>Done.</p>", f"So:\n\n{FENCED}\n\nDone."),
    "language from the head": (
        "<pre><div>" + HEAD.format("rust") + "<div><code>fn main() {}\n</code></div></div></pre>",
        "```rust\nfn main() {}\n```",
    ),
    "head and code as one text": ("<pre>pythonCopy codeimport os\n</pre>", "```python\nimport os\n```"),
    "no language": ('<pre><code class="!whitespace-pre hljs">x\n</code></pre>', "```\nx\n```"),
    "a fence in the code gets a longer one around it": (
        '<pre><code class="language-markdown">```\nx\n```\n</code></pre>',
        "````markdown\n```\nx\n```\n````",
    ),
    "an empty block": ("<p>a</p><pre><div><button>Copy code</button></div></pre><p>b</p>", "a\n\nb"),
    "inline code": ("<p>Run <code>ls -l a_b</code> or <code>a`b</code>.</p>", "Run `ls -l a_b` or `` a`b ``."),
    "nested lists": (
        '<ol><li><p>One</p></li><li>Two<ul><li>a</li><li>b<ol start="3"><li>c</li></ol></li></ul></li></ol><p>End</p>',
        "1. One\n2. Two\n   - a\n   - b\n     3. c\n\nEnd",
    ),
    "code in a list": (
        '<ol start="9"><li>x</li><li><p>So</p><pre><code class="language-sh">a\n\nb\n</code></pre></li></ol>',
        "9. x\n10. So\n\n    ```sh\n    a\n\n    b\n    ```",
    ),
    "a list to tick off": ('<ul><li><input type="checkbox" disabled="" checked=""> a</li></ul>', "- [x] a"),
    "tables": (
        "<table><thead><tr><th>a|b</th><th>c_d</th></tr></thead><tbody><tr><td>1 <strong>2</strong></td>"
        "<td><code>x|y</code></td></tr></tbody></table>",
        "| a\\|b | c_d |\n| --- | --- |\n| 1 **2** | `x\\|y` |",
    ),
    "a table in several bodies": (
        "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody><tbody><tr><td>2</td></tr></tbody>"
        "</table>",
        "| a |\n| --- |\n| 1 |\n| 2 |",
    ),
    "spaces as a browser shows them": (
        "<p>a   b\t\tc<code>d  e</code></p><pre><code>f   g\n</code></pre>",
        "a b c`d e`\n\n```\nf   g\n```",
    ),
    "a comment above code that has no head": (
        "<pre># Copy code into the image\nCOPY . /app\n</pre>",
        "```\n# Copy code into the image\nCOPY . /app\n```",
    ),
    "links and images": (
        '<p><a href="https://e.org/x" target="_new">here</a>, <a href="https://e.org">https://e.org</a>,'
        ' <img src="s.png" alt="pic"></p>',
        "[here](https://e.org/x), https://e.org, ![pic](s.png)",
    ),
    "emphasis, breaks and rules": (
        "<h2>T_i*tle</h2><p><em>a</em><br><strong>b</strong></p><hr><blockquote><p>q</p></blockquote>",
        "## T_i*tle\n\n*a*  \n**b**\n\n---\n\n> q",
    ),
    "a formula once": (f'<p>So <span class="math math-inline">{FORMULA}</span>.</p>', "So $E=m\\_c^2$."),
    "a displayed formula": (
        f'<div class="math math-display"><span class="katex-display">{FORMULA}</span></div><p>ok</p>',
        "$$\nE=m\\_c^2\n$$\n\nok",
    ),
    "an extension's counter": (
        '<p>a</p><div id="result-action-wrapper-1"><div id="result-counter-1">1 chars / 1 words</div>'
        "<button>Copy</button></div>",
        "a",
    ),
}


@pytest.mark.parametrize(("body", "markdown"), MARKDOWN.values(), ids=MARKDOWN)
def test_an_answer_becomes_markdown(body: str, markdown: str) -> None:
    conversation = talk("Hi", page(body))

    assert conversation.messages[1].content == markdown
    assert conversation.edits == ["html"]


def test_wrappers_around_an_answer_are_no_hindrance() -> None:
    assert talk("Hi", f'\n<div class="flex"><div>{page("<p>a</p>")}</div></div>\n').messages[1].content == "a"


STAYS = {
    "a generic type": "List<generic> x = new ArrayList<>();",
    "markup in a fence": 'Here:\n```html\n<div class="markdown prose"><p>x</p></div>\n```',
    "a whole document": "<!DOCTYPE html>\n<html><head><title>x</title></head><body><p>Hi_there</p></body></html>",
    "the HTML that was asked for": '<div class="modal fade" id="m"><div class="modal-body"><p>a_b</p></div></div>',
    "bare paragraphs": "<p>One_two</p><p>Three</p>",
    "prose that is not ChatGPT's": '<div class="prose lg:prose-xl"><h1>Title</h1></div>',
    "an autolink": "<https://example.org/a_b>",
    "HTML in a sentence": "Use <b>bold</b> and <br>.",
    "spacing": "a\n\n\n\nb  \r\n\tc ",
}


@pytest.mark.parametrize("text", STAYS.values(), ids=STAYS)
def test_what_a_model_writes_about_html_stays(text: str) -> None:
    conversation = talk("Hi", text)

    assert conversation.messages[1].content == text
    assert conversation.edits == []


@pytest.mark.parametrize(
    "prompt",
    [
        *STAYS.values(),
        "<div> is not closing, why?",
        "<div>a</div>",
        page("<p>Why does this not render?</p>"),
        "<p>Fix my paragraph</p>",
        '<div class="whitespace-pre-wrap">A <b>tag</b> of mine</div>',
        WRAPPED.format("x") + "\nWhy is this box so high?",
        "10 / 2 = ?",
        "1 / 2 cup of sugar, how many grams?",
        "1 / 2 Cups",
        "3 / 4\nas a decimal?",
    ],
)
def test_html_in_a_prompt_stays_byte_for_byte_on_pages_too(prompt: str) -> None:
    assert talk(prompt, page("<p>a</p>")).messages[0].content == prompt
    assert talk(prompt, "plain").messages[0].content == prompt


def test_a_prompt_wrapped_by_the_page_is_its_text() -> None:
    prompt = WRAPPED.format("Is &lt;b&gt; a_b &amp; c?\n\n  so")

    assert talk(prompt, page("<p>a</p>")).messages[0].content == "Is <b> a_b & c?\n\n  so"
    assert talk(prompt, "plain").messages[0].content == prompt
    assert prompt_text("<div>x</div>") is None


def test_a_counter_before_the_markup_goes() -> None:
    conversation = talk("1 / 2What is it?", "2 / 3\n" + page("<p>1 / 2</p><p>as said</p>"))

    assert [message.content for message in conversation.messages] == ["What is it?", "1 / 2\n\nas said"]
    assert conversation.edits == ["counter", "html"]


@pytest.mark.parametrize(
    "text",
    [
        page("<p>cut off")[:-6],
        page("</div><p>a</p><div>"),
        page("<p>a</p>") + "Why?",
        page("<b><i>a</b></i>"),
        page("<div>" * 10_000 + "x" + "</div>" * 10_000),
        page("<ul><li>" * 10_000),
    ],
    ids=["cut off", "closed too early", "text behind", "crossed", "deep", "deep and open"],
)
def test_tags_that_do_not_fit_together_leave_the_answer_as_it_is(text: str) -> None:
    conversation = talk("Hi", text)

    assert is_page(text)
    assert conversation.messages[1].content == text
    assert conversation.edits == ["html_failed"]


def test_as_deep_as_pages_go_is_no_trouble() -> None:
    assert to_markdown(page("<div>" * 140 + "x" + "</div>" * 140)) == "x"
    assert str(to_markdown(page("<ul><li>" * 70 + "x" + "</li></ul>" * 70))).endswith("- x")


ERROR = '<div class="py-2 px-3 border text-gray-600 rounded-md text-sm border-red-500 bg-red-500/10">{}</div>'
GREY = '<div class="text-gray-400 flex self-end"><span>No answer.</span><button>Retry</button></div>'


def test_the_box_of_an_error_is_text() -> None:
    conversation = talk("Hi", ERROR.format("Too many requests in 1 hour. <b>Try</b> later."))

    assert conversation.messages[1].content == "Too many requests in 1 hour. **Try** later."
    assert conversation.edits == ["html"]


def test_another_box_is_text_beside_an_answer_of_the_page() -> None:
    turns = [Message("user", "Hi"), Message("assistant", GREY), Message("user", "Hi?")]
    conversation = tidy(Conversation([*turns, Message("assistant", page("<p>a</p>"))]))
    assert [message.content for message in conversation.messages] == ["Hi", "No answer.", "Hi?", "a"]
    assert conversation.edits == ["html"]

    alone = tidy(Conversation(turns))
    assert alone.messages == turns
    assert alone.edits == ["html_failed"]

    broken = [Message("assistant", GREY + "Why?"), Message("assistant", page("<p>a</p>"))]
    conversation = tidy(Conversation(broken))
    assert [message.content for message in conversation.messages] == [GREY + "Why?", "a"]
    assert conversation.edits == ["html", "html_failed"]


HOSTILE = {
    "brackets": "<" * 50_000,
    "quotes": '<a b="<a c="' * 5_000,
    "attributes": "<a" + " b" * 50_000,
    "entities": "&" * 50_000,
    "spaces": "<p>a" + " " * 30_000 + "b</p>",
    "tabs in code": "<p><code>a" + "\t" * 30_000 + "b</code></p>",
    "lines": "<p>a" + " \n" * 30_000 + "b</p>",
    "spaces between many tags": "<p>" + "a  <b>c</b>" * 5_000 + "</p>",
    "stars": "<p>" + "*" * 30_000 + "_" * 30_000 + "</p>",
    "a head of spaces": "<pre>" + " " * 30_000 + "x</pre>",
    "a long head above the code": "<pre><div>a" + " " * 30_000 + "b</div><code>x</code></pre>",
    "buttons": "x<button>y</button>" * 5_000,
    "formulas": 'x <span class="katex"><annotation>y</annotation></span>' * 3_000,
    "a list": "<ol>" + "<li>x</li>" * 3_000 + "</ol>",
    "lists in lists": "<ul><li>" * 10_000 + "</li></ul>" * 10_000,
    "quotations": "<blockquote>" * 140 + "x\n" * 2_000 + "</blockquote>" * 140,
    "rows": "<table><tbody>" + "<tr><td>x</td></tr>" * 5_000 + "</tbody></table>",
    "rows of a head": "<table><thead>" + "<tr><th>x</th></tr>" * 5_000 + "</thead></table>",
    "cells": "<table><tr>" + "<td>x</td>" * 10_000 + "</tr></table>",
    "bodies": "<table>" + "<tbody><tr><td>x</td></tr></tbody>" * 5_000 + "</table>",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_markup_takes_no_time(body: str) -> None:
    begin = time.process_time()
    talk("Hi", page(body))
    assert time.process_time() - begin < 5
