"""The card of a `crlft` export: a README that `datasets` and a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.export.job import Job

_CARD = """\
---
configs:
- config_name: default
  data_files:
  - split: {name}
    path: data/{name}-*.parquet
---

# {name}

{what}

Made by `curate export --format crlft`. `manifest.json` counts what was dropped, by reason.
{contaminated}
| condition | rule |
|---|---|
{conditions}

Weights: {weighting}. A trainer must divide by the sum of weights, Σ w·CE / Σ w; only their ratios matter.
{note}
{reading}
"""

_CONTAMINATED = {
    "drop": "\nConversations that hold items of the benchmarks named there were dropped (`curate decontaminate`).\n",
    "mask": "\nResponses that hold or answer items of the benchmarks named there weigh 0 (`curate decontaminate`).\n",
    "keep": "\nConversations that hold items of benchmarks were kept, though `curate decontaminate` had found some.\n",
}

_TEXT = """\
One row per conversation and condition. `messages[].weight` is the weight of that message in the loss:
0 for everything but responses, and 0 for responses that belong to another condition (their row has the same `id` but
for the number at its end). `weight` is the mean over the trained responses, for trainers that weigh whole rows.
`chat_template_kwargs` gives `chat_template.jinja` the condition, which stands before both roles at every turn.

`messages[].role` is system, user, assistant or tool. Tool calls are in no shard: a message with one weighs 0
(`tool_call` in the manifest). Texts are raw: special tokens that somebody typed, such as
`<|end_of_turn|>`, become control tokens in a tokenizer that reads them; `curate export --tokenizer` escapes them."""

_TOKENS = """\
One row per conversation and condition, tokenised with the template `{template}`; {long} {max_length} tokens.
`labels` is -100 where nothing is learned; `loss_weights` is not shifted and 0 there. Special tokens that somebody typed
are text, not control tokens. Tool calls are in no shard (`tool_call` in the manifest)."""

_LONG = {
    "turn": "longer conversations end at the last turn within",
    "split": "longer conversations are several rows of",
    "openchat": "longer conversations are cut at",
}

_READ_TEXT = """\
Load it with `datasets.load_dataset("DIR")`. TRL (0.19 and later) passes `chat_template_kwargs` to the template
by itself; with `assistant_only_loss=True` it leaves out prompts and messages of weight 0. Fractional weights reach the
loss in OpenChat, and in other trainers only with a loss function that reads them: a stock trainer takes every weight
above 0 as 1."""

_READ_TOKENS = """\
Load it with `datasets.load_dataset("DIR")`. Any trainer that takes `input_ids` and `labels` reads it; `loss_weights`
needs a collator that pads it and a loss that multiplies by it. Packing must carry the column along."""


def render(job: Job) -> str:
    """The card as Markdown with a YAML head."""
    policy: dict[str, Any] = job.facts["policy"]
    conditions = "\n".join(f"| `{text}` | {rule} |" for rule, text in policy["conditions"].items())
    tokens = job.encoder is not None
    return _CARD.format(
        name=job.name,
        what=_TOKENS.format(long=_LONG[job.facts["truncate"]], **job.facts) if tokens else _TEXT,
        conditions=conditions,
        contaminated=_CONTAMINATED.get(policy["contaminated"], ""),
        weighting=weighting(policy),
        note=f"\nThe judge is `local`: {policy['note']}.\n" if policy["note"] else "",
        reading=_READ_TOKENS if tokens else _READ_TEXT,
    )


def weighting(policy: dict[str, Any]) -> str:
    """The formula of the weights, in words."""
    classes = ", ".join(f"{name} {weight:g}" for name, weight in policy["class_weights"].items())
    formulas = {
        "coarse": "by class",
        "judge": "exp((r - 1)/{beta:.4g}) of the reward r",
        "mixed": "exp((r - 1)/{beta:.4g}) of the reward r = {mix:g}·r_class + (1 - {mix:g})·r_judge",
        "local": "class weight × (1 - severity of the defects found)",
    }
    formula = formulas[policy["weighting"]].format(beta=policy["beta"] or 0, mix=policy["mix"] or 0)
    judge = f", rewards by {policy['judge']}" if policy["judge"] else ""
    return f"{formula} ({classes}{judge})"
