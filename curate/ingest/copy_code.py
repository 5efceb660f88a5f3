"""The button "Copy code" in plain text: what is left of the head of a code block on ChatGPT's page.

    ```                 ```python           python              python
    pythonCopy code     import os     and   Copy code     to    import os
    import os                               import os

The language goes to the fence when there is one. Without a fence only the button goes: where the code
ends, nobody knows any more. What makes the words a button is the language right before them; behind them
stands nothing, or code with no space between. A line "Copy code" without a language is a button only in
a conversation that has another one. In a sentence, a list, a comment or the code itself the words stay.
"""

from __future__ import annotations

import re

BUTTON = "Copy code"

_LANGUAGE_WORDS = """
    abap actionscript ada apache apex applescript arduino armasm asm assembly autohotkey awk bash basic bat
    batch c c# c++ clojure cmake cmd cobol coffeescript console cpp crystal csharp css csv cuda dart delphi diff
    django dockerfile dos elixir elm erb erlang excel fortran fsharp gherkin glsl go gradle graphql groovy haml
    handlebars haskell haxe hcl hlsl html http ini java javascript jinja js json json5 jsx julia kotlin kql
    latex less lisp lua makefile markdown mathematica matlab md mermaid mips mongodb mysql nginx nim objc
    objectivec ocaml pascal perl pgsql php plaintext powershell processing prolog properties protobuf puppet
    python qml r racket regex rest ruby rust sas sass scala scheme scss sed sh shell smalltalk solidity sparql
    sql stata stylus svelte swift tcl terraform tex text thrift toml ts tsx twig typescript vb vba vbnet verilog
    vhdl vim vue wasm x86asm xml xquery yaml yml zsh
"""
_LANGUAGES = frozenset(_LANGUAGE_WORDS.split())
_FENCE = re.compile(r"([ \t]*(?:`{3,}|~{3,}))[ \t]*([^`]*)")
# A language and code may be glued to the button, another button may not.
_HEAD = re.compile(r"([\w+#.-]{1,20})Copy code(?=\S|\s*\Z)(?![\w+#.-]{0,20}Copy code)|Copy code\s*\Z")
_LOOKS_LIKE_CODE = re.compile(r"[={}()\[\];<>$]")


def without_copy_code(text: str, proven: bool = False) -> str:
    """The text without the button, wherever it heads a code block.

    Args:
        text: A prompt or a response.
        proven: Another button of the conversation is beyond doubt: one without a language is a button, too.
    """
    if BUTTON not in text:
        return text
    pending = text.split("\n")[::-1]
    kept: list[str] = []
    fence = ""
    while pending:
        line = pending.pop()
        match = _FENCE.fullmatch(line)
        if match and not fence:
            fence = match[1]
            if (head := _head(match[2])) and (head[0] or (proven and _goes_on(pending))):
                kept.append(fence + head[0])
                pending += [head[1]] if head[1] else []
                continue
        elif match and not match[2] and match[1].strip().startswith(fence.strip()):
            fence = ""
        elif BUTTON in line and (head := _head(line.lstrip() if fence else line)):
            language, code = head
            is_button = _in_fence if fence else _in_text
            if is_button(language, kept, pending, proven):
                pending += [code] if code else []
                continue
        kept.append(line)
    return "\n".join(kept)


def _head(line: str) -> tuple[str, str] | None:
    """The language and the code glued to the button, either perhaps empty; null when the line reads otherwise."""
    match = _HEAD.match(line)
    if not match or (match[1] and match[1].lower() not in _LANGUAGES):
        return None
    code = line[match.end() :]
    return match[1] or "", code if code.strip() else ""


def _goes_on(pending: list[str]) -> bool:
    """Whether a fenced block has a line more."""
    return bool(pending and not _FENCE.fullmatch(pending[-1]))


def _in_fence(language: str, kept: list[str], pending: list[str], proven: bool) -> bool:
    """Whether a line within a fence is a button; its language goes to the fence, the last or last but one of `kept`."""
    opening = _FENCE.fullmatch(kept[-1])
    if opening and not opening[2] and (language or (proven and _goes_on(pending))):
        kept[-1] += language
        return True
    above = kept[-1].strip()
    opening = _FENCE.fullmatch(kept[-2]) if len(kept) > 1 else None
    if opening and not opening[2] and not language and above in _LANGUAGES:
        kept[-2:] = [opening[1] + above]
        return True
    return False


def _in_text(language: str, kept: list[str], pending: list[str], proven: bool) -> bool:
    """Whether a line without a fence is a button; its language becomes the last line of `kept`."""
    if language:
        kept.append(language)
        return True
    above = kept[-1].strip() if kept else ""
    if not pending:
        return False
    return above in _LANGUAGES or bool(proven and not above and _LOOKS_LIKE_CODE.search(pending[-1]))
