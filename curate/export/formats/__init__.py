"""One file per export format, found by its name: `openchat_jsonl.py` is `--format openchat-jsonl`.

A format module has `NEEDS_TOKENIZER` and `write(job)`.
"""
