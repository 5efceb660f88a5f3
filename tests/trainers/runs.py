"""A trainer's own command over our export: what it does to a tiny model in one step, as a gradient."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .shards import config, weighted_loss

# Nothing is fetched, and nothing is told to anybody.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "MODELSCOPE_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "WANDB_DISABLED": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
}


def require(package: str, trainer: str) -> None:
    """Skip where the trainer is not installed."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: make test-trainer-{trainer}")


def save_model(folder: Path) -> Any:
    """A tiny Llama, saved beside the vocabulary in `folder`, and returned."""
    import torch
    import transformers

    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config()))
    model.save_pretrained(folder)
    return model.eval()


def run(command: list[str], folder: Path, cache: Path, **more: str) -> str:
    """Run a command in `folder` with this interpreter's scripts first on the path; its output, whole.

    Raises:
        AssertionError: It failed; its output is in the message.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    places = {"PATH": path, "HF_DATASETS_CACHE": str(cache / "datasets"), "MODELSCOPE_CACHE": str(cache / "modelscope")}
    environment = {**os.environ, **QUIET, **places, **more}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def gradient(before: Any, after: Path) -> dict[str, Any]:
    """What a step of SGD at rate 1 took off each parameter."""
    import transformers

    trained = transformers.AutoModelForCausalLM.from_pretrained(after, dtype="float32")
    left = dict(trained.named_parameters())
    return {name: (value - left[name]).detach() for name, value in before.named_parameters()}


def backward(model: Any, loss: Any) -> dict[str, Any]:
    """The gradient of a loss that the trainer's own code made."""
    model.zero_grad()
    loss.backward()
    return {name: value.grad.clone() for name, value in model.named_parameters()}


def by_hand(model: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The gradient of Σ w·CE / Σ w over rows with `input_ids` and `loss_weights`."""
    return backward(model.eval(), weighted_loss(model, rows))


def distance(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    """Norm of the difference over the norm, of all parameters together."""
    import torch

    a, b = (torch.cat([grads[name].double().flatten() for name in sorted(ours)]) for grads in (ours, theirs))
    return float((a - b).norm() / b.norm())


def as_ones(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as a trainer sees them that takes every weight above 0 as 1."""
    return [{**row, "loss_weights": [float(weight > 0) for weight in row["loss_weights"]]} for row in rows]


def load(file: Path) -> Any:
    """A recipe's module, as it stands in the export."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


# Of special tokens that the vocabulary has, so that a message rendered alone has the ids it has in its conversation.
CHAT_TEMPLATE = (
    "{% for m in messages %}<|pad_0|>{{ m['role'] }}\n{{ m['content'] }}<|end_of_turn|>{% endfor %}"
    "{% if add_generation_prompt %}<|pad_0|>assistant\n{% endif %}"
)


def tokenizer(folder: Path) -> Any:
    """The vocabulary in `folder` with a chat template, saved there."""
    import transformers

    loaded = transformers.AutoTokenizer.from_pretrained(folder)
    loaded.pad_token, loaded.chat_template = "<unk>", CHAT_TEMPLATE
    loaded.save_pretrained(folder)
    return loaded


def rendered(vocabulary: Any, messages: list[dict[str, Any]], bos: bool = False, apart: bool = False) -> dict[str, Any]:
    """Ids and weights of `CHAT_TEMPLATE`, spelled out: a response weighs with its end, but not with its role."""
    ids, weights = [vocabulary.bos_token_id] * bos, [0.0] * bos
    for message in messages:
        prompt, text = f"<|pad_0|>{message['role']}\n", f"{message['content']}<|end_of_turn|>"
        own = vocabulary(prompt + text, add_special_tokens=False)["input_ids"]
        head = vocabulary(prompt, add_special_tokens=False)["input_ids"]
        begin = len(head)
        if apart and message["role"] == "assistant":
            own = head + vocabulary(text, add_special_tokens=False)["input_ids"]
        ids, weights = ids + own, weights + [0.0] * begin + [float(message["weight"])] * (len(own) - begin)
    return {"input_ids": ids, "loss_weights": weights}
