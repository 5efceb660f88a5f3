"""`curate run`: the whole flow by a recipe, a plan first and a funnel at the end."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from curate import rules
from curate.console import Talk, plain
from curate.errors import CurateError, PartlyDoneError, RuleError, did_you_mean
from curate.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from curate.report.funnel import Funnel

# The stages in order, each a function of that name in that module.
STAGES = {
    "ingest": "curate.ingest",
    "clean": "curate.clean",
    "label": "curate.label",
    # Before dedup, so that no copy stays which export then leaves out.
    "decontaminate": "curate.decontaminate",
    "dedup": "curate.dedup",
    "score": "curate.judge",
    "export": "curate.export",
}
# Arguments that the command line gives and a recipe therefore cannot.
GIVEN = {"paths", "workspace", "out", "quiet", "dry_run", "confirm", "engine"}

Options = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class RunResult:
    """What a run did.

    Attributes:
        stages: Result of each stage that ran, by name.
        seconds: Wall time of each.
        funnel: From records to rows.
    """

    stages: dict[str, Any]
    seconds: dict[str, float]
    funnel: Funnel


def run(
    paths: Iterable[str | Path],
    workspace: str | Path = "curated",
    out: str | Path = "shards",
    *,
    recipe: str = "default",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    confirm: Callable[[Any], bool] | None = None,
    engine: str = "local",
    quiet: bool = False,
) -> RunResult:
    """Run every stage of a recipe; what is up to date already is not done again.

    Args:
        paths: Dumps, as for `curate.ingest`.
        workspace: Folder of the workspace.
        out: Folder of the export.
        recipe: Recipe by path or name; its tables are stages, its keys arguments.
        options: Arguments by stage that win over the recipe's.
        confirm: Asked with the estimate before a judge spends money.
        engine: Who makes the shards, see `curate.engine`.
        quiet: Say nothing but warnings.

    Raises:
        RuleError: The recipe or a rule file has mistakes; nothing ran.
        CurateError: An argument that cannot work, before anything ran, or what a stage raises. What finished
            before stays.
    """
    from curate.report.funnel import funnel

    talk = Talk(quiet=quiet)
    files = [str(path) for path in paths]
    steps = load_recipe(recipe, options)
    if files and "ingest" not in steps:
        what = "the recipe has no [ingest], so it would not read the files"
        raise CurateError(what, where=recipe, hint="add [ingest] to the recipe, or name no file")
    if weights := steps.get("export", {}).get("weights"):
        steps.get("label", {}).setdefault("weights", weights)
    check_rule_files(steps)
    check_arguments(steps, workspace, out, files)
    fixed: Options = {"ingest": {"paths": files}, "export": {"out": out}, "score": {"confirm": confirm}}
    for line in plan_lines(files, workspace, out, steps):
        talk.say(line)
    results: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    for name, arguments in steps.items():
        began = monotonic()
        stage = getattr(import_module(STAGES[name]), name)
        try:
            results[name] = stage(workspace=workspace, engine=engine, quiet=quiet, **fixed.get(name, {}), **arguments)
        except PartlyDoneError as error:
            # What the same command cannot mend must not keep the rest from being exported.
            if error.result is None:
                raise
            talk.warn(f"{name}: {error.what}; {error.hint}")
            results[name] = error.result
        seconds[name] = monotonic() - began
        talk.say(f"{name:<8} {seconds[name]:6.1f} s")
    return RunResult(results, seconds, funnel(workspace))


def load_recipe(name: str, options: Mapping[str, Mapping[str, Any]] | None = None) -> Options:
    """The stages to run, in order, with their arguments.

    Args:
        name: Path of a recipe, which ends in `.toml`, or the name of one that comes with curate.
        options: Arguments by stage that win over the recipe's.

    Raises:
        RuleError: With every unknown stage and argument.
    """
    path = rules.locate(name if name.endswith(".toml") else f"recipes/{name}")
    recipe = {key: value for key, value in rules.read_toml(path, "recipe").items() if key not in ("schema", "kind")}
    mistakes = []
    for stage, arguments in recipe.items():
        if stage not in STAGES:
            mistakes.append(f"unknown stage `{stage}`; {did_you_mean(stage, STAGES)}")
            continue
        if not isinstance(arguments, dict):
            mistakes.append(f"`{stage}` is not a table")
            continue
        parameters = inspect.signature(getattr(import_module(STAGES[stage]), stage)).parameters
        known = set(parameters) - GIVEN
        for key, value in arguments.items():
            if key not in known:
                mistakes.append(f"[{stage}] unknown key `{key}`; {did_you_mean(key, known)}")
            elif not _fits(value, str(parameters[key].annotation)):
                mistakes.append(f"[{stage}] `{key}` is {value!r}; it is of type {parameters[key].annotation}")
            elif key not in (options or {}).get(stage, {}) and (why := _only_by_hand(stage, key, value)):
                mistakes.append(f"[{stage}] {why}")
    if mistakes:
        raise RuleError("the recipe has mistakes:\n" + "\n".join(f"  - {m}" for m in mistakes), where=path)
    return {stage: {**recipe[stage], **(options or {}).get(stage, {})} for stage in STAGES if stage in recipe}


def _only_by_hand(stage: str, key: str, value: Any) -> str | None:
    """Why a recipe, which may be somebody else's, cannot say this by itself; None = it can."""
    from curate.judge.address import OPENAI, is_local

    if (stage, key) == ("ingest", "format") and value.endswith(".py"):
        return f"`format` is code, {value!r}, which no recipe runs; give it to `curate ingest --format`"
    if (stage, key) == ("score", "base_url"):
        try:
            known = value.rstrip("/") == OPENAI or is_local(value)
        except ValueError:
            known = False
        if not known:
            return f"`base_url` would send conversations and your key to {value!r}; if it shall: --base-url"
    return None


