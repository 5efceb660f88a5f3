"""Any chat template, rendered as transformers renders it (`utils/chat_template_utils.py` at 5.23.0).

A template may do with messages what it likes, so it is not trusted to keep markup and text apart: it is rendered
once with a mark in place of every content, which tells what it writes itself, and once with the contents; the two must
agree.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.errors import CurateError, InputError
from curate.export import templates
from curate.export.sandbox import OFF, ON, environment, template_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from curate.export.segments import Messages
    from curate.export.templates import Template

# Stands for a content, where no text from data is.
_MARK = "\U000f1000{}\U000f1001"
_MARKED = re.compile("\U000f1000(\\d+)\U000f1001")


# How a template may write a content.
_STRIPS: tuple[Callable[[str], str], ...] = (str, str.strip, str.lstrip, str.rstrip)


class Refused(Exception):
    """The template does not take the conversation, or it changes what is said in it."""


class Markup(NamedTuple):
    """What a template writes around the messages of a conversation.

    Attributes:
        literals: Before the first content, between contents, and after the last: one more than `owners`.
        owners: Places of the messages, in the order in which their contents stand.
    """

    literals: tuple[str, ...]
    owners: tuple[int, ...]


@dataclass(frozen=True)
class ChatTemplate:
    """A Jinja chat template with what it needs of its tokenizer.

    Attributes:
        name: For messages.
        jinja: Its source.
        tokens: Named special tokens: `bos_token`, `eos_token` …
        context: Tokens that the tokenizer's model takes; None = not said.
    """

    name: str
    jinja: str
    tokens: Mapping[str, str] = field(default_factory=dict)
    context: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, which compiles it anew."""
        return ChatTemplate, (self.name, self.jinja, dict(self.tokens), self.context)

    @property
    def label(self) -> str:
        """What the manifest calls it: no folder of ours."""
        return Path(self.name).name

    def conditions(self, tokenised: bool) -> bool:
        """Whether the condition gets into a rendering; token ids have it in the system message at least."""
        return tokenised or self.conditioned

    @cached_property
    def conditioned(self) -> bool:
        """Whether it has a place for the variable `condition`."""
        return bool(re.search(r"\bcondition\b", self.jinja))

    @cached_property
    def _compiled(self) -> Any:
        try:
            return environment().from_string(self.jinja)
        except template_error() as error:
            raise CurateError("the chat template cannot be read", where=self.name, hint=str(error)) from error

    def check(self) -> None:
        """See that it renders a plain conversation without changing it.

        Raises:
            CurateError: It does not, with the reason.
        """
        said = [
            {"role": role, "content": f"{role} speaks", "weight": float(role == "assistant")}
            for role in ("user", "assistant") * 2
        ]
        try:
            self.markup(said, "Condition")
        except Refused as error:
            raise CurateError(
                f"the chat template does not render a plain conversation: {error}",
                where=self.name,
                hint="a template must write every message once, in order; or use one of OpenChat's: --template NAME",
            ) from error

    def render(self, messages: Messages, condition: str, *, marked: bool = False) -> str:
        """The text of a conversation.

        Raises:
            Refused: The template raised an error.
        """
        try:
            return str(
                self._compiled.render(
                    messages=list(messages),
                    condition=condition,
                    tools=None,
                    documents=None,
                    add_generation_prompt=False,
                    _marked=marked,
                    **self.tokens,
                )
            )
        except (template_error(), TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise Refused(str(error)) from error

    def markup(
        self, messages: Messages, condition: str, known: dict[Any, Markup] | None = None
    ) -> tuple[Markup, list[str]]:
        """What the template writes itself, and the contents as it writes them: as they are, or stripped.

        Args:
            messages: `role`, `content` and `weight` of each.
            condition: The variable of that name.
            known: Remembers renderings.

        Raises:
            Refused: It does not take the conversation, or changes a content otherwise.
        """
        known = {} if known is None else known
        true = self.render(messages, condition)
        roles = tuple((message["role"], message["weight"] > 0) for message in messages)
        filled = tuple(bool(message["content"]) for message in messages)
        why = "it changes what a message says"
        # A template may ask whether a content is empty; most do not.
        for there in dict.fromkeys(((True,) * len(filled), filled)):
            if (key := (roles, condition, there)) not in known:
                known[key] = self._marked(messages, condition, there)
            markup = known[key]
            if len(set(markup.owners)) < len(markup.owners):
                raise Refused("it writes a message twice")
            absent = [turn for turn, full in enumerate(filled) if full and turn not in markup.owners]
            if absent:
                why = f"it leaves out a message of the role `{messages[absent[0]]['role']}`"
            elif (written := _contents(true, markup, messages)) is not None:
                return markup, written
        raise Refused(why)

    def _marked(self, messages: Messages, condition: str, there: Sequence[bool]) -> Markup:
        marked = [
            {**message, "content": _MARK.format(turn) if there[turn] else ""} for turn, message in enumerate(messages)
        ]
        parts = _MARKED.split(self.render(marked, condition, marked=True))
        return Markup(tuple(parts[::2]), tuple(int(turn) for turn in parts[1::2]))


def _contents(true: str, markup: Markup, messages: Messages) -> list[str] | None:
    """The contents as they stand between the literals; None where they are neither as said nor stripped."""
    literals = [literal.replace(ON, "").replace(OFF, "") for literal in markup.literals]
    if not true.startswith(literals[0]):
        return None
    written, at = [], len(literals[0])
    for owner, literal in zip(markup.owners, literals[1:], strict=True):
        said = messages[owner]["content"]
        for strip in _STRIPS:
            text = strip(said)
            if true.startswith(text, at) and true.startswith(literal, at + len(text)):
                break
        else:
            return None
        written.append(text)
        at += len(text) + len(literal)
    return written if at == len(true) else None


def choose(name: str, tokenizer: str | None) -> Template | ChatTemplate:
    """One of OpenChat's templates by its name, else a chat template: `hf`, a file or a folder.

    Raises:
        CurateError: There is none of that name, or it does not render a plain conversation.
    """
    known = name in templates.TEMPLATES or name in templates.ALIASES
    return load(name, tokenizer) if not known and (name == "hf" or Path(name).exists()) else templates.find(name)


def load(name: str, tokenizer: str | None) -> ChatTemplate:
    """The chat template of a file, of a tokenizer's folder, or, as `hf`, of the tokenizer in use.

    Raises:
        InputError: There is none.
        CurateError: It does not render a plain conversation.
    """
    if name == "hf" and tokenizer is None:
        raise CurateError("`--template hf` is the tokenizer's own chat template", hint="name it: --tokenizer DIR")
    path = Path(str(tokenizer) if name == "hf" else name)
    folder = path if path.is_dir() else path.parent
    config = _json(folder / "tokenizer_config.json")
    if path.is_file() and name != "hf":
        source: Any = path.read_text("utf-8")
        if not (folder / "tokenizer_config.json").exists() and tokenizer:
            own = Path(tokenizer)
            config = _json((own if own.is_dir() else own.parent) / "tokenizer_config.json")
    elif (file := folder / "chat_template.jinja").is_file():
        source = file.read_text("utf-8")
    else:
        source = config.get("chat_template")
    if isinstance(source, list):  # several by name
        source = {entry.get("name"): entry.get("template") for entry in source}.get("default")
    if not isinstance(source, str):
        raise InputError(
            "no chat template here",
            where=folder,
            hint="it stands in `chat_template.jinja` or in `tokenizer_config.json`",
        )
    length = config.get("model_max_length")
    found = ChatTemplate(
        name=str(path) if name != "hf" else "hf",
        jinja=source,
        tokens={key: text for key in config if key.endswith("_token") and (text := _token(config[key]))},
        context=int(length) if isinstance(length, int | float) and 0 < length < 10**7 else None,
    )
    found.check()
    return found


def _token(value: Any) -> str | None:
    """A special token as it stands in `tokenizer_config.json`: a string, or an object."""
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        value = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("the file cannot be read", where=file, hint=str(error)) from error
    return value if isinstance(value, dict) else {}
