#!/bin/sh
# sh train.sh MODEL [more options of `swift sft`]
# Without --is_binary_loss_scale false every weight above 0 trains as 1.
cd "$$(dirname "$$0")" && model=$$1 && shift &&
exec swift sft --model "$$model" --dataset data --loss_scale default --is_binary_loss_scale false \
    --packing false --output_dir out "$$@"
