"""The mixer: where the tables of all stages meet, one shard at a time.

Every conversation ends in exactly one bucket: exported, or dropped for one reason. Every response of
an exported conversation is trained under exactly one condition, or masked for one reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from curate import redact
from curate.corrections.override import override
from curate.errors import CurateError, WorkspaceError
from curate.export import conditions, contaminated
from curate.export.hashing import sampled_out, shuffle_hash, stays
from curate.export.weights import weigh
from curate.responses import messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from curate.export.policy import Policy
    from curate.workspace import Workspace

    Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Mixed:
    """One shard, decided.

    Attributes:
        rows: One per exported conversation and condition: `key`, `order` (uint64, a hash to shuffle by),
            and the columns of the `crlft` format.
        responses: One per response of the shard: `key`, `turn`, `class`, `condition`, `reward`, `weight`
            (float32), `fallback` (weighed without a reward), `masked` (why its weight is 0; null = trained),
            `corrected_class` and `corrected_reward` (said by hand).
        conversations: One per conversation of the shard: `key`, `dropped` (the reason; null = exported).
    """

    rows: pl.DataFrame
    responses: pl.DataFrame
    conversations: pl.DataFrame


def mix(workspace: Workspace, index: int, policy: Policy) -> Mixed:
    """Decide one shard.

    Raises:
        CurateError: A class has no condition or no weight, a weight is not finite, or a flag has no rule.
        WorkspaceError: A reward is not between 0 and 1.
    """
    conversations, turns, responses, dropped = _decide(workspace, index, policy)
    trained = _trained(responses, dropped)
    _require_named(trained, policy)
    return Mixed(_rows(conversations, turns, trained, policy), responses, dropped)


def survey(workspace: Workspace, index: int, policy: Policy) -> pl.DataFrame:
    """The trained responses of one shard as `mix` would have them, without the rows to write.

    Raises:
        CurateError: As `mix`.
        WorkspaceError: As `mix`.
    """
    _, _, responses, dropped = _decide(workspace, index, policy)
    trained = _trained(responses, dropped)
    _require_named(trained, policy)
    return trained


def decide(workspace: Workspace, index: int, policy: Policy, keys: Sequence[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What `mix` decides of a few conversations of a shard, without the others: `responses` and `conversations`.

    Raises:
        CurateError: As `mix`.
        WorkspaceError: As `mix`.
    """
    _, _, responses, dropped = _decide(workspace, index, policy, keys)
    return responses, dropped


