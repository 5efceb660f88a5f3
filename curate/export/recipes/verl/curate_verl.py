"""verl's SFT data set with each message's weight in its float loss mask; `train.sh` names it."""

from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset


class WeightedSFTDataset(MultiTurnSFTDataset):
    """The FSDP engine multiplies the loss by the mask and divides by its sum."""

    def _process_single_message(self, index, message, *args, **kwargs):
        ids, mask, attention, inputs = super()._process_single_message(index, message, *args, **kwargs)
        return ids, mask.float() * float(message["weight"]), attention, inputs
