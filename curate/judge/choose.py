"""Which rubric a response is judged by: the one that was asked for, or the one for its task.

`auto` goes by the table `tasks`: the rubric whose `tasks` names the conversation's. A response that only
declines has a rubric of its own; so has a longer conversation without a task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curate.judge import rubric as rubrics

if TYPE_CHECKING:
    import polars as pl

    from curate.judge.rubric import Rubric

AUTO = "auto"
FALLBACK = "general"
OTHER = "other"
TURNS = 3  # prompts from which a conversation is a longer one


@dataclass(frozen=True)
class Chooser:
    """Rubrics by what they are for.

    Attributes:
        one: The rubric of every response; None = by task.
    """

    one: Rubric | None
    by_task: dict[str, Rubric]
    by_kind: dict[str, Rubric]
    fallback: Rubric

    @property
    def rubrics(self) -> dict[str, Rubric]:
        """Every rubric that may be chosen, by title."""
        chosen = [self.one] if self.one else [*self.by_task.values(), *self.by_kind.values(), self.fallback]
        return {rubric.title: rubric for rubric in chosen}

    def rubric(self, task: str | None, prompts: int, *, declines: bool) -> Rubric:
        """The rubric of one response.

        Args:
            task: Of its conversation; None = not known.
            prompts: User messages of the conversation.
            declines: Whether the response does nothing but decline.
        """
        if self.one:
            return self.one
        if declines and "refusal" in self.by_kind:
            return self.by_kind["refusal"]
        if task in (None, OTHER) and prompts >= TURNS and "multi_turn" in self.by_kind:
            return self.by_kind["multi_turn"]
        return self.by_task.get(task or "", self.fallback)


def chooser(name: str) -> Chooser:
    """For `auto`, or for one rubric by name or path.

    Raises:
        RuleError: There is no such rubric, or it has mistakes.
    """
    fallback = rubrics.load(FALLBACK)
    if name != AUTO:
        return Chooser(rubrics.load(name), {}, {}, fallback)
    shipped = rubrics.shipped()
    by_task = {task: rubric for rubric in shipped for task in rubric.tasks}
    by_kind = {rubric.applies: rubric for rubric in shipped if rubric.applies}
    return Chooser(None, by_task, by_kind, fallback)


def declining(conversations: pl.DataFrame) -> set[tuple[int, int]]:
    """`key` and `turn` of the responses that do nothing but decline, by the defect rules of that name."""
    import polars as pl

    from curate.judge import features, local

    rules = [rule for rule in local.load_rules().rules if rule.name.startswith("refusal")]
    if not rules or conversations.is_empty():
        return set()
    short = conversations.filter(pl.col("messages").list.len() > 0)
    measured = features.features(short)
    fired = pl.any_horizontal(rule.expression.fill_null(False) for rule in rules)
    return set(measured.filter(fired).select("key", "turn").iter_rows())
