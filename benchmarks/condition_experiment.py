"""C-RLFT in small: does a model trained on our shards answer as the class that its prompt names?

    python benchmarks/condition_experiment.py [--seeds 0,1,2] [--steps 300]
    python benchmarks/condition_experiment.py --model FOLDER --steps 200      # a real small model, on CUDA if there is

60 made-up GPT-4 and 600 GPT-3.5 answers go through ingest, label and export; then one model each is trained on
(a) conditioned and weighted, (b) weighted and (c) plain shards, with Σ w·CE / Σ w. Of questions that were never seen it
prints how probable a GPT-4-style answer is beside a GPT-3.5-style one, prompted as GPT-4, as GPT-3.5, and without.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path
from statistics import mean, pstdev
from time import perf_counter

import polars as pl
import torch
from torch import nn
from torch.nn import functional

import curate
from curate.export import templates, tokenise

TOPICS = [f"{kind} {number}" for kind in ("comet", "river", "engine", "spice", "melody") for number in range(40)]
HELD_OUT = TOPICS[3::9]
STRONG = "let us see step by step , the {} is one of many , and here is why ."
WEAK = "no idea , the {} is just what it is , sorry about that ."
TEMPLATE = "openchat_v3.2_mistral"
# Both role prefixes of a set without conditions say the same for every class.
UNCONDITIONED = "Chat"
CONDITIONS = """\
schema = 1
kind = "conditions"
[[rule]]
name = "everything"
why = "Both classes alike."
when = "class is not null"
condition = "Chat"
case = [{ class = "gpt-4", fires = true }, { model = "x", fires = false }]
"""
WEIGHTS = """\
schema = 1
kind = "weights"
unknown = 1.0
[classes]
gpt-4 = 1.0
"gpt-3.5" = 1.0
human = 1.0
"""


def tokenizer_folder(folder: Path) -> Path:
    """A tokenizer of whole words over everything that the experiment says."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

    words = {"<unk>": 0, "<s>": 1, "<|end_of_turn|>": 2}
    text = " ".join([STRONG, WEAK, "What is the ?", "GPT4 GPT3 Chat User Assistant :", *TOPICS])
    for word in text.split():
        words.setdefault(word, len(words))
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(":", "isolated"), pre_tokenizers.Split("?", "isolated")]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in list(words)[1:3]])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def workspace(folder: Path) -> Path:
    """Ten GPT-3.5 answers for each of GPT-4, as in OpenChat's data."""
    topics = [topic for topic in TOPICS if topic not in HELD_OUT]
    lines = []
    for number in range(660):
        strong = number % 11 == 0
        topic = topics[(number * 7) % len(topics)]
        turns = [("human", f"What is the {topic} ?"), ("gpt", (STRONG if strong else WEAK).format(topic))]
        chat = [{"from": who, "value": text} for who, text in turns]
        lines.append(json.dumps({"model": ("gpt-3.5-turbo", "gpt-4")[strong], "conversations": chat}))
    (folder / "dump.jsonl").write_text("\n".join(lines))
    curate.ingest([folder / "dump.jsonl"], folder / "ws", quiet=True)
    curate.label(folder / "ws", quiet=True)
    return folder / "ws"


def arms(folder: Path, vocabulary: Path) -> dict[str, Path]:
    """The three exports."""
    (folder / "conditions.toml").write_text(CONDITIONS)
    (folder / "weights.toml").write_text(WEIGHTS)
    same, equal = {"conditions": str(folder / "conditions.toml")}, {"weights": str(folder / "weights.toml")}
    options = {"conditioned and weighted": {}, "weighted": same, "plain": {**same, **equal}}
    ws = workspace(folder)
    for name, more in options.items():
        out = folder / name.replace(" ", "-")
        curate.export(ws, out, tokenizer=str(vocabulary), template=TEMPLATE, quiet=True, **more)
    return {name: folder / name.replace(" ", "-") for name in options}


