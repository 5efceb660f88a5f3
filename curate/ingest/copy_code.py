"""The button "Copy code" in plain text: what is left of the head of a code block on ChatGPT's page.

    ```                 ```python           python              python
    pythonCopy code     import os     and   Copy code     to    import os
    import os                               import os

The language goes to the fence when there is one. Without a fence only the button goes: where the code
ends, nobody knows any more. "Copy code" within a sentence, a list or the code itself stays.
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
_WORD = re.compile(r"[\w+#.-]{0,20}")
_LOOKS_LIKE_CODE = re.compile(r"[={}()\[\];<>$]")


def without_copy_code(text: str) -> str:
    """The text without the button, wherever it heads a code block."""
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
            language, button, code = match[2].partition(BUTTON)
            if button and _WORD.fullmatch(language.strip()):
                kept.append(fence + language.strip())
                pending += [code] if code.strip() else []
                continue
        elif match and not match[2] and match[1].strip().startswith(fence.strip()):
            fence = ""
        elif BUTTON in line and (rest := _without_button(line, kept, pending[-1:], bool(fence))) is not None:
            pending += rest
            continue
        kept.append(line)
    return "\n".join(kept)


def _without_button(line: str, kept: list[str], following: list[str], fenced: bool) -> list[str] | None:
    """What stands behind the button in its line; null when it is no button. The language goes to `kept`.

    Args:
        line: It holds "Copy code".
        kept: What stands before it.
        following: The next line, if there is one.
        fenced: Within a fenced block.
    """
    language, _, code = line.partition(BUTTON)
    word = language.strip()
    rest = [code] if code.strip() else []
    if fenced:
        opening = _FENCE.fullmatch(kept[-1])
        if opening and not opening[2] and _WORD.fullmatch(word):
            kept[-1] += word
            return rest
        opening = _FENCE.fullmatch(kept[-2]) if len(kept) > 1 and not word else None
        if opening and not opening[2] and kept[-1].strip().lower() in _LANGUAGES:
            kept[-2:] = [opening[1] + kept[-1].strip()]
            return rest
        return None
    if word:
        if word.lower() not in _LANGUAGES or language[0].isspace():
            return None
        kept.append(word)
        return rest
    above = kept[-1].strip().lower() if kept else ""
    if above in _LANGUAGES:
        return rest
    code_follows = bool(following and _LOOKS_LIKE_CODE.search(following[0]))
    return [] if not above and not rest and code_follows else None
