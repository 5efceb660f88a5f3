"""What an export was told, checked as far as it can be without a workspace, before anything is done or paid for."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate import reward, rules
from curate.errors import CurateError, did_you_mean
from curate.export import chat, folder, formats, publish, shape
from curate.export import conditions as condition_rules
from curate.export.emulate import EMULATIONS
from curate.export.tokenise import Limit
from curate.export.tokenise import load as load_encoder
from curate.export.truncate import TRUNCATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from curate.export.chat import ChatTemplate
    from curate.export.shape import Shape
    from curate.export.templates import Template
    from curate.export.tokenise import Encoder
    from curate.reward import Weights
    from curate.rules import RuleSet

# What to do with a response without a class: train on it under its own condition, drop its
# conversation, or train nothing on it.
UNLABELLED = ("keep", "drop", "mask")
# What to do with a response without a reward, where rewards count: weigh it by its class alone,
# drop its conversation, or train nothing on it.
FALLBACKS = ("coarse", "drop", "mask")
# What to do with a conversation that holds an item of a benchmark: drop it, train nothing on the responses
# that hold it or answer it, or nothing.
CONTAMINATED = ("drop", "mask", "keep")


@dataclass(frozen=True)
class Plan:
    """An export that may begin.

    Attributes:
        writer: The module of the format.
        template: How conversations become text.
        encoder: Set when token ids are written.
        weighting: One of `reward.WEIGHTINGS`; `auto` is settled by the scores.
        flags: Cleaning rules by name: `drop`, `mask` or `keep`.
        flags_given: Whether the user named any of them.
        shape: What is asked of weights, mixture and split.
    """

    writer: Any
    template: Template | ChatTemplate
    encoder: Encoder | None
    conditions: RuleSet
    weights: Weights
    weighting: str
    beta: float | None
    mix: float
    fallback: str
    unlabelled: str
    contaminated: str
    flags: dict[str, str]
    flags_given: bool
    shape: Shape


def known_formats() -> list[str]:
    """The names of the export formats: one file each in `curate/export/formats`."""
    names = (path.stem for folder in formats.__path__ for path in Path(folder).glob("*.py"))
    return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))


def check(
    workspace: str | Path,
    out: str | Path,
    *,
    format: str = "crlft",
    weighting: str = "auto",
    beta: float | None = None,
    mix: float = 0.5,
    fallback: str = "coarse",
    unlabelled: str = "keep",
    contaminated: str = "drop",
    tokenizer: str | None = None,
    template: str = "openchat_v3.2_mistral",
    max_length: int | None = None,
    truncate: str = "turn",
    context: int = 0,
    epochs: int = 1,
    seed: int = 0,
    name: str = "train",
    licences: Mapping[str, str] | None = None,
    emulate_weights: str | None = None,
    conditions: str = "conditions.toml",
    weights: str = "weights.toml",
    clean: str = "clean.toml",
    keep_flagged: Sequence[str] = (),
    drop_flagged: Sequence[str] = (),
    mask_flagged: Sequence[str] = (),
    solve: str | None = None,
    floor: float | None = None,
    ceiling: float | None = None,
    per: str = "token",
    rounding: str = "none",
    only: Sequence[str] = (),
    shares: Sequence[str] = (),
    mixture: str = "weight",
    caps: Sequence[str] = (),
    validation: float = 0.0,
    pack: bool = False,
) -> Plan:
    """Refuse what `export` would refuse whatever the workspace holds; it need not exist yet.

    Args and defaults are those of `export`.

    Raises:
        CurateError: Wrong options, or a folder that is not ours.
    """
    publish.check_licences(licences)
    folder.check_outside(Path(out).resolve(), Path(workspace).resolve())
    folder.earlier(Path(out).resolve())
    for option, value, known in (
        ("weighting", weighting, reward.WEIGHTINGS),
        ("unlabelled", unlabelled, UNLABELLED),
        ("fallback", fallback, FALLBACKS),
        ("contaminated", contaminated, CONTAMINATED),
        ("truncation", truncate, TRUNCATIONS),
        ("export format", format, known_formats()),
    ):
        if value not in known:
            raise CurateError(f"unknown {option} `{value}`", hint=did_you_mean(value, known))
    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise CurateError(f"`{name}` cannot be a file prefix", hint="use letters, digits and underscores")
    if epochs < 1:
        raise CurateError(f"`epochs` is {epochs}, it must be above 0")
    if beta is not None and not (math.isfinite(beta) and beta > 0):
        raise CurateError(f"`beta` is {beta}, it must be above 0", hint="0.434 spans 10:1 between best and worst")
    if not 0 <= mix <= 1:
        raise CurateError(f"`mix` is {mix}, it must be between 0 (rewards only) and 1 (classes only)")
    shaped = shape.read(
        solve=solve,
        floor=floor,
        ceiling=ceiling,
        per=per,
        rounding=rounding,
        only=only,
        shares=shares,
        mixture=mixture,
        caps=caps,
        validation=validation,
        seed=seed,
    )
    if shaped.goal and beta is not None:
        raise CurateError("`beta` is given and to be solved for", hint="leave out --beta or --solve")
    weigh = reward.read_weights(weights)
    known_classes = {*weigh.classes, "unknown"}
    for name_of in shaped.only:
        if name_of not in known_classes:
            what = f"`--only {name_of}`: the weights name no such class"
            raise CurateError(what, where=weigh.path, hint=did_you_mean(name_of, known_classes))
    if emulate_weights is not None and emulate_weights not in EMULATIONS:
        raise CurateError(
            f"unknown way to emulate weights `{emulate_weights}`", hint=did_you_mean(emulate_weights, EMULATIONS)
        )
    if context < 0 or (context and truncate != "split"):
        what = f"`context` is {context}, with `--truncate {truncate}`"
        raise CurateError(what, hint="rows that repeat earlier exchanges are those of --truncate split")
    chosen = chat.choose(template, tokenizer)
    writer = import_module(f"curate.export.formats.{format.replace('-', '_')}")
    if writer.NEEDS_TOKENIZER and tokenizer is None:
        raise CurateError(f"the format `{format}` holds token ids", hint="name the model's tokenizer: --tokenizer DIR")
    if getattr(writer, "OPENCHAT", False) and not getattr(chosen, "trained_by", ""):
        what = f"no trainer of OpenChat reads its Parquet with the template `{template}`"
        raise CurateError(what, where=f"--format {format}", hint="--format crlft holds the same ids")
    if getattr(writer, "TEXT_ONLY", False) and tokenizer is not None:
        raise CurateError(f"the format `{format}` holds text, no token ids", hint="leave out --tokenizer")
    if epochs > 1 and not getattr(writer, "EPOCHS", False):
        what = f"the format `{format}` has no file per epoch"
        raise CurateError(what, where="epochs", hint="leave out --epochs: its trainer shuffles and repeats by itself")
    if pack and not getattr(writer, "PACK", False):
        what = f"the format `{format}` has no place for where one packed row ends and the next begins"
        hint = getattr(writer, "PACKS", "crlft, trl, axolotl and openchat have")
        raise CurateError(what, where="--pack", hint=hint)
    if pack and tokenizer is None:
        raise CurateError("`--pack` packs token ids", hint="name the model's tokenizer: --tokenizer DIR")
    named = condition_rules.load(conditions)
    encoder = None if tokenizer is None else load_encoder(tokenizer, chosen, Limit(max_length, truncate, context))
    if encoder:
        condition_rules.check_tokens(named, encoder.specials)
    return Plan(
        writer=writer,
        template=chosen,
        encoder=encoder,
        conditions=named,
        weights=weigh,
        weighting=weighting,
        beta=beta,
        mix=mix,
        fallback=fallback,
        unlabelled=unlabelled,
        contaminated=contaminated,
        flags=_flags(clean, {"keep": keep_flagged, "drop": drop_flagged, "mask": mask_flagged}),
        flags_given=bool(keep_flagged or drop_flagged or mask_flagged),
        shape=shaped,
    )


def _flags(clean_file: str, told: dict[str, Sequence[str]]) -> dict[str, str]:
    """What becomes of what each rule flagged: as its file says, unless told otherwise."""
    known = {rule.name: rule for rule in rules.load(clean_file, "clean", check_cases=False).rules}
    verdicts = {name: str(rule.verdict) for name, rule in known.items()}
    named: dict[str, str] = {}
    for verdict, names in told.items():
        for name in names:
            if name not in known:
                raise CurateError(f"no cleaning rule `{name}`", where=clean_file, hint=did_you_mean(name, known))
            if named.setdefault(name, verdict) != verdict:
                raise CurateError(f"`{name}` has two verdicts: {named[name]} and {verdict}", hint="name it once")
            if verdict == "mask" and known[name].unit != "response":
                what = f"`{name}` judges a {known[name].unit}; only a response can be masked"
                raise CurateError(what, where=clean_file, hint=f"--drop-flagged {name}")
    return verdicts | named