class Tiny(nn.Module):
    """A transformer of two layers."""

    def __init__(self, vocabulary: int, width: int = 64, context: int = 128) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits of the next id at every place."""
        length = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=ids.device)
        hidden = self.tokens(ids) + self.places(torch.arange(length, device=ids.device))
        return self.head(self.layers(hidden, mask=mask, is_causal=True))


def logits(model: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    out = model(ids)
    return (out if isinstance(out, torch.Tensor) else out.logits).float()


def losses(model: nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """Cross entropy of each id but the first."""
    flat = logits(model, ids[:, :-1]).flatten(0, 1)
    return functional.cross_entropy(flat, ids[:, 1:].flatten(), reduction="none").view(len(ids), -1)


def train(model: nn.Module, shards: Path, steps: int, batch: int, rate: float, seed: int, device: str) -> None:
    """Σ w·CE / Σ w over each batch."""
    rows = pl.read_parquet(shards / "data" / "*.parquet").select("input_ids", "loss_weights")
    longest = rows["input_ids"].list.len().max()

    def padded(name: str) -> torch.Tensor:
        return torch.tensor([row + [0] * (longest - len(row)) for row in rows[name].to_list()], device=device)

    ids, weights = padded("input_ids"), padded("loss_weights")
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    dice = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(steps):
        chosen = torch.randint(len(ids), (batch,), generator=dice).to(device)
        own = weights[chosen][:, 1:]
        loss = (losses(model, ids[chosen]) * own).sum() / own.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def preference(model: nn.Module, encoder: tokenise.Encoder, condition: str, device: str) -> tuple[float, float]:
    """Probability of the strong answer beside the weak one, and how often it is above 0.5; unseen questions."""
    model.eval()
    chances = []
    for topic in HELD_OUT:
        scores = []
        for answer in (STRONG, WEAK):
            said = [("user", f"What is the {topic} ?"), ("assistant", answer.format(topic))]
            (framed,) = encoder.framing.frame([([{"role": role, "content": text} for role, text in said], condition)])
            asked, answered = framed.segments
            ids = [*framed.opening, *asked.ids, *answered.ids]
            prompt = len(framed.opening) + len(asked.ids) + answered.begin
            loss = losses(model, torch.tensor([ids], device=device))[0, prompt - 1 :]
            scores.append(-float(loss.sum()))
        gap = max(-60.0, min(60.0, scores[1] - scores[0]))
        chances.append(1 / (1 + math.exp(gap)))
    return mean(chances), mean(float(chance > 0.5) for chance in chances)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--model", type=Path, help="folder of a real model with its tokenizer")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    rate = told.rate or (2e-5 if told.model else 3e-3)
    results: dict[str, dict[str, list[tuple[float, float]]]] = {}
    began = perf_counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        vocabulary, make_model = real(told.model, folder) if told.model else tiny(folder)
        encoder = tokenise.load(str(vocabulary), templates.find(TEMPLATE))
        exports = arms(folder, vocabulary)
        for seed in map(int, told.seeds.split(",")):
            for arm, shards in exports.items():
                torch.manual_seed(seed)
                model = make_model().to(told.device)
                train(model, shards, told.steps, told.batch, rate, seed, told.device)
                asked = ("GPT4", "GPT3", "") if arm.startswith("conditioned") else ("GPT4", "GPT3", UNCONDITIONED)
                for condition in asked:
                    found = preference(model, encoder, condition, told.device)
                    results.setdefault(arm, {}).setdefault(condition or "none", []).append(found)
    seconds = perf_counter() - began
    if told.json:
        print(json.dumps({"seconds": seconds, "arms": results}))
        return 0
    print(
        f"probability of the GPT-4-style answer, {len(HELD_OUT)} unseen questions, seeds {told.seeds}; {seconds:.0f} s"
    )
    print(f"{'trained on':<26}{'prompted as':<14}{'mean':>8}{'spread':>8}{'preferred':>11}")
    for arm, asked in results.items():
        for condition, found in asked.items():
            chances = [chance for chance, _ in found]
            preferred = mean(share for _, share in found)
            print(f"{arm:<26}{condition:<14}{mean(chances):>8.3f}{pstdev(chances):>8.3f}{preferred:>10.0%}")
    return 0


def tiny(folder: Path):
    vocabulary = tokenizer_folder(folder / "tokenizer")
    words = json.loads((vocabulary / "tokenizer.json").read_text())["model"]["vocab"]
    return vocabulary, lambda: Tiny(len(words))


def real(path: Path, folder: Path):
    """A model of transformers; its tokenizer gets the template's end of turn where it has none."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|end_of_turn|>"]})
    tokenizer.save_pretrained(folder / "tokenizer")

    def make():
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        if len(tokenizer) > model.get_input_embeddings().num_embeddings:
            model.resize_token_embeddings(len(tokenizer))
        return model

    return folder / "tokenizer", make


if __name__ == "__main__":
    sys.exit(main())
