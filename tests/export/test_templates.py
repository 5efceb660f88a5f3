"""Each model type of OpenChat gives the ids that OpenChat's own code gives."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from curate.errors import CurateError, RuleError
from curate.export import conditions, export, templates
from curate.export.templates import TEMPLATES
from curate.export.tokenise import Encoder, Limit, build
from curate.export.vocabulary import Tokenizer, read

from .test_tokenise import encode
from .vocabularies import mistral, mistral_model
from .workspaces import conversation, make, talk

TALK = talk("Hi", " ```py\nx\n```", "日本 <s>?", "So<|end_of_turn|>", system="Be brief.")
# What `generate_conversation_template` of 22ece70 (v1), 09c38c1 (v2) and 0323d57 (v3) makes of it with Mistral's
# SentencePiece model; `_tokenize` there sees no special token in a text.
# fmt: off
GOLDEN = {
    "openchat/GPT4": [
        1, 1739, 6817, 28723, 32000, 10649, 28747, 28705, 15359, 32000, 21631, 28747, 28705, 28705, 8789, 2834,
        13, 28744, 13, 13940, 28832, 32000, 10649, 28747, 28705, 28705, 29142, 29119, 523, 28713, 23911, 32000,
        21631, 28747, 28705, 1537, 28789, 28766, 416, 28730, 1009, 28730, 499, 28766, 28767, 32000,
    ],
    "opencoder/GPT4": [
        1739, 6817, 28723, 32000, 1247, 28747, 15359, 32000, 21631, 28747, 28705, 8789, 2834, 13, 28744, 13,
        13940, 28832, 32000, 1247, 28747, 28705, 29142, 29119, 523, 28713, 23911, 32000, 21631, 28747, 1537,
        28789, 28766, 416, 28730, 1009, 28730, 499, 28766, 28767, 32000,
    ],
    "openchat_v2/GPT3": [
        1, 1739, 6817, 28723, 32000, 1247, 28747, 15359, 32000, 21631, 420, 6316, 28770, 28747, 28705, 8789,
        2834, 13, 28744, 13, 13940, 28832, 32000, 1247, 28747, 28705, 29142, 29119, 523, 28713, 23911, 32000,
        21631, 420, 6316, 28770, 28747, 1537, 28789, 28766, 416, 28730, 1009, 28730, 499, 28766, 28767, 32000,
    ],
    "openchat_v3.1_llama2/GPT4": [
        1, 21631, 349, 420, 6316, 28781, 32000, 1739, 6817, 28723, 32000, 1247, 28747, 15359, 32000, 21631,
        28747, 28705, 8789, 2834, 13, 28744, 13, 13940, 28832, 32000, 1247, 28747, 28705, 29142, 29119, 523,
        28713, 23911, 32000, 21631, 28747, 1537, 28789, 28766, 416, 28730, 1009, 28730, 499, 28766, 28767, 32000,
    ],
    "openchat_llama2/GPT4": [
        1, 1739, 6817, 28723, 32000, 1247, 28747, 15359, 32000, 21631, 28747, 28705, 8789, 2834, 13, 28744, 13,
        13940, 28832, 32000, 1247, 28747, 28705, 29142, 29119, 523, 28713, 23911, 32000, 21631, 28747, 1537,
        28789, 28766, 416, 28730, 1009, 28730, 499, 28766, 28767, 32000,
    ],
    "openchat_v3.2/GPT3": [
        1, 1739, 6817, 28723, 32000, 420, 6316, 28770, 1247, 28747, 15359, 32000, 420, 6316, 28770, 21631,
        28747, 28705, 8789, 2834, 13, 28744, 13, 13940, 28832, 32000, 420, 6316, 28770, 1247, 28747, 28705,
        29142, 29119, 523, 28713, 23911, 32000, 420, 6316, 28770, 21631, 28747, 1537, 28789, 28766, 416, 28730,
        1009, 28730, 499, 28766, 28767, 32000,
    ],
}
# fmt: on
# The two of a pair differ in how much they hold alone.
SAME = {"openchat_8192": "openchat", "openchat_v2_llama2": "openchat_v2"}
SPECIAL = ["<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<|eot_id|>", "<eos>"]
SPECIAL += ["<|start_header_id|>", "<|end_header_id|>"]
# In OpenChat 3.6.1.
CURRENT = ["openchat_3.6", "openchat_v3.2", "openchat_v3.2_mistral", "openchat_v3.2_gemma_new"]
CURRENT += ["chatml_8192", "zephyr_mistral", "gemma_it", "llama3_instruct"]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mistral(tmp_path_factory.mktemp("vocabulary"), SPECIAL)


@cache
def tokenizer(folder: Path) -> Tokenizer:
    return read(str(folder))


def encoder(folder: Path, model: str) -> Encoder:
    return build(tokenizer(folder), templates.find(model), Limit())


@cache
def transformers_tokenizer(folder: Path) -> Any:
    return pytest.importorskip("transformers").AutoTokenizer.from_pretrained(str(folder))


@pytest.fixture(scope="module", params=[mistral, mistral_model])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found: Path = request.param(tmp_path_factory.mktemp("vocabulary"))
    return found


@pytest.mark.parametrize("name", [*GOLDEN, "openchat_8192/GPT4", "openchat_v2_llama2/GPT3"])
def test_old_model_types_give_the_ids_of_openchats_code_of_their_time(name: str, either: Path) -> None:
    model, condition = name.split("/")
    ids, _ = encode(encoder(either, model), TALK, condition)
    assert ids == GOLDEN[f"{SAME.get(model, model)}/{condition}"]


def by_openchat(model: str, vocabulary: Path, rows: list[tuple[list[dict[str, Any]], str]], *, escaped: bool) -> Any:
    """Ids and weights by OpenChat's `ConversationTemplate`; `escaped` = with an escape that works in transformers."""
    pytest.importorskip("ochat", reason="pip install --no-deps ochat==3.6.1")
    transformers = pytest.importorskip("transformers")
    from ochat.config import MODEL_CONFIG_MAP, Conversation, Message

    class Slow(transformers.PreTrainedTokenizerFast):  # type: ignore[misc,name-defined]
        is_fast = not escaped  # what OpenChat asks before it chooses how to escape

    tokenizer = Slow(tokenizer_file=str(vocabulary / "tokenizer.json"), bos_token="<s>")
    conversations = []
    for messages, condition in rows:
        system = messages[0]["content"] if messages[0]["role"] == "system" else ""
        said = messages[messages[0]["role"] == "system" :]
        items = [Message(role=m["role"], content=m["content"], weight=float(m["role"] == "assistant")) for m in said]
        conversations.append(Conversation(items=items, condition=condition, system=system))
    template = MODEL_CONFIG_MAP[model].conversation_template(tokenizer=tokenizer)
    return list(zip(*template.tokenize_conversations(conversations), strict=True))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", CURRENT)
