"""Every model name of the wild that we know, and every trap beside it, gets the class that it should."""

from __future__ import annotations

import polars as pl
import pytest

from curate import rules

GPT_4 = (
    "Model: GPT-4", "gpt-4", "gpt4", "GPT-4", "gpt-4-0314", "gpt-4-0613", "gpt4_0314", "gpt4_0613",
    "gpt-4-1106-preview", "gpt4_1106_preview", "gpt-4-turbo-2024-04-09", "gpt-4o-2024-05-13", "gpt-4o", "gpt-4-turbo",
    "gpt-4-browsing", "gpt-4-plugins", "gpt-4:20230520", "gpt-4-32k-0613", "openai/gpt-4", "GPT4", "GPT4 Correct",
)  # fmt: skip
GPT_35 = (
    "Model: Default", "Model: Default (GPT-3.5)", "Model: Legacy (GPT-3.5)", "Default (GPT-3.5)", "Legacy (GPT-3.5)",
    "gpt-3.5-turbo", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "gpt-3.5-turbo-1106", "gpt-3.5-turbo-0125",
    "gpt-3.5-turbo-16k", "gpt-3.5-turbo-16k-0613", "GPT-3.5", "gpt35", "gpt35_turbo_instruct", "chatgpt", "chat_gpt",
    "ChatGPT", "gpt-3.5-turbo:20230327", "text-davinci-002-render", "text-davinci-002-render-sha",
    "text-davinci-002-render-paid", "GPT3",
)  # fmt: skip
HUMAN = ("human", "Human", "human-written", "crowdworker")
UNKNOWN = (
    "text_davinci_001", "text_davinci_003", "text-davinci-003", "text-davinci-002", "text-davinci-002-renderer",
    "bard", "bing", "claude", "claude-1", "claude-2", "claude-v1", "vicuna-13b", "vicuna-33b-v1.3", "palm-2",
    "llama-2-70b-chat", "gpt4_gamed", "gpt4all-13b-snoozy", "gpt4all-j", "gpt-4o-mini", "gpt-4o-mini-2024-07-18",
    "gpt-4.1-nano", "gpt-40", "gpt-4x-vicuna-13b", "not-gpt-4", "Model: GPT-4 mini", "GPT4 Incorrect", "gpt3",
    "gpt-3", "Math Correct", "Code", "Default", "Plugins", "humanizer", "oasst-sft-4-pythia-12b", "", " ", None,
)  # fmt: skip
TABLE = (
    *((name, "gpt-4") for name in GPT_4),
    *((name, "gpt-3.5") for name in GPT_35),
    *((name, "human") for name in HUMAN),
    *((name, None) for name in UNKNOWN),
)


@pytest.fixture(scope="module")
def shipped() -> tuple[rules.Rule, ...]:
    return rules.load("labels.toml", "labels").rules


@pytest.mark.parametrize(("model", "expected"), TABLE)
def test_a_model_name_gets_its_class_or_none(
    model: str | None, expected: str | None, shipped: tuple[rules.Rule, ...]
) -> None:
    row = pl.DataFrame([{"model": model}], schema=rules.schema("labels"))
    verdicts = {rule.verdict for rule in shipped if row.select(rule.expression).item()}
    assert verdicts == ({expected} if expected else set())


def test_every_rule_decides_some_name_of_the_table_or_some_speaker(shipped: tuple[rules.Rule, ...]) -> None:
    names = pl.DataFrame([{"model": name} for name, _ in TABLE], schema=rules.schema("labels"))
    assert [rule.name for rule in shipped if not names.select(rule.expression.any()).item()] == []
