"""LLaMA-Factory's default engine trains the rows that were drawn, on their last response, with its condition."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from curate.export import export
from tests.export.vocabularies import mistral

from .runs import by_hand, distance, gradient, require, run, save_model, tokenizer
from .shards import tokens, workspace

pytestmark = pytest.mark.filterwarnings("ignore")

# It imports torchaudio, for sounds, whatever is trained; what the index has of it needs CUDA. Text asks it nothing.
ASIDE = '"""An empty module in place of torchaudio."""\n'
# Whatever the recipe says: what a CPU can, and one step of SGD at rate 1 over all rows, which is minus the gradient.
CPU = {"bf16": False, "use_cpu": True, "template": "default", "overwrite_cache": True}
STEP = {"finetuning_type": "full", "per_device_train_batch_size": 99, "optim": "sgd", "learning_rate": 1.0}
STEP |= {"lr_scheduler_type": "constant", "max_grad_norm": 0.0, "weight_decay": 0.0, "max_steps": 1}


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The result of an export, and a tiny model beside it."""
    require("llamafactory", "llama-factory")
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside" / "torchaudio.py").write_text(ASIDE)
    monkeypatch.syspath_prepend(str(tmp_path / "aside"))
    mistral(tmp_path / "model")
    tokenizer(tmp_path / "model")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return export(workspace(tmp_path), tmp_path / "out", format="llama-factory", emulate_weights="resample", quiet=True)


def default(vocabulary: Any, system: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Ids of its template `default`, spelled out; the last response and its end weigh 1, and nothing else."""
    end = vocabulary.eos_token
    ids: list[int] = []
    weights: list[float] = []
    for number, message in enumerate(messages):
        said = message["content"]
        answer = message["role"] == "assistant"
        text = f"{said}{end}\n" if answer else f"Human: {said}{end}\nAssistant:"
        parts = ([f"System: {system}", end, "\n"] if number == 0 and system else []) + _split(text, end)
        own = [id_ for part in parts for id_ in vocabulary.encode(part, add_special_tokens=False)]
        ids, weights = ids + own, weights + [float(number == len(messages) - 1)] * len(own)
    return {"input_ids": ids, "loss_weights": weights}


def _split(text: str, end: str) -> list[str]:
    before, after = text.split(end)
    return [part for part in (before, end, after) if part]


def test_it_trains_the_rows_that_were_drawn_on_their_last_response(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llamafactory.train.tuner import run_exp
    from omegaconf import OmegaConf
    from transformers import AutoTokenizer, TrainerCallback

    model, out = save_model(tmp_path / "model"), exported.out
    seen: list[dict[str, Any]] = []

    class Look(TrainerCallback):
        """Keeps the rows that the trainer holds."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            seen.extend(more["train_dataloader"].dataset)

    monkeypatch.chdir(out)
    told: Any = OmegaConf.to_container(OmegaConf.load("train.yaml"))
    run_exp({**told, "model_name_or_path": str(tmp_path / "model"), **CPU, **STEP}, callbacks=[Look()])

    drawn = tokens(out).to_pylist()
    assert len(drawn) == exported.drawn[0]
    vocabulary = AutoTokenizer.from_pretrained(tmp_path / "model")
    rows = [default(vocabulary, row["system"], row["messages"]) for row in drawn]
    assert [row["input_ids"] for row in seen] == [row["input_ids"] for row in rows]
    for theirs, ours in zip(seen, rows, strict=True):
        learned = [label != -100 for label in theirs["labels"]]
        assert learned == [weight > 0 for weight in ours["loss_weights"]]
        assert all(label in (-100, id_) for label, id_ in zip(theirs["labels"], theirs["input_ids"], strict=True))
    for row, from_ in zip(rows, drawn, strict=True):
        assert from_["system"] in ("GPT3", "GPT4")
        assert vocabulary.decode(row["input_ids"]).startswith(f"System: {from_['system']}")
    heavy = sum(row["system"] == "GPT4" for row in drawn)
    assert heavy == 9, "a response of weight 1 is drawn once"
    assert distance(gradient(model, out / "out"), by_hand(model, rows)) < 1e-5


def test_its_command_runs_the_recipe(exported: Any, tmp_path: Path) -> None:
    save_model(tmp_path / "model")
    words = ["model_name_or_path=../model", "template=default", "bf16=false", "use_cpu=true", "max_steps=2"]
    command = [f"{Path(sys.executable).parent}/llamafactory-cli", "train", "train.yaml", *words]
    said = run(command, exported.out, tmp_path, PYTHONPATH=str(tmp_path / "aside"))
    assert f"Num examples = {exported.drawn[0]}" in said
    assert "Total optimization steps = 2" in said
    assert (exported.out / "out" / "adapter_model.safetensors").exists()


def test_what_is_cut_off_a_row_that_is_too_long_is_its_beginning_and_the_condition(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why the recipe says that `cutoff_len` must be above the longest row."""
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer
    from omegaconf import OmegaConf

    save_model(tmp_path / "model")
    monkeypatch.chdir(exported.out)
    told: Any = OmegaConf.to_container(OmegaConf.load("train.yaml"))
    arguments = get_train_args({**told, "model_name_or_path": str(tmp_path / "model"), **CPU, "cutoff_len": 16})
    module = load_tokenizer(arguments[0])
    template = get_template_and_fix_tokenizer(module["tokenizer"], arguments[1])
    rows = get_dataset(template, *arguments[:3], stage="sft", **module)["train_dataset"]
    texts = [module["tokenizer"].decode(row["input_ids"]) for row in rows]
    assert len(texts) == exported.drawn[0]
    assert not all("GPT" in text for text in texts)
