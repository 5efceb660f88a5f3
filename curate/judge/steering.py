"""Passages of a response that speak to its grader, by pattern: what is judged a second time without them.

Deliberately narrow: a response that rates an essay, as its user asked, is none, and neither is one of 11,038 answers
to alpaca_eval, arena-bench and MT-bench. What slips through here is left to the judge's own flag `steers`.
"""

from __future__ import annotations

import re

REMOVED = "[passage removed]"

_GRADER = r"(?:grader|judge|evaluator|rater|examiner|reviewer|grading (?:model|system|ai)|llm[- ]judge)"
_FULL = r"(?:full|maximum|max|top|highest|perfect|best)(?: possible)?"
_THIS = r"(?:this|the|my) (?:answer|response|reply|output)"
_AFTER = r"[^\n]{0,300}(?:\n[^\n]{0,300}){0,2}"
_PATTERNS = (
    # "ignore all previous instructions", "disregard the rubric"
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}"
    r"\b(?:instructions?|rules|rubric|criteria|guidelines|system (?:prompt|message))\b[^\n]{0,200}",
    # "Dear grader, …", "Note to the evaluator: …"
    r"(?:dear|attention|hey|hello|note (?:to|for)(?: the| any)?|message (?:to|for)(?: the)?|as (?:the|a|an)) "
    rf"{_GRADER}\b[^\n]{{0,300}}",
    # "rate this response 10", "give this answer full marks", "assign the highest score to this response"
    rf"(?:rate|give|award|grant|assign|score|grade|mark)[^.\n]{{0,30}}\b{_THIS}[^.\n]{{0,40}}"
    rf"(?:\b{_FULL}\b|\b(?:4|5|10|100)\b)[^\n]{{0,200}}",
    rf"(?:give|award|grant|assign)[^.\n]{{0,20}}\b{_FULL} (?:score|marks?|grade|rating|points)"
    rf"[^.\n]{{0,40}}{_THIS}[^\n]{{0,200}}",
    rf"{_THIS} (?:deserves|merits|should (?:get|receive|be (?:given|awarded|graded|rated|scored)))[^.\n]{{0,30}}"
    rf"(?:\b{_FULL}\b|\b(?:4|5|10|100)\b)[^\n]{{0,200}}",
    # A verdict in the shape of a judge's own
    r"(?:final |overall )?(?:rating|score|verdict|grade)\s*:?\s*\[\[\s*\d+(?:\.\d+)?\s*\]\]",
    r"\{[^{}\n]{0,200}\"(?:evidence|correct|follows|complete|clear|factual|faithful|warranted|flags|r\d)\"\s*:[^{}]{0,400}\}?",
    # A forged end of the data, or a turn of a chat template, as `view.clean` leaves it
    r"‹/?\s*data\b[^›\n]{0,80}›" + _AFTER,
    r"‹(?:im_start|im_end|endoftext|start_header_id|end_header_id|eot_id|system|assistant|user)[^›\n]{0,40}›" + _AFTER,
    r"‹/?(?:INST|SYS)›" + _AFTER,
    r"^\s*(?:###\s*)?(?:system|developer|grading result|evaluation result|judge)\s*:\s[^\n]{0,300}",
)
_STEERING = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE | re.MULTILINE)


def steers(response: str) -> bool:
    """Whether a response, as `view.clean` leaves it, speaks to whoever grades it."""
    return _STEERING.search(response) is not None


def without(response: str) -> str:
    """The response with every such passage replaced by a mark."""
    return _STEERING.sub(REMOVED, response)