def _decide(
    workspace: Workspace, index: int, policy: Policy, keys: Sequence[int] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Conversations, turns, responses, and why each conversation is dropped."""
    conversations = _tasked(workspace, index, policy, redact.read(workspace, index, keys=keys))
    turns = messages(conversations)
    responses = _weigh(_responses(workspace, index, policy, conversations, turns), policy)
    conversations = _flagged(workspace, index, policy, conversations)
    return conversations, turns, responses, _drop(conversations, responses, policy)


def _trained(responses: pl.DataFrame, dropped: pl.DataFrame) -> pl.DataFrame:
    kept = dropped.filter(pl.col("dropped").is_null())
    return responses.filter(pl.col("masked").is_null()).join(kept, on="key", how="semi", maintain_order="left")


def _tasked(workspace: Workspace, index: int, policy: Policy, conversations: pl.DataFrame) -> pl.DataFrame:
    """Conversations with the `task` that `curate label` found; before it ran, the one that the record states."""
    if "tasks" not in policy.tables:
        return conversations
    tasks = workspace.read("tasks", index, ["key", "task"])
    return conversations.drop("task").join(tasks, on="key", how="left", maintain_order="left")


def _responses(
    workspace: Workspace, index: int, policy: Policy, conversations: pl.DataFrame, turns: pl.DataFrame
) -> pl.DataFrame:
    """Each response with what every stage said of it; null where none did."""
    verified = pl.col("marks").list.contains("verified")
    of_conversation = conversations.select(
        "key", "source", "language", "task", verified=verified, conversation_model="model"
    )
    frame = (
        turns.filter(pl.col("role") == "assistant")
        .join(of_conversation, on="key", how="left", maintain_order="left")
        .with_columns(model=pl.coalesce("model", "conversation_model"))
    )
    nothing: dict[str, dict[str, type[pl.DataType]]] = {
        "labels": {"class": pl.String, "rule": pl.String},
        "scores": {"reward": pl.Float32, "rubric": pl.String},
    }
    for table, columns in nothing.items():
        if table in policy.tables and workspace.shard(table, index).exists():
            other = workspace.read(table, index, ["key", "turn", *columns])
            frame = frame.join(other, on=["key", "turn"], how="left", maintain_order="left")
        else:
            frame = frame.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in columns.items())
    frame = override(workspace, frame, conversations)
    for masking in (
        _masked(workspace, index, policy),
        _repeats(workspace, index, policy),
        contaminated.responses(workspace, index, policy, turns),
    ):
        frame = frame.join(masking, on=["key", "turn"], how="left", maintain_order="left")
    rewards = frame["reward"]
    if not rewards.drop_nulls().is_between(0, 1).all():
        raise WorkspaceError("a reward is not between 0 and 1", where=workspace.shard("scores", index))
    return frame


def _weigh(responses: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    rewarded = policy.weighting != "coarse"
    unscored = pl.lit(rewarded) & pl.col("reward").is_null()
    unlabelled = pl.col("class").is_null()
    calls = pl.col("tool_calls").is_not_null()  # shards hold no calls: its text would look like the end of the turn
    unwanted = pl.col("weight") == 0  # as the record states it
    only = list(policy.shape.only)
    weighed = weigh(responses.with_columns(unwanted=unwanted), policy).with_columns(
        condition=conditions.choose(policy.conditions),
        fallback=unscored,
        only=pl.lit(bool(only)) & ~pl.col("class").fill_null("unknown").is_in(only),
        sampled=sampled_out(responses["key"], policy),
    )
    weights = weighed["weight"].drop_nulls()
    if not (weights.is_finite() & (weights >= 0)).all():
        raise CurateError("a weight is not a finite number ≥ 0", where=policy.weights.path, hint="check the weights")
    return weighed.with_columns(
        masked=pl.when(calls)
        .then(pl.lit("tool_call"))
        .when(pl.col("unwanted"))
        .then(pl.lit("source_weight"))
        .when(pl.col("flag").is_not_null())
        .then("flagged:" + pl.col("flag"))
        .when(pl.col("contaminated_by").is_not_null())
        .then("contaminated:" + pl.col("contaminated_by"))
        .when(pl.col("repeats"))
        .then(pl.lit("repeats"))
        .when(pl.col("only"))
        .then(pl.lit("only"))
        .when(pl.lit(policy.unlabelled != "keep") & unlabelled)
        .then(pl.lit("unlabelled"))
        .when(pl.lit(policy.fallback != "coarse") & unscored)
        .then(pl.lit("unscored"))
        .when(pl.col("sampled"))
        .then(pl.lit("sampled_out"))
        .when(pl.col("weight") == 0)
        .then(pl.lit("zero_weight"))
    ).with_columns(weight=pl.when(pl.col("masked").is_null()).then(pl.col("weight")).otherwise(pl.lit(0.0, pl.Float32)))


def _require_named(trained: pl.DataFrame, policy: Policy) -> None:
    """A class that policy does not know must not get a default in silence."""
    for column, path, hint in (
        ("weight", policy.weights.path, "add it under [classes]"),
        ("condition", policy.conditions.path, "add a rule for it"),
    ):
        unnamed = trained.filter(pl.col(column).is_null())
        if unnamed.height:
            name = unnamed["class"][0]
            what = "a response of unknown class" if name is None else f"the class `{name}`"
            raise CurateError(f"{what} has no {column}", where=path, hint=hint)


def _masked(workspace: Workspace, index: int, policy: Policy) -> pl.DataFrame:
    """The responses that a cleaning rule masks, with the first such rule as `flag`."""
    if "flags" not in policy.tables:
        return pl.DataFrame(schema={"key": pl.UInt64, "turn": pl.Int32, "flag": pl.String})
    hits = workspace.read("flags", index, ["key", "turns"])
    hits = hits.explode("turns", empty_as_null=False, keep_nulls=False).unnest("turns").rename({"rule": "flag"})
    hits = hits.filter(pl.col("flag").is_in(list(policy.masking)))
    return hits.unique(["key", "turn"], keep="first", maintain_order=True)


def _repeats(workspace: Workspace, index: int, policy: Policy) -> pl.DataFrame:
    """The responses that repeat another's text, with `repeats` true.

    Raises:
        WorkspaceError: Other conversations were kept when they were found: the text that stays for them may be gone.
    """
    if "repeats" not in policy.tables:
        return pl.DataFrame(schema={"key": pl.UInt64, "turn": pl.Int32, "repeats": pl.Boolean})
    if workspace.stamp("repeats", index).get("after") != workspace.stamp("duplicates", index).get("fingerprint"):
        raise WorkspaceError(
            "the repeated responses were found before other conversations were removed",
            where=workspace.shard("repeats", index),
            hint="run `curate dedup --unit responses` again",
        )
    repeats = workspace.read("repeats", index, ["key", "turn", "kind"]).drop_nulls("kind").drop("kind")
    return repeats.with_columns(repeats=pl.lit(True))


def _flagged(workspace: Workspace, index: int, policy: Policy, conversations: pl.DataFrame) -> pl.DataFrame:
    """Conversations with `flags` (rules that fired), `duplicate` (a kept conversation has it) and `contaminated_by`."""
    flags, duplicate = pl.lit([], pl.List(pl.String)), pl.lit(False)
    if "flags" in policy.tables:
        fired = workspace.read("flags", index, ["key", "rules"]).rename({"rules": "flags"})
        names = set(fired["flags"].explode(empty_as_null=False, keep_nulls=False).to_list())
        if unknown := names - {*policy.dropping, *policy.masking, *policy.keeping}:
            raise CurateError(
                f"the flag `{min(unknown)}` is of no cleaning rule",
                where=workspace.shard("flags", index),
                hint="the rules changed since; run `curate clean` again",
            )
        conversations = conversations.join(fired, on="key", how="left", maintain_order="left")
        flags = pl.col("flags").fill_null(pl.lit([], pl.List(pl.String)))
    if "duplicates" in policy.tables:
        removed = workspace.read("duplicates", index, ["key", "removed_by"])
        conversations = conversations.join(removed, on="key", how="left", maintain_order="left")
        duplicate = pl.col("removed_by").is_not_null()
    dropped = contaminated.conversations(workspace, index, policy)
    conversations = conversations.join(dropped, on="key", how="left", maintain_order="left")
    return conversations.with_columns(flags=flags, duplicate=duplicate)


def _drop(conversations: pl.DataFrame, responses: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The first reason that holds, per conversation; null = exported."""
    named = (
        pl.col("flag").is_not_null()
        | pl.col("repeats")
        | pl.col("contaminated_by").is_not_null()
        | pl.col("masked").is_in(["only", "sampled_out"])
    )
    by_key = responses.group_by("key").agg(
        unlabelled=(pl.col("masked") == "unlabelled").any(),
        unscored=(pl.col("masked") == "unscored").any(),
        trained=pl.col("masked").is_null().any(),
        masked=pl.col("masked").filter(named).first(),
    )
    flag = pl.col("flags").list.filter(pl.element().is_in(list(policy.dropping))).list.first()
    reason = (
        pl.when(flag.is_not_null())
        .then("flagged:" + flag)
        .when(pl.col("duplicate"))
        .then(pl.lit("duplicate"))
        .when(pl.col("contaminated_by").is_not_null())
        .then("contaminated:" + pl.col("contaminated_by"))
        .when(pl.col("trained").is_null())
        .then(pl.lit("no_response"))
        .when(pl.lit(policy.unlabelled == "drop") & pl.col("unlabelled"))
        .then(pl.lit("unlabelled"))
        .when(pl.lit(policy.fallback == "drop") & pl.col("unscored"))
        .then(pl.lit("unscored"))
        .when(~pl.col("trained"))
        .then(pl.coalesce("masked", pl.lit("zero_weight")))
    )
    found = conversations.join(by_key, on="key", how="left", maintain_order="left").with_columns(dropped=reason)
    over = pl.col("dropped").is_null() & ~stays(found["key"], found["source"], policy)
    return found.select("key", dropped=pl.when(over).then(pl.lit("over_cap")).otherwise("dropped"))


def _rows(conversations: pl.DataFrame, turns: pl.DataFrame, trained: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """One row per conversation and condition; responses of its other conditions weigh 0 in it."""
    variants = trained.group_by("key", "condition", maintain_order=True).agg(
        weight=pl.col("weight").mean().cast(pl.Float32),
        reward=pl.col("reward").mean().cast(pl.Float32),
        source_model=pl.col("model").drop_nulls().unique(maintain_order=True).str.join(", "),
        rubric=pl.col("rubric").drop_nulls().first(),
        responses=pl.struct("turn", "class", "rule", "reward", "weight"),
    )
    variants = variants.with_columns(variant=pl.int_range(pl.len()).over("key"), variants=pl.len().over("key"))
    weights = trained.select("key", "turn", own=pl.col("condition"), response_weight=pl.col("weight"))
    own = pl.col("own") == pl.col("condition")
    texts = (
        turns.join(variants.select("key", "condition", "variant"), on="key", how="inner", maintain_order="left_right")
        .join(weights, on=["key", "turn"], how="left", maintain_order="left")
        .with_columns(weight=pl.when(own).then("response_weight").otherwise(pl.lit(0.0, pl.Float32)))
        .group_by("key", "variant", maintain_order=True)
        .agg(
            messages=pl.struct("role", "content", "weight"),
            num_turns=pl.len().cast(pl.Int32),
            num_chars=pl.col("content").str.len_chars().sum().cast(pl.Int32),
        )
    )
    rows = variants.join(conversations.drop("messages"), on="key", how="left", maintain_order="left").join(
        texts, on=["key", "variant"], how="left", maintain_order="left"
    )
    suffix = pl.when(pl.col("variants") > 1).then("." + (pl.col("variant") + 1).cast(pl.String)).otherwise(pl.lit(""))
    order = shuffle_hash(shuffle_hash(rows["key"].to_numpy(), 0) + rows["variant"].to_numpy().astype(np.uint64), 0)
    return rows.select(
        "key",
        pl.Series("order", order, pl.UInt64),
        id=pl.col("content_hash") + "-" + pl.col("key").cast(pl.String) + suffix,
        messages="messages",
        condition="condition",
        chat_template_kwargs=pl.struct("condition"),
        weight="weight",
        reward="reward",
        source="source",
        source_model="source_model",
        num_turns="num_turns",
        num_chars="num_chars",
        meta=_meta(policy),
    )


def _meta(policy: Policy) -> pl.Expr:
    """Everything else that is known of a row, as JSON; the file's name without its folders."""
    return pl.struct(
        "key",
        "source_id",
        "source_row",
        "language",
        "task",
        "edits",
        "flags",
        "responses",
        "rubric",
        judge=pl.lit(policy.judge, pl.String),
        source_file=pl.col("source_file").str.replace(r"^.*[/\\]", ""),
    ).struct.json_encode()
