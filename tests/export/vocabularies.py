"""A real tokenizer without a download: Mistral's SentencePiece model, which `mistral-common` ships."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence


def mistral(folder: Path, special: Sequence[str] = ()) -> Path:
    """A folder with `tokenizer.json` as Mistral-7B with OpenChat's two added tokens has it, and `special` ones."""
    pytest.importorskip("mistral_common", reason="mistral-common ships the vocabulary")
    pytest.importorskip("sentencepiece")
    pytest.importorskip("tokenizers")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(_tokenizer_json(tuple(special)), "utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "<|end_of_turn|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def mistral_model(folder: Path) -> Path:
    """The same as `tokenizer.model` and `added_tokens.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(_model().read_bytes())
    (folder / "added_tokens.json").write_text(json.dumps({"<|end_of_turn|>": 32000, "<|pad_0|>": 32001}))
    return folder


def _model() -> Path:
    common = pytest.importorskip("mistral_common", reason="mistral-common ships the vocabulary")
    return Path(common.__file__).parent / "data" / "tokenizer.model.v1"


@cache
def _tokenizer_json(more: tuple[str, ...]) -> str:
    from sentencepiece import SentencePieceProcessor
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

    model = SentencePieceProcessor(model_file=str(_model()))
    pieces = [model.id_to_piece(number) for number in range(model.vocab_size())]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    # Byte-pair merges in order of score: every way to split a piece into two others.
    merges = []
    for piece, number in vocabulary.items():
        splits = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        known = [pair for pair in splits if pair[0] in vocabulary and pair[1] in vocabulary]
        known.sort(key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))
        merges += [(model.get_score(number), pair) for pair in known]
    merges.sort(key=lambda merge: merge[0], reverse=True)
    bpe = models.BPE(
        vocab=vocabulary, merges=[pair for _, pair in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True
    )
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    special = ["<unk>", "<s>", "</s>", "<|end_of_turn|>", "<|pad_0|>", *more]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return str(tokenizer.to_str())
