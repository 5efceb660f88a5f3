"""With the recipe of `--format trl`, TRL's gradient is that of Σ w·CE / Σ w; with its stock trainer it is not."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import curate
from curate.export import export
from tests.export.vocabularies import mistral

from .runs import by_hand, distance
from .shards import config, tokens, workspace

pytestmark = pytest.mark.filterwarnings("ignore")

RECIPE = Path(curate.__file__).parent / "export" / "recipes" / "trl" / "weighted.py"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def recipe() -> ModuleType:
    pytest.importorskip("torch", reason="pip install torch==2.13.0")
    spec = importlib.util.spec_from_file_location("weighted", RECIPE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tmp_path: Path) -> Any:
    """The rows of the tokenised export."""
    out = export(workspace(tmp_path), tmp_path / "out", tokenizer=str(mistral(tmp_path / "vocabulary")), quiet=True).out
    return tokens(out).select(["input_ids", "labels", "loss_weights"]).slice(0, 8)


def step(data: Any, tmp_path: Path, size: int, recipe: ModuleType | None) -> tuple[Any, Any]:
    """The gradient by a step of TRL's trainer with SGD at rate 1, and the model as it was before."""
    trl = pytest.importorskip("trl", reason="pip install trl==1.16.0 accelerate==1.15.0")
    import datasets
    import torch
    import transformers

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config()))
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(tmp_path / "vocabulary"))
    tokenizer.pad_token = "<unk>"
    options = {
        "output_dir": str(tmp_path / "run"),
        "per_device_train_batch_size": size,
        "gradient_accumulation_steps": 8 // size,
        "max_steps": 1,
        "max_length": None,
        "packing": False,
        "optim": "sgd",
        "learning_rate": 1.0,
        "lr_scheduler_type": "constant",
        "max_grad_norm": 0.0,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    kind: Any = trl.SFTTrainer
    more: dict[str, Any] = {}
    if recipe:
        kind = type("Weighted", (recipe.WeightedLoss, trl.SFTTrainer), {})
        more["data_collator"] = recipe.WeightedCollator(tokenizer)
    rows = datasets.Dataset(data)
    args = trl.SFTConfig(**options)
    trainer = kind(model=model, args=args, train_dataset=rows, processing_class=tokenizer, **more)
    trainer.train()
    gradient = {name: before[name] - value.detach() for name, value in trainer.model.named_parameters()}
    fresh = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config()))
    fresh.load_state_dict({**fresh.state_dict(), **before})
    return gradient, fresh


@pytest.mark.parametrize("size", [8, 2])
def test_the_gradient_is_that_of_the_weighted_loss(data: Any, tmp_path: Path, recipe: ModuleType, size: int) -> None:
    gradient, model = step(data, tmp_path, size, recipe)
    assert distance(gradient, by_hand(model, data.to_pylist())) < 1e-5


def test_the_stock_trainer_takes_every_weight_as_one(data: Any, tmp_path: Path) -> None:
    gradient, model = step(data, tmp_path, 8, None)
    assert distance(gradient, by_hand(model, data.to_pylist())) > 0.05
