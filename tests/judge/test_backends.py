"""Judges that are no chat: the typed scoring call, and reward models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_server import JSON, Answer, Body, error, serve
from rows import turns, workspace

import curate
from curate.errors import CurateError, JudgeError, PartlyDoneError
from curate.judge import rubric
from curate.judge.decisions import questions, read

pytestmark = pytest.mark.usefixtures("quick")

GENERAL = rubric.load("general")


def decided(body: Body, **changed: Any) -> list[dict[str, Any]]:
    """Answers to every question: level 3 with probability 0.75, else 4; no flag."""
    answers: list[dict[str, Any]] = []
    for question in body["questions"]:
        answer: dict[str, Any] = {"name": question["name"], "type": question["type"]}
        if question["type"] == "score":
            odds = [{"label": str(i), "value": i, "probability": {3: 0.75, 4: 0.25}.get(i, 0.0)} for i in range(5)]
            answer |= {"score": 3.25, "confidence": 0.7, "probabilities": odds}
        else:
            answer |= {"probability": 0.1}
        answers.append(answer | changed.get(question["name"].replace(".", "_"), {}))
    return answers


def decision(answers: list[dict[str, Any]]) -> Answer:
    usage = {"input_tokens": 300, "output_tokens": 0, "total_tokens": 300}
    return 200, JSON, json.dumps({"answers": answers, "model": "scorer-1", "usage": usage}).encode()


def test_the_scoring_call_gives_expected_levels_and_is_asked_once(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [turns("a?", "a!", "b?", "b!")])
    options: dict[str, Any] = {"judge": "m", "backend": "decisions", "rubric": "general", "quiet": True}
    with serve(lambda body, _: decision(decided(body, r2_steers={"probability": 0.9})[::-1])) as server:
        assert curate.score(tmp_path, base_url=server.base_url, **options).calls == 1
        assert curate.score(tmp_path, base_url=server.base_url, **options).calls == 0
        (body,) = server.bodies
    first, second = ws.read("scores", 0).to_dicts()
    assert first["reward"] == pytest.approx(3.25 / 4)
    assert (second["reward"], second["raised"]) == (0.25, ["steers"])
    asked = [question for question in body["questions"] if question["name"] == "r2.correct"]
    assert [level["description"] for level in asked[0]["levels"]] == list(GENERAL.criteria[0].levels)
    assert "Answer with one JSON object" not in body["input"][0]["content"]


def test_an_answer_that_declines_or_is_no_distribution_is_no_number() -> None:
    body = {"questions": questions(GENERAL, ("r1", "r2", "r3", "r4"))}
    half = [{"label": "4", "value": 4, "probability": 0.5}]
    odd = [{"label": "9", "value": 9, "probability": 1.0}]
    changed = {"r1_clear": {"type": "refusal"}, "r2_clear": {"probabilities": half}, "r3_clear": {"probabilities": odd}}
    found = read(json.dumps(decided(body, **changed)), GENERAL, ("r1", "r2", "r3", "r4", "r5"))
    assert [found[f"r{i}"].status for i in range(1, 6)] == ["refused", "unparsed", "unparsed", "ok", "unparsed"]
    assert read("no JSON", GENERAL, ("r1",))["r1"].status == "unparsed"


def test_a_server_without_the_scoring_call_says_so(tmp_path: Path) -> None:
    workspace(tmp_path, [turns("a?", "a!")])
    with serve(lambda *_: error(404, "no such route")) as server, pytest.raises(JudgeError, match="404"):
        curate.score(tmp_path, judge="m", backend="decisions", base_url=server.base_url, rubric="general", quiet=True)
    with pytest.raises(CurateError, match="asks for a rating"):
        curate.score(
            tmp_path, judge="m", backend="decisions", base_url="http://127.0.0.1:9", rubric="mt_bench", quiet=True
        )


def test_a_reward_model_behind_a_server_gives_one_number_per_response(tmp_path: Path) -> None:
    ws = workspace(tmp_path, [turns("a?", "good", "b?", "bad"), turns("c?", "broken")])

    def script(body: Body, _: int) -> Answer:
        value = {"good": 3.0, "bad": -3.0, "broken": None}[body["text_2"]]
        return 200, JSON, json.dumps({"data": [{"index": 0, "score": value}], "model": "rm", "usage": {}}).encode()

    with serve(script) as server, pytest.raises(PartlyDoneError, match="1 responses"):
        curate.score(tmp_path, judge="m", backend="reward-model", base_url=server.base_url, quiet=True)
    good, bad, broken = ws.read("scores", 0).to_dicts()
    assert (good["score"], bad["score"], broken["score"]) == (3.0, -3.0, None)
    assert good["reward"] == pytest.approx(0.9526, abs=1e-4)
    assert good["reward"] + bad["reward"] == pytest.approx(1)
    assert broken["status"] == "failed"
    assert server.bodies[1]["text_1"].count("?") >= 1


def test_a_reward_model_in_a_folder_is_loaded_and_run(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("sentence_transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    model = tmp_path / "model"
    words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b", "good", "bad"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(model)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=len(words), num_labels=1, max_position_embeddings=64, **sizes)
    transformers.BertForSequenceClassification(config).save_pretrained(model)
    ws = workspace(tmp_path / "w", [turns("a", "good"), turns("b", "bad")])
    result = curate.score(tmp_path / "w", judge=str(model), quiet=True)
    assert (result.calls, result.statuses["ok"], result.cost) == (2, 2, 0.0)
    assert all(0 < row["reward"] < 1 for row in ws.read("scores", 0).to_dicts())
    assert curate.score(tmp_path / "w", judge=str(model), quiet=True).calls == 0
    with pytest.raises(CurateError, match="no reward model"):
        curate.score(tmp_path / "w", judge=str(tmp_path / "nothing"), backend="reward-model", quiet=True)
