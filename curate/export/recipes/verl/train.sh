#!/bin/sh
# sh train.sh MODEL [more options of verl.trainer.sft_trainer]
# Of less than data.train_batch_size rows (256) no step is made: it drops the last batch if it is not full.
here=$$(cd "$$(dirname "$$0")" && pwd) && model=$$1 && shift &&
files=$$(ls "$$here"/data/*.parquet | paste -sd, -) &&
exec torchrun --standalone --nproc_per_node=1 -m verl.trainer.sft_trainer \
    data.train_files="[$$files]" data.messages_key=messages data.truncation=right data.max_length=4096 \
    data.custom_cls.path="$$here/curate_verl.py" data.custom_cls.name=WeightedSFTDataset \
    model.path="$$model" engine=fsdp optim.lr=1e-5 trainer.logger=console trainer.default_local_dir="$$here/out" "$$@"