def check_rule_files(steps: Options) -> None:
    """Read every rule file that the stages will use, so that a mistake shows before any work is done.

    Raises:
        RuleError: The first file with mistakes, with all of them.
    """
    for stage, arguments in steps.items():
        for name, parameter in inspect.signature(getattr(import_module(STAGES[stage]), stage)).parameters.items():
            if str(parameter.default).endswith(".toml"):
                rules.check(arguments.get(name, parameter.default))


def check_arguments(steps: Options, workspace: str | Path, out: str | Path, files: list[str]) -> None:
    """Refuse arguments that could not work, before any work is done or money spent.

    Raises:
        CurateError: The first of them.
    """
    judge = None
    if "label" in steps:
        _check_labels(steps, workspace, files)
    if "dedup" in steps:
        from curate.dedup import Options as DedupOptions
        from curate.dedup import check as check_dedup

        check_dedup(DedupOptions(**{name: value for name, value in steps["dedup"].items() if name != "index"}))
    if "decontaminate" in steps:
        from curate.decontaminate import check as check_lists

        if "lists" not in steps["decontaminate"]:
            what = "the recipe's [decontaminate] names no lists of benchmark items"
            raise RuleError(what, hint='lists = ["gsm8k.jsonl", "humaneval.jsonl.gz"]')
        check_lists(**{name: value for name, value in steps["decontaminate"].items() if name != "show"})
    if "score" in steps:
        from curate.judge import choose
        from curate.reward import LOCAL_JUDGE

        judge = steps["score"].get("judge", LOCAL_JUDGE)
        if judge != LOCAL_JUDGE:
            choose.chooser(steps["score"].get("rubric", choose.AUTO))
    if "export" in steps:
        from curate.export import check
        from curate.reward import choose_weighting

        plan = check(workspace, out, **steps["export"])
        if judge:
            choose_weighting(plan.weighting, judge)


def _check_labels(steps: Options, workspace: str | Path, files: list[str]) -> None:
    """Refuse a side file with mistakes, sources that are not there and will not be, and classes that nobody knows."""
    from curate.export import conditions
    from curate.ingest.sources import expand
    from curate.label import classes, side_file, stated
    from curate.reward import read_weights

    label, sources = steps["label"], steps["label"].get("sources") or {}
    rule_set = rules.load(label.get("rules_file", "labels.toml"), "labels")
    side = side_file.read(label["labels"], rule_set) if label.get("labels") else None
    if sources:
        found = expand(files) if files else []
        named = steps.get("ingest", {}).get("source")
        coming = {name for file in found for name in (file.file, named or file.name)}
        stated.check(Workspace(workspace, create=True), sources, coming)
    weights = read_weights(label.get("weights", "weights.toml"))
    given = classes.given(side, sources, label.get("assume"))
    classes.check(given, rule_set, weights)
    if "export" in steps:
        classes.check_export(given, weights, conditions.load(steps["export"].get("conditions", "conditions.toml")))


def _fits(value: object, annotation: str) -> bool:
    """Whether a TOML value suits an annotation such as `float | None`, `Sequence[str]` or `Mapping[str, str]`."""
    if isinstance(value, dict):
        return annotation.startswith("Mapping[str, str]") and all(isinstance(item, str) for item in value.values())
    if isinstance(value, list):
        if annotation.startswith("tuple[float, float]"):
            return len(value) == 2 and all(_fits(item, "float") for item in value)
        return annotation.startswith("Sequence[str") and all(isinstance(item, str) for item in value)
    names = {bool: ("bool",), int: ("int", "float"), float: ("float",), str: ("str",)}.get(type(value), ())
    return any(name in annotation.split(" | ") for name in names)


def plan_lines(files: list[str], workspace: str | Path, out: str | Path, steps: Options) -> list[str]:
    """What a run is about to do, a line a stage."""
    shown = ", ".join(plain(file, 60) for file in files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
    places = {"ingest": f"{shown} → {workspace}", "export": f"→ {out}"}
    lines = ["plan"]
    for number, (stage, arguments) in enumerate(steps.items(), start=1):
        settings = ", ".join(f"{key} = {value}" for key, value in arguments.items() if value is not None)
        lines.append(f"  {number} {stage:<7} {'; '.join(filter(None, (places.get(stage), plain(settings))))}".rstrip())
    return lines