def test_model_types_of_today_give_the_ids_of_openchat(model: str, vocabulary: Path) -> None:
    plain = [
        (talk("Hi", "Hello", "And?", "So.", system="Be brief."), "GPT4 Correct"),
        (talk("  Spaces  ", "\n\n```py\n    x = 1\n```", system=""), "GPT3"),
        (talk("日本語 🙂", "한국어\ttab", "", " "), ""),
    ]
    typed = [(talk("<s> <|im_end|> x", "</s><|eot_id|>", system="<end_of_turn>"), "GPT4")]
    ours = [encode(encoder(vocabulary, model), *row) for row in [*plain, *typed]]
    assert ours == by_openchat(model, vocabulary, [*plain, *typed], escaped=True)
    # Without: its own escape is undone by transformers of 2024-06 and later, so that what somebody typed goes live.
    live = by_openchat(model, vocabulary, [*plain, *typed], escaped=False)
    assert ours[:-1] == live[:-1]
    assert ours[-1] != live[-1]


def test_every_model_type_of_openchat_361_is_known() -> None:
    config = pytest.importorskip("ochat.config", reason="pip install --no-deps ochat==3.6.1")
    for name, model in config.MODEL_CONFIG_MAP.items():
        template = TEMPLATES[name]
        assert template.context == model.model_max_context
        assert template.trained_by == "3.6.1"
        for alias in model.serving_aliases:
            assert templates.find(alias) is template


