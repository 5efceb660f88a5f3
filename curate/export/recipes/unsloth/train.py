"""Train on this folder with unsloth: python train.py MODEL [--output OUT] [--max-length 4096]."""

import argparse
import os
from pathlib import Path

os.environ["UNSLOTH_RETURN_LOGITS"] = "1"  # else its models return none, and there is nothing to weigh

from unsloth import FastLanguageModel  # first: it patches the others
from datasets import load_dataset
from trl import SFTConfig, SFTTrainer
from weighted import WeightedCollator, WeightedLoss

HERE = Path(__file__).resolve().parent


class Trainer(WeightedLoss, SFTTrainer):
    """TRL's trainer, patched by unsloth, with the C-RLFT loss."""


def rows():
    """The shards; of text also the weights of the trained responses, in order."""
    data = load_dataset("parquet", data_files=str(HERE / "data" / "*.parquet"), split="train")
    if "input_ids" in data.column_names:
        return data.select_columns(["input_ids", "labels", "loss_weights"])

    def weights(row):
        return {"response_weights": [m["weight"] for m in row["messages"] if m["weight"] > 0]}

    return data.map(weights).select_columns(["messages", "chat_template_kwargs", "response_weights"])


def trainer(model, tokenizer, **options):
    """A trainer for this folder; `options` are those of SFTConfig."""
    data = rows()
    text = "messages" in data.column_names
    if text:
        tokenizer.chat_template = (HERE / "chat_template.jinja").read_text("utf-8")
    # Its patches ask for the columns of the model only, and its packing would drop the weights.
    fixed = {"packing": False, "report_to": "none", "remove_unused_columns": False}
    args = SFTConfig(**{"assistant_only_loss": text, **fixed, **options})
    collator = WeightedCollator(tokenizer)
    return Trainer(model=model, args=args, train_dataset=data, processing_class=tokenizer, data_collator=collator)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--output", default="out")
    parser.add_argument("--max-length", type=int, default=4096)
    told = parser.parse_args()
    model, tokenizer = FastLanguageModel.from_pretrained(told.model, max_seq_length=told.max_length)
    model = FastLanguageModel.get_peft_model(model)
    run = trainer(model, tokenizer, output_dir=told.output, max_length=told.max_length)
    run.train()
    run.save_model()
