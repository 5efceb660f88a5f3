"""The recipe of `trl` in TRL itself: its gradient is that of the hand-computed Σ w·CE / Σ w, and TRL's own is not."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from curate.export import export

from .vocabularies import mistral
from .workspaces import conversation, make, talk

pytestmark = pytest.mark.filterwarnings("ignore")

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

ROWS = [
    conversation(talk("Hi", "Hello there"), **{"class": "gpt-4"}),
    conversation(talk("Hi", "No", "Why", "Because"), **{"class": ["gpt-3.5", "gpt-3.5"]}),
    conversation(talk("What is this", "A longer answer to a question"), **{"class": "gpt-3.5"}),
    conversation(talk("Bye", "See you"), **{"class": "gpt-4"}),
]


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An export by name, with its folder on the path."""

    def make_export(**options: Any) -> Path:
        for name in ("weighted", "train"):
            sys.modules.pop(name, None)
        vocabulary = mistral(tmp_path / "vocabulary")
        if options.pop("tokens"):
            options["tokenizer"] = str(vocabulary)
        out = export(make(tmp_path / "ws", ROWS).path, tmp_path / "out", quiet=True, **options).out
        monkeypatch.syspath_prepend(str(out))
        monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
        return out

    return make_export


def tiny() -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=32002, **sizes))


def test_spread_gives_each_run_of_labels_its_weight(recipe: Any) -> None:
    recipe(format="trl", tokens=False)
    weighted = import_module("weighted")
    assert weighted.spread([-100, 5, 6, -100, 7], [1.0, 0.1]) == [0.0, 1.0, 1.0, 0.0, 0.1]


def test_the_collator_pads_and_refuses_packed_rows(recipe: Any) -> None:
    recipe(format="trl", tokens=False)
    weighted = import_module("weighted")

    class Pads:
        pad_token_id = 9

    collator = weighted.WeightedCollator(Pads())
    short = {"input_ids": [1], "labels": [1], "loss_weights": [0.5, 1.0]}
    batch = collator([short, {"input_ids": [1, 2], "labels": [-100, 2], "response_weights": [0.1]}])
    assert batch["input_ids"].tolist() == [[1, 9], [1, 2]]
    assert batch["loss_weights"].tolist() == [[0.5, 0.0], [0.0, pytest.approx(0.1)]]
    with pytest.raises(ValueError, match="packed"):
        collator([{"input_ids": [1, 2], "labels": [1, 2], "loss_weights": [1.0]}])


@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize(("rows", "steps"), [(4, 1), (2, 2)])
def test_the_gradient_is_the_weighted_one_also_under_accumulation(
    tmp_path: Path, recipe: Any, tokens: bool, rows: int, steps: int
) -> None:
    pytest.importorskip("trl", reason="pip install trl==1.16.0 accelerate, or make test-trainers")
    from transformers import AutoTokenizer

    recipe(format="trl", tokens=tokens)
    train = import_module("train")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "vocabulary")
    tokenizer.pad_token = "<unk>"
    options = {
        "output_dir": str(tmp_path / "run"), "use_cpu": True, "bf16": False, "gradient_checkpointing": False,
        "optim": "sgd", "learning_rate": 1.0, "max_steps": 1, "max_grad_norm": 0.0, "save_strategy": "no",
        "lr_scheduler_type": "constant", "per_device_train_batch_size": rows, "gradient_accumulation_steps": steps,
    }  # fmt: skip
    model = tiny()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    run = train.trainer(model, tokenizer, **options)
    assert len(run.train_dataset) == 4
    run.train()
    moved = torch.cat([(before[name] - value.detach()).flatten() for name, value in model.named_parameters()])

    reference = tiny()
    weighted = import_module("weighted")
    batch = weighted.WeightedCollator(tokenizer)([dict(row) for row in run.train_dataset])
    logits = reference(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1].float()
    wanted = batch["labels"][:, 1:]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), wanted, ignore_index=-100, reduction="none")
    weights = batch["loss_weights"][:, 1:]
    assert {round(w, 4) for w in weights.unique().tolist()} == {0.0, 0.1, 1.0}

    def gradient(scale: Any) -> Any:
        reference.zero_grad()
        ((losses * scale).sum() / scale.sum()).backward(retain_graph=True)
        return torch.cat([value.grad.flatten() for value in reference.parameters()])

    own, stock = gradient(weights), gradient((weights > 0).float())
    assert ((moved - own).norm() / own.norm()).item() < 1e-5
    assert ((moved - stock).norm() / stock.norm()).item() > 0.1, "the unweighted trainer does something else"