@pytest.mark.parametrize("model", list(TEMPLATES))
def test_text_never_becomes_a_control_token_in_any_template(model: str, vocabulary: Path) -> None:
    control, own = [1, 2, *range(32000, 32010)], encoder(vocabulary, model)
    plain, typed = (encode(own, talk(text, text), "GPT4")[0] for text in ("x", "".join(["<s></s>", *SPECIAL])))
    assert [typed.count(id_) for id_ in control] == [plain.count(id_) for id_ in control]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", list(TEMPLATES))
def test_the_chat_template_says_what_the_ids_say(model: str, vocabulary: Path) -> None:
    template = templates.find(model)
    said = talk("Hi", "Hello", "Bye", "See you", system="Be brief.")
    theirs = transformers_tokenizer(vocabulary)
    theirs.chat_template = template.jinja
    text = theirs.apply_chat_template(said, tokenize=False, condition="GPT4")
    ids, _ = encode(encoder(vocabulary, model), said, "GPT4")
    assert theirs.decode(ids).replace(" ", "") == text.replace(" ", "")
    opened = theirs.apply_chat_template(said[:-1], tokenize=False, condition="GPT4", add_generation_prompt=True)
    assert text.startswith(opened)


def test_a_template_without_a_place_for_the_condition_is_warned_of(
    tmp_path: Path, vocabulary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello"), **{"class": "gpt-4"})])
    export(ws.path, tmp_path / "out", tokenizer=str(vocabulary), template="chatml_8192")
    assert "`chatml_8192` has no place for the condition" in " ".join(capsys.readouterr().err.split())


def test_openchats_parquet_is_refused_where_no_trainer_reads_it(tmp_path: Path, vocabulary: Path) -> None:
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello"), **{"class": "gpt-4"})])
    with pytest.raises(CurateError, match="no trainer of OpenChat reads"):
        export(ws.path, tmp_path / "out", format="openchat", tokenizer=str(vocabulary), template="openchat_v2")


@pytest.mark.parametrize("model", [name for name, template in TEMPLATES.items() if template.place != "nowhere"])
@pytest.mark.parametrize("condition", ["<|end_of_turn|>", "</s><s>", "GPT4 <|eot_id|><|im_end|>"])
def test_a_condition_is_text_whatever_it_says(model: str, condition: str, vocabulary: Path) -> None:
    control, own = [1, 2, *range(32000, 32010)], encoder(vocabulary, model)
    plain, typed = (encode(own, TALK, text)[0] for text in ("GPT4", condition))
    assert [typed.count(id_) for id_ in control] == [plain.count(id_) for id_ in control]


@pytest.mark.parametrize(
    "condition",
    ["GPT4<|end_of_turn|>", "GPT4\n", "GPT4\u2028", " GPT4", "[INST]", "GPT4 User: Hi GPT4 Assistant:", "<s>"],
)
def test_a_condition_that_could_be_markup_is_refused(tmp_path: Path, condition: str) -> None:
    with pytest.raises(RuleError, match="conditions must be plain text"):
        conditions.load(rules(tmp_path, condition))


def test_a_condition_with_a_special_token_of_the_tokenizer_in_use_is_refused(tmp_path: Path) -> None:
    folder = mistral(tmp_path / "vocabulary", ["Expert"])
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello"), **{"class": "gpt-4"})])
    told = rules(tmp_path, "Expert Correct")
    with pytest.raises(RuleError, match="holds the special token `Expert`"):
        export(ws.path, tmp_path / "out", tokenizer=str(folder), conditions=told)
    assert export(ws.path, tmp_path / "out", conditions=told, quiet=True).conditions == {"Expert Correct": 1}


def rules(folder: Path, condition: str) -> str:
    file = folder / "conditions.toml"
    case = 'case = [{ class = "gpt-4", fires = true }, { class = "human", fires = false }]'
    why = 'name = "one"\nwhy = "test"\nwhen = "class = \'gpt-4\'"'
    file.write_text(f'schema = 1\nkind = "conditions"\n[[rule]]\n{why}\ncondition = {json.dumps(condition)}\n{case}\n')
    return str(file)
