"""Rows of well-known data sets, cut to their keys, are read by one format each, or by none."""

from __future__ import annotations

from typing import Any

import pytest

from curate.ingest import formats

CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
ANSWER = [{"role": "assistant", "content": "Hello!"}]
ROWS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "Stanford Alpaca": ("alpaca", {"instruction": "a", "input": "", "output": "b", "text": "### a"}),
    "AlpacaEval": ("alpaca", {"instruction": "a", "output": "b", "generator": "gpt4", "dataset": "koala"}),
    "GPTeacher": ("alpaca", {"instruction": "a", "input": "", "response": "b"}),
    "WizardLM 70k": ("alpaca", {"instruction": "a", "output": "b"}),
    "Dolly": (None, {"instruction": "a", "context": "c", "response": "b", "category": "open_qa"}),
    "comparison_gpt4": ("ranked", {"instruction": "a", "input": "", "output": ["b", "c"]}),
    "LMSYS-Chat-1M": ("lmsys", {"conversation_id": "1", "model": "m", "conversation": CHAT, "language": "English"}),
    "WildChat": ("wildchat", {"conversation_hash": "1", "model": "m", "conversation": CHAT, "toxic": False}),
    "UltraChat": ("ultrachat", {"id": "0", "data": ["a", "b"]}),
    "UltraChat 200k": ("openai", {"prompt": "a", "prompt_id": "1", "messages": CHAT}),
    "MT-bench answers": ("fastchat_answers", {"question_id": 1, "model_id": "m", "choices": [{"turns": ["a"]}]}),
    "MT-bench questions": (None, {"question_id": 1, "category": "c", "turns": ["a"]}),
    "MT-bench judgments": (None, {"question_id": 1, "model": "m", "judgment": "j", "score": 1}),
    "Vicuna reviews": (None, {"review_id": "r", "question_id": 1, "answer1_id": "a", "text": "8 9"}),
    "batch output": ("openai_batch", {"id": "1", "custom_id": "r", "response": {"status_code": 200}, "error": None}),
    "batch errors": ("openai_batch", {"id": "1", "custom_id": "r", "response": None, "error": {"code": "x"}}),
    "batch input": (None, {"custom_id": "r", "method": "POST", "url": "/v1", "body": {"messages": CHAT}}),
    "Chatbot Arena": (
        "arena",
        {"question_id": "q", "model_a": "x", "model_b": "y", "conversation_a": CHAT, "conversation_b": CHAT},
    ),
    "Arena 55k": ("arena", {"model_a": "x", "model_b": "y", "prompt": "[]", "response_a": "[]", "response_b": "[]"}),
    "HH-RLHF": ("preference", {"chosen": "\n\nHuman: a", "rejected": "\n\nHuman: a"}),
    "full-hh-rlhf": ("preference", {"prompt": "a", "response": "b", "chosen": "b", "rejected": "c"}),
    "UltraFeedback binarized": ("preference", {"prompt": "a", "messages": CHAT, "chosen": CHAT, "rejected": CHAT}),
    "Orca DPO": ("preference", {"system": "", "question": "a", "chosen": "b", "rejected": "c"}),
    "TRL preference": ("preference", {"prompt": CHAT[:1], "chosen": ANSWER, "rejected": ANSWER}),
    "LLaMA-Factory DPO": (
        "preference",
        {"conversations": [{"from": "human", "value": "a"}], "chosen": {"from": "gpt"}, "rejected": {"from": "gpt"}},
    ),
    "SHP": ("pairs", {"post_id": "p", "history": "a", "human_ref_A": "b", "human_ref_B": "c", "labels": 1}),
    "PKU-SafeRLHF": ("pairs", {"prompt": "a", "response_0": "b", "response_1": "c", "better_response_id": 1}),
    "WebGPT": ("pairs", {"question": {"full_text": "a"}, "answer_0": "b", "answer_1": "c", "score_0": 1.0}),
    "HelpSteer3": ("pairs", {"context": CHAT[:1], "response1": "b", "response2": "c", "overall_preference": -2}),
    "distilabel Orca DPO": ("preference", {"system": "", "input": "a", "chosen": "b", "rejected": "c", "order": []}),
    "LMSYS-Chat-1M, null": ("lmsys", {"conversation_id": "1", "conversation": None, "openai_moderation": None}),
    "WildChat, null": ("wildchat", {"conversation_hash": "1", "conversation": None, "toxic": False}),
    "UltraChat, null": ("ultrachat", {"id": "0", "data": None}),
    "Vicuna, null": ("sharegpt", {"id": "0", "conversations": None}),
    "chat, null": ("openai", {"id": "0", "messages": None, "model": "m"}),
    "several data sets in one table": (None, {"messages": None, "conversations": None, "text": "a"}),
    "Nectar": ("ranked", {"prompt": "a", "answers": [{"answer": "b", "model": "m", "rank": 1.0}], "turns": 1}),
    "UltraFeedback": ("ranked", {"instruction": "a", "completions": [{"model": "m", "response": "b"}], "models": []}),
    "StackExchange": ("ranked", {"qid": 1, "question": "a", "answers": [{"text": "b", "pm_score": 1}]}),
    "RRHF": ("ranked", {"query": "a", "responses": ["b", "c"], "scores": [1.0, 2.0]}),
    "OpenOrca": ("columns", {"id": "flan.1", "system_prompt": "", "question": "a", "response": "b"}),
    "GSM8K": ("columns", {"question": "a", "answer": "b"}),
    "TRL prompts": ("columns", {"prompt": CHAT[:1], "completion": ANSWER}),
    "TriviaQA": (None, {"question": "a", "answers": ["b", "c"]}),
    "SQuAD": (None, {"question": "a", "context": "c", "answers": {"text": ["b"]}}),
    "AGIEval": (None, {"passage": None, "question": "a", "options": ["b"], "label": "A", "answer": None}),
    "WildBench": (None, {"session_id": "1", "model_test": "m", "score": "3", "model_output": "b"}),
    "C4": (None, {"text": "a"}),
}


@pytest.mark.parametrize("name", ROWS)
def test_one_format_takes_the_row(name: str) -> None:
    expected, row = ROWS[name]
    taking = [other for other in formats.names() if formats.load(other).matches(row)]
    assert taking == ([expected] if expected else [])
