"""Train on this folder with TRL (0.24 to 1.16): python train.py MODEL [--output OUT] [--max-length 4096]."""

import argparse
from pathlib import Path

from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer
from weighted import WeightedCollator, WeightedLoss

HERE = Path(__file__).resolve().parent


class Trainer(WeightedLoss, SFTTrainer):
    """TRL's trainer with the C-RLFT loss."""


def rows():
    """The shards; of text also the weights of the trained responses, in order."""
    data = load_dataset("parquet", data_files=str(HERE / "data" / "*.parquet"), split="train")
    if "input_ids" in data.column_names:
        wanted = ["input_ids", "labels", "loss_weights", "seq_lengths"]
        return data.select_columns([name for name in wanted if name in data.column_names])

    def weights(row):
        return {"response_weights": [m["weight"] for m in row["messages"] if m["weight"] > 0]}

    return data.map(weights).select_columns(["messages", "chat_template_kwargs", "response_weights"])


def trainer(model, tokenizer, **options):
    """A trainer for this folder; `options` are those of SFTConfig."""
    data = rows()
    text = "messages" in data.column_names
    if text:
        tokenizer.chat_template = (HERE / "chat_template.jinja").read_text("utf-8")
    args = SFTConfig(**{"assistant_only_loss": text, "packing": False, "report_to": "none", **options})
    collator = WeightedCollator(tokenizer)
    return Trainer(model=model, args=args, train_dataset=data, processing_class=tokenizer, data_collator=collator)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--output", default="out")
    parser.add_argument("--max-length", type=int, default=4096)
    told = parser.parse_args()
    run = trainer(
        AutoModelForCausalLM.from_pretrained(told.model, dtype="auto"),
        AutoTokenizer.from_pretrained(told.model),
        output_dir=told.output,
        max_length=told.max_length,
    )
    run.train()
    run.save_model()
