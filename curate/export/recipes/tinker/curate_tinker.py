"""This folder for Tinker, so that a batch's loss is sum(w * cross entropy) / sum(w).

A loop of your own:

    for batch in Dataset(batch_size=128):
        client.forward_backward(batch, "cross_entropy")

The cookbook's loop, with the tokenizer that the folder was exported with being the model's:

    train.main(train.Config(dataset_builder=Builder(batch_size=128), model_name=MODEL, ...))
"""

import random
from pathlib import Path

import chz
import pyarrow.parquet as pq
import tinker
from tinker_cookbook.supervised.types import SupervisedDataset, SupervisedDatasetBuilder

HERE = Path(__file__).resolve().parent


def datum(ids, weights):
    """One row: what is predicted at each place, and how much that weighs."""
    targets = tinker.TensorData(data=ids[1:], dtype="int64", shape=[len(ids) - 1])
    weighs = tinker.TensorData(data=weights[1:], dtype="float32", shape=[len(ids) - 1])
    inputs = tinker.ModelInput.from_ints(ids[:-1])
    return tinker.Datum(model_input=inputs, loss_fn_inputs={"target_tokens": targets, "weights": weighs})


def batch(rows):
    """Rows as data whose weights sum to 1: Tinker adds up w * cross entropy, and divides by nothing."""
    total = sum(sum(row["loss_weights"][1:]) for row in rows)
    return [datum(row["input_ids"], [weight / total for weight in row["loss_weights"]]) for row in rows]


def rows(folder=HERE):
    """All rows of the shards."""
    files = sorted((Path(folder) / "data").glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file, columns=["input_ids", "loss_weights"]).to_pylist()]


class Dataset(SupervisedDataset):
    """Batches of rows; a last one that is not full is left out, unless it is the only one."""

    def __init__(self, batch_size, folder=HERE):
        self.rows, self.size = rows(folder), batch_size

    def __len__(self):
        return max(1, len(self.rows) // self.size)

    def __iter__(self):
        return (self.get_batch(index) for index in range(len(self)))

    def get_batch(self, index):
        """The data of one step."""
        return batch(self.rows[index * self.size : (index + 1) * self.size])

    def set_epoch(self, seed=0):
        """Another order."""
        self.rows.sort(key=lambda row: row["input_ids"])
        random.Random(seed).shuffle(self.rows)


@chz.chz
class Builder(SupervisedDatasetBuilder):
    """For the cookbook's `train.Config`."""

    batch_size: int = 128
    folder: str = str(HERE)

    def __call__(self):
        return Dataset(self.batch_size, self.folder), None
