"""NeMo RL's SFT data with each row's weight as its loss multiplier; `nemo_rl.yaml` names it."""

from pathlib import Path

from datasets import load_dataset
from nemo_rl.data.datasets.raw_dataset import RawDataset
from nemo_rl.data.processors import sft_processor

HERE = Path(__file__).resolve().parent


def weighted_sft_processor(row, *args, **kwargs):
    """The stock processor's datum; only responses with a weight keep the role that is trained."""
    datum = sft_processor(row, *args, **kwargs)
    datum["loss_multiplier"] *= row["weight"]
    for tokens, message in zip(datum["message_log"], row["messages"], strict=True):
        if tokens["role"] == "assistant" and not message["weight"]:
            tokens["role"] = "masked"
    return datum


class WeightedDataset(RawDataset):
    """The shards beside this file."""

    def __init__(self, **kwargs):
        self.task_name = "curate"
        rows = load_dataset("parquet", data_files=str(HERE / "data" / "*.parquet"), split="train")
        rows = rows.select_columns(["messages", "weight"])
        self.dataset = rows.add_column("task_name", [self.task_name] * len(rows))
        self.val_dataset = None

    def set_processor(self):
        """Whatever the configuration says: any other drops the weight."""
        self.processor = weighted_sft_processor
