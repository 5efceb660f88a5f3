"""The C-RLFT loss, sum(w * cross entropy) / sum(w) over the global batch, for any trainer built on transformers'.

Put `WeightedLoss` before the trainer's class and give it the collator:

    class Trainer(WeightedLoss, SFTTrainer): ...
    Trainer(..., data_collator=WeightedCollator(tokenizer), args=SFTConfig(..., packing=False))

Weights are per token (`loss_weights`) or per trained response in order (`response_weights`).
"""

import torch
import torch.nn.functional as F

COLUMNS = ["input_ids", "labels", "loss_weights", "response_weights", "seq_lengths"]


def spread(labels, response_weights):
    """A weight per token: the n-th unbroken run of labels is the n-th trained response."""
    weights, run, inside = [], -1, False
    for label in labels:
        run, inside = run + (label != -100 and not inside), label != -100
        weights.append(float(response_weights[run]) if inside else 0.0)
    return weights


class WeightedCollator:
    """Pads ids, labels and weights on the right; what truncation cut off the ids is cut off the weights."""

    def __init__(self, tokenizer, *args, **kwargs):
        self.pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id

    def __call__(self, rows, return_tensors=None):
        """A batch of tensors of one length."""
        columns = {"input_ids": [], "labels": [], "attention_mask": [], "loss_weights": []}
        length = max(len(row["input_ids"]) for row in rows)
        for row in rows:
            ids, labels = list(row["input_ids"]), list(row["labels"])
            weights = row.get("loss_weights")
            weights = spread(labels, row["response_weights"]) if weights is None else list(weights)[: len(ids)]
            if len(weights) != len(ids):
                raise ValueError(f"{len(weights)} weights for {len(ids)} tokens: was the data packed?")
            gap = length - len(ids)
            columns["input_ids"].append(ids + [self.pad] * gap)
            columns["labels"].append(labels + [-100] * gap)
            columns["attention_mask"].append([1] * len(ids) + [0] * gap)
            columns["loss_weights"].append([float(weight) for weight in weights] + [0.0] * gap)
            if row.get("seq_lengths") is not None:
                # Positions that begin again, and no mask: transformers then keeps the sequences apart.
                own = [*row["seq_lengths"], gap]
                columns.setdefault("position_ids", []).append([at for size in own for at in range(size)])
        if "position_ids" in columns:
            del columns["attention_mask"]
        return {name: torch.tensor(values) for name, values in columns.items()}


class WeightedLoss:
    """Overrides what a transformers Trainer divides by, and what it sums."""

    # Else some trainers, axolotl's among them, divide by the number of accumulated batches once more.
    @property
    def model_accepts_loss_kwargs(self):
        """Whether `compute_loss` divides by all that the step adds up: it does, whatever the model takes."""
        return True

    @model_accepts_loss_kwargs.setter
    def model_accepts_loss_kwargs(self, value):
        pass

    def _set_signature_columns_if_needed(self):
        self._signature_columns = COLUMNS

    def _get_num_items_in_batch(self, batch_samples, device):
        total = sum(batch["loss_weights"][:, 1:].sum() for batch in batch_samples).to(device)
        return self.accelerator.gather(total).sum() if self.args.average_tokens_across_devices else total

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Weighted cross entropy; logits in float32."""
        inputs = dict(inputs)
        labels, weights = inputs.pop("labels")[:, 1:], inputs.pop("loss_weights")[:, 1:]
        outputs = model(**inputs, use_cache=False)
        logits = outputs.logits[:, :-1].float()
        losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="none")
        loss = (losses * weights.flatten()).sum()
        if num_items_in_batch is None:
            loss = loss / weights.sum()
        else:
            loss = loss / num_items_in_batch.to(loss.device)
            if self.args.average_tokens_across_devices:
                loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss
