#!/bin/sh
# sh train.sh MODEL [more options of `swift sft`]
# `--packing true` at the end packs; it needs flash attention.
# Without --is_binary_loss_scale false every weight above 0 trains as 1.
cd "$$(dirname "$$0")" && model=$$1 && shift &&
exec swift sft --model "$$model" --dataset data --external_plugins curate_swift.py --loss_scale curate \
    --is_binary_loss_scale false --packing false --output_dir out "$$@"
