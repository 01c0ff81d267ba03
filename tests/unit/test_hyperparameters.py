"""What a model's metadata are taken to say, and where they say what cannot be."""

from __future__ import annotations

import pytest

from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.records import Model, Scalar, Unplannable

Value = Scalar | tuple[int | float | bool, ...]
LEAST: dict[str, Value] = {"block_count": 2, "embedding_length": 512, "context_length": 4096}


def of(**more: Value) -> Hyperparameters:
    """Two underscores stand for a full stop."""
    known = LEAST | {key.replace("__", "."): value for key, value in more.items()}
    metadata = {f"llama.{key}": value for key, value in known.items()}
    return Hyperparameters(Model((), "GGUF v3", "llama", metadata, {}, (), 0))


def test_what_is_left_out_has_llama_cpps_defaults() -> None:
    numbers = of(attention__head_count=8)

    assert (numbers.heads, numbers.cache_heads, numbers.feed_forward) == ((8, 8), (8, 8), (0, 0))
    assert (numbers.key_length, numbers.value_length, numbers.rope_length) == (64, 64, 64)
    assert (numbers.experts, numbers.experts_used, numbers.next_token_layers, numbers.layers) == (0, 0, 0, 2)


def test_a_head_is_a_share_of_the_width_by_the_first_layer_that_has_heads() -> None:
    assert of(attention__head_count=(0, 8)).key_length == 64
    assert of(attention__head_count=(4, 8)).key_length == 128
    assert of().key_length == 0


def test_lengths_that_are_said_count() -> None:
    numbers = of(attention__head_count=8, attention__key_length=96, attention__value_length=32, rope__dimension_count=16)

    assert (numbers.key_length, numbers.value_length, numbers.rope_length) == (96, 32, 16)
    assert of(attention__head_count=8, attention__key_length=96).rope_length == 96


def test_blocks_that_predict_further_tokens_are_no_layers_and_never_more_than_all() -> None:
    assert (of(nextn_predict_layers=1).layers, of(nextn_predict_layers=9).layers) == (1, 0)


def test_one_number_stands_for_all_layers_and_of_many_the_first_that_is_there() -> None:
    assert of(feed_forward_length=7).feed_forward == (7, 7)
    assert of(feed_forward_length=(7, 8, 9)).feed_forward == (7, 8)
    assert of(x=(0, 5, 6)).number("x") == 5
    assert of(x=(0, 0)).number("x") == 0
    assert (of().number("x"), of().number("x", 3), of(x=2.9).number("x")) == (0, 3, 2)


@pytest.mark.parametrize(
    ("value", "default", "flag"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False), (1, False, True), (0, True, False)],
)
def test_a_flag_is_what_is_said_or_the_default(value: bool | int | None, default: bool, flag: bool) -> None:
    assert (of() if value is None else of(x=value)).flag("x", default) is flag


@pytest.mark.parametrize(
    ("value", "real"), [(1.5, 1.5), (2, 2.0), (-1.5, -1.5), ("x", 0.0), (float("inf"), 0.0), (float(-(1 << 40)), 0.0)]
)
def test_a_real_number_is_bounded_on_both_sides(value: Scalar, real: float) -> None:
    assert of(x=value).real("x") == real
    assert of().real("x") == 0.0


@pytest.mark.parametrize(
    "said",
    [
        {"block_count": 0},
        {"block_count": 4097},
        {"expert_count": 4097},
        {"expert_used_count": 4097},
        {"attention.head_count": (1,)},
        {"attention.head_count": (1, -1)},
        {"attention.head_count": (1, 1 << 40)},
        {"embedding_length": 1 << 40},
        {"embedding_length": -1},
        {"embedding_length": "wide"},
    ],
)
def test_a_number_that_no_model_has_is_refused(said: dict[str, Value]) -> None:
    with pytest.raises(Unplannable):
        of(**said)


@pytest.mark.parametrize(
    "said",
    [
        {"block_count": 4096},
        {"expert_count": 4096, "expert_used_count": 4096},
        {"attention.head_count": (0, (1 << 40) - 1)},
        {"embedding_length": (1 << 40) - 1},
    ],
)
def test_the_largest_that_is_taken_is_one_less(said: dict[str, Value]) -> None:
    assert of(**said).layers


@pytest.mark.parametrize("key", LEAST)
def test_what_every_model_says_is_needed(key: str) -> None:
    metadata = {f"llama.{each}": value for each, value in LEAST.items() if each != key}

    with pytest.raises(Unplannable, match=f"does not say llama.{key}"):
        Hyperparameters(Model((), "GGUF v3", "llama", metadata, {}, (), 0))
