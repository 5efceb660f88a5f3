"""What the reading pane shows of a response: paragraphs of plain text, each in one style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from curate.console import plain
from curate.judge.rubric import TOP_LEVEL
from curate.reward import LOCAL_JUDGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curate.browse.response import Response
    from curate.corrections import Correction

# `head` begins a section; nothing is said by style alone.
Style = Literal["title", "head", "text", "dim", "mark"]
Paragraph = tuple[Style, str]
BAR = 20  # cells of a whole bar
FACT = 500  # characters of a fact about the record


def page(response: Response, said: Correction | None, *, earlier: bool = False) -> Iterator[Paragraph]:
    """Everything about a response, in the order in which one reads it: texts first, the judge's opinion after them.

    Args:
        response: What was read of it.
        said: What holds of it by hand.
        earlier: Whether the messages before the last prompt are shown, and not only counted.
    """
    yield "title", _title(response, said)
    if said:
        yield "mark", _by_hand(said)
    yield from _texts(response, earlier)
    yield from _judge(response.one("scores"), "scores" in response.said)
    yield from _class(response)
    yield from _record(response)


def _title(response: Response, said: Correction | None) -> str:
    label, score, task = (response.one(table) or {} for table in ("labels", "scores", "tasks"))
    class_ = said.class_ if said and said.class_ else label.get("class") or "unknown"
    reward = said.score if said and said.score is not None else score.get("reward")
    parts = [f"{response.key}:{response.turn}", class_, "no reward" if reward is None else f"reward {reward:.2f}"]
    return " · ".join([*parts, task["task"]] if task else parts)


def _by_hand(said: Correction) -> str:
    what = [f"class {said.class_}"] if said.class_ else []
    what += [] if said.score is None else [f"reward {said.score:g}"]
    return f"corrected: {', '.join(what)} by {said.by}, {said.at}" + (f": {said.why}" if said.why else "")


def _texts(response: Response, earlier: bool) -> Iterator[Paragraph]:
    before = response.messages[: response.turn]
    asked = next((place for place in reversed(range(len(before))) if before[place]["role"] == "user"), len(before))
    if asked:
        yield "head", f"earlier · {_count(asked, 'message')} · e {'folds' if earlier else 'shows'} them"
        for message in before[:asked] if earlier else ():
            yield "dim", _speaker(message)
            yield "dim", _content(message)
    for message in before[asked:]:
        name = "prompt" if message["role"] == "user" else _speaker(message)
        yield "head", f"{name} · {_count(len(message['content']), 'character')}"
        yield "text", _content(message)
    message = response.messages[response.turn]
    yield "head", f"response · {_count(len(message['content']), 'character')}"
    yield ("text", _content(message)) if _content(message) else ("dim", "(empty)")
    if after := len(response.messages) - response.turn - 1:
        yield "dim", f"({_count(after, 'message')} after it)"


def _judge(score: dict[str, Any] | None, ran: bool) -> Iterator[Paragraph]:
    if score is None:
        yield "head", "judge"
        yield "dim", "not scored" if ran else "not scored: curate score"
        return
    yield "head", " · ".join(["judge", score["judge"], *filter(None, [score["rubric"]]), score["status"]])
    names = ("reward", "raw", "percentile", "calibrated", "score", "spread")
    numbers = [f"{name} {score[name]:.4g}" for name in names if score[name] is not None]
    numbers += [f"{score['samples']} answers"] if (score["samples"] or 1) > 1 else []
    if numbers:
        yield "text", ", ".join(numbers)
    width = max((len(aspect["name"]) for aspect in score["aspects"]), default=0)
    for aspect in score["aspects"]:
        # The local judge's defects have a severity from 0 to 1, the criteria of others five levels, a rating neither.
        most = 1 if score["judge"] == LOCAL_JUDGE else TOP_LEVEL
        yield "text", _bar(aspect["name"].ljust(width), aspect["score"], 0 if aspect["name"] == "rating" else most)
    if score["raised"]:
        yield "mark", f"raised: {', '.join(score['raised'])}"
    if score["rationale"]:
        yield "text", score["rationale"]


def _class(response: Response) -> Iterator[Paragraph]:
    yield "head", "class"
    label = response.one("labels")
    if label is None:
        yield "dim", "not labelled: curate label"
        return
    by = f" by the rule {label['rule']}" if label["rule"] else ": no rule knows it"
    yield "text", f"{label['class'] or 'unknown'}{by}"
    if label["evidence"]:
        yield "text", f"evidence: {label['evidence']}"
    if label["conflicts"]:
        yield "mark", f"against it: {'; '.join(label['conflicts'])}"


def _record(response: Response) -> Iterator[Paragraph]:
    yield "head", "record"
    record, task = response.record, response.one("tasks")
    if task:
        yield "text", f"task {task['task']}" + (f" by the rule {task['rule']}" if task["rule"] else ": no rule fired")
    yield from _flags(response.one("flags"))
    yield from _duplicates(response)
    for hit in response.said.get("contamination", ()):
        yield "mark", f"benchmark {hit['benchmark']}, item {hit['item']}, in message {hit['turn']}: {hit['kind']}"
    model = response.messages[response.turn]["model"] or record["model"]
    facts = {"source": record["source"], "model": model, "id": record["source_id"], "language": record["language"]}
    facts |= {"created": record["created_at"], "rank": record["rank"], "edited": ", ".join(record["edits"])}
    facts |= {"marked": ", ".join(record["marks"]), "file": f"{record['source_file']}, row {record['source_row']}"}
    for name, value in facts.items():
        if value not in (None, ""):
            yield "dim", f"{name:<9}{plain(str(value), FACT)}"


def _flags(flags: dict[str, Any] | None) -> Iterator[Paragraph]:
    if flags is None:
        yield "dim", "not cleaned: curate clean"
        return
    turns: dict[str, list[str]] = {}
    for hit in flags["turns"]:
        turns.setdefault(hit["rule"], []).append(str(hit["turn"]))
    named = [f"{name} (message {', '.join(turns[name])})" if name in turns else name for name in flags["rules"]]
    if named:
        yield "mark", f"flags: {', '.join(named)}"
    if flags["unknown"]:
        yield "dim", f"cannot tell: {', '.join(flags['unknown'])}"


def _duplicates(response: Response) -> Iterator[Paragraph]:
    row = response.one("duplicates")
    if row and row["removed_by"] is not None:
        of = f"{row['removed_by']}" + (f" of {row['against']}" if row["against"] else "")
        yield "mark", f"removed: {row['kind']} duplicate of conversation {of}, similarity {row['similarity']:.3g}"
    elif row and row["similar_to"] is not None:
        yield "dim", f"asks for the same as conversation {row['similar_to']}, cosine {row['cosine']:.3g}"
    for repeat in response.said.get("repeats", ()):
        of = f"{repeat['repeats']}:{repeat['repeats_turn']}"
        yield "mark", f"repeats response {of}: {repeat['kind'] or 'means the same'}, {repeat['similarity']:.3g}"


def _speaker(message: dict[str, Any]) -> str:
    return f"{message['role']} ({message['name']})" if message["name"] else str(message["role"])


def _content(message: dict[str, Any]) -> str:
    calls = f"\ntool calls: {message['tool_calls']}" if message["tool_calls"] else ""
    return str(message["content"]) + calls


def _bar(name: str, score: float | None, most: int) -> str:
    if score is None or not most:
        return f"{name}  not known" if score is None else f"{name}  {score:.3g}"
    filled = round(BAR * min(1.0, max(0.0, score / most)))
    return f"{name}  {score:.3g}".ljust(len(name) + 7) + "█" * filled + "·" * (BAR - filled)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
