"""What the policy of an export decides of one conversation, worked out anew from the tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from curate.console import Silent
from curate.errors import CurateError
from curate.show.story import Decided

if TYPE_CHECKING:
    from curate.export.policy import Policy
    from curate.workspace import Workspace

UNKNOWN_SAMPLE = "caps and target shares are not worked out here"
OTHER_FILES = "the rules of conditions and weights have changed since"
ESTIMATED = "weights here count tokens by their bytes"


@dataclass(frozen=True)
class Decision:
    """What is decided.

    Attributes:
        dropped: Why the conversation is left out; None = it is exported.
        responses: Each response.
        note: What could not be worked out; None = nothing.
    """

    dropped: str | None
    responses: tuple[Decided, ...]
    note: str | None


def decide(ws: Workspace, shard: int, key: int, policy: dict[str, Any]) -> Decision | None:
    """What an export with this policy makes of a conversation; None = it would refuse, or its rules are gone.

    Args:
        ws: The workspace.
        shard: The shard of the conversation.
        key: The conversation.
        policy: As the export's manifest has it.
    """
    from curate.export.mix import decide as decide_by

    try:
        settled = _settled(ws, policy)
        responses, conversations = decide_by(ws, shard, settled, [key])
    except (CurateError, KeyError, TypeError):
        return None
    changed = settled.conditions.fingerprint != policy.get("conditions_fingerprint")
    changed |= settled.weights.fingerprint != policy.get("weights_fingerprint")
    shape = policy.get("shape") or {}
    notes = [OTHER_FILES] * changed
    notes += [UNKNOWN_SAMPLE] * bool(shape.get("cap") or shape.get("caps") or shape.get("shares"))
    notes += [ESTIMATED] * (shape.get("per") == "response")
    wanted = responses.select("turn", "class", "condition", "weight", "masked")
    return Decision(
        dropped=conversations["dropped"].item(),
        responses=tuple(Decided(*row) for row in wanted.iter_rows()),
        note="; ".join(notes) or None,
    )


def _settled(ws: Workspace, policy: dict[str, Any]) -> Policy:
    """The policy with the files of rules and weights that are there now."""
    from curate.export.plan import check
    from curate.export.policy import settle

    shape = policy["shape"]
    rewarded = policy["weighting"] in ("judge", "mixed")
    with TemporaryDirectory() as nowhere:
        plan = check(
            ws.path,
            nowhere,
            weighting=policy["weighting"],
            beta=policy["beta"] if rewarded else None,
            mix=0.5 if policy["mix"] is None else policy["mix"],
            fallback=policy["fallback"] or "coarse",
            unlabelled=policy["unlabelled"],
            contaminated=policy["contaminated"] or "drop",
            floor=shape.get("floor"),
            ceiling=shape.get("ceiling"),
            per=shape.get("per", "token"),
            rounding=shape.get("rounding", "none"),
            only=shape.get("only", ()),
        )
    settled = settle(ws, plan, Silent())
    return replace(
        settled,
        tables=tuple(name for name in policy["tables"] if name in settled.tables),
        dropping=tuple(policy["drop_flagged"]),
        masking=tuple(policy["mask_flagged"]),
        keeping=tuple(policy["keep_flagged"]),
    )
