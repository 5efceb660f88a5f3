"""One file per export format, found by its name: `openchat_jsonl.py` is `--format openchat-jsonl`.

A format module has `write(job)` and says what its target takes:

    NEEDS_TOKENIZER     True: token ids only
    TEXT_ONLY           True: no token ids
    OPENCHAT            True: the template must be a model type of OpenChat's trainer
    PACK                True: with `job.pack`, several rows become one that says where each ends
    PACKS               without PACK: what packs there instead, or why nothing does
    EPOCHS              True: a file per epoch
    WEIGHTS             "message" (the default), "row" or "none": the finest fractional weight that gets through
    LAST_ONLY           True: of a row only the last response can be learned
    ROLES               a regular expression over the roles of a row, such as "system user assistant"; what does
                        not match is dropped as `target_roles`, and rows end with the last response that is learned
    NO_EMPTY_RESPONSE   True: a conversation with an empty response is dropped so, too
"""
