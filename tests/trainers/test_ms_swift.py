"""`train.sh`, unchanged, has `swift sft` take the step of Σ w·CE over the tokens, the ends of turns among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curate.export import export
from tests.export.vocabularies import mistral

from .runs import as_ones, by_hand, distance, gradient, require, run, save_model
from .shards import tokens, workspace

pytestmark = pytest.mark.filterwarnings("ignore")

STEP = """\
--model_type llama --template chatml --torch_dtype float32 --tuner_type full --use_cpu true --report_to none
    --max_steps 1 --per_device_train_batch_size 3 --gradient_accumulation_steps 4 --optim sgd --learning_rate 1
    --lr_scheduler_type constant --warmup_ratio 0 --max_grad_norm 0 --weight_decay 0 --split_dataset_ratio 0"""


def chatml(tokenizer: Any, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Ids and weights of a row, spelled out: all between two responses that are learned is tokenised in one piece."""
    ids, weights, prompt = [tokenizer.bos_token_id], [0.0], ""
    for message in messages:
        text = f"{message['content']}<|im_end|>\n"
        prompt += f"<|im_start|>{message['role']}\n"
        if message["loss_scale"]:
            for piece, weight in ((prompt, 0.0), (text, message["loss_scale"])):
                own = tokenizer(piece, add_special_tokens=False)["input_ids"]
                ids, weights = ids + own, weights + [weight] * len(own)
            prompt = ""
        else:
            prompt += text
    return {"input_ids": ids, "loss_weights": weights}


def test_swifts_step_is_that_of_the_weighted_loss(tmp_path: Path) -> None:
    require("swift", "ms-swift")
    folder = mistral(tmp_path / "model")
    out = export(workspace(tmp_path), tmp_path / "out", format="ms-swift", quiet=True).out
    model = save_model(folder)
    said = run(["sh", str(out / "train.sh"), str(folder), *STEP.split()], tmp_path, tmp_path)

    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = [chatml(tokenizer, row["messages"]) for row in tokens(out).to_pylist()]
    assert len(rows) == 12
    (trained,) = (out / "out").glob("*/checkpoint-1")
    taken = gradient(model, trained)
    # It divides by tokens; the weights have a mean near 1, so that little is left between that and their sum.
    mean = sum(sum(row["loss_weights"]) for row in rows) / sum(w > 0 for row in rows for w in row["loss_weights"])
    assert 0.7 < mean < 1.4
    expected = {name: value * mean for name, value in by_hand(model, rows).items()}
    assert distance(taken, expected) < 1e-5
    ones = by_hand(model, as_ones(rows))
    assert distance(ones, by_hand(model, rows)) > 0.05, "weights of 1 would be seen"
    assert "<|im_start|>system\nGPT" in said, "the condition stands in the prompt"
