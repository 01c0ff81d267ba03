"""Which layers of an architecture keep a cache, which a state, and which see a window: what its file alone says."""

from __future__ import annotations

import pytest

from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.kv_cache import Cells, attentive, cells, is_compressed, layer_caches, recurrent, state_rows
from gpuprobe.planning.records import FlashAttention, Model, Scalar, Settings, Unplannable
from gpuprobe.planning.windows import Windows, windows

Keys = dict[str, Scalar | tuple[int | float | bool, ...]]


def numbers(architecture: str, layers: int = 8, keys: Keys | None = None) -> Hyperparameters:
    """A model of a header alone; 8 heads of 64 with 2 of keys and values, unless the keys say others."""
    known: Keys = {"block_count": layers, "embedding_length": 512, "context_length": 4096}
    known |= {"attention.head_count": 8, "attention.head_count_kv": 2, **(keys or {})}
    metadata = {f"{architecture}.{key}": value for key, value in known.items()}
    return Hyperparameters(Model((), "GGUF v3", architecture, metadata, {}, (), 0))


def drawn(flags: tuple[bool, ...], letter: str) -> str:
    return "".join(letter if flag else "-" for flag in flags)


@pytest.mark.parametrize(
    ("architecture", "keys", "caches", "states"),
    [
        ("llama", {}, "cccccccc", "--------"),
        ("bert", {}, "--------", "--------"),
        ("mamba", {}, "--------", "ssssssss"),
        ("rwkv7", {}, "--------", "ssssssss"),
        ("falcon-h1", {}, "cccccccc", "ssssssss"),
        ("jamba", {"attention.head_count_kv": (0, 0, 2, 0, 0, 0, 2, 0)}, "--c---c-", "ss-sss-s"),
        ("qwen3next", {}, "---c---c", "sss-sss-"),
        ("qwen35", {"full_attention_interval": 2}, "-c-c-c-c", "s-s-s-s-"),
        ("qwen35", {"full_attention_interval": 0}, "---c---c", "sss-sss-"),
        ("qwen35", {"nextn_predict_layers": 2}, "---c----", "sss-ss--"),
        ("glm4moe", {"nextn_predict_layers": 1}, "cccccccc", "--------"),
        ("gemma4", {"attention.shared_kv_layers": 3}, "ccccc---", "--------"),
        ("gemma4", {}, "cccccccc", "--------"),
        ("gemma3n", {"attention.shared_kv_layers": 6}, "cc------", "--------"),
        (
            "nemotron_h",
            {"attention.head_count_kv": (0, 2, 0, 0, 2, 0, 0, 0), "feed_forward_length": (0, 0, 9, 9, 9, 0, 9, 0)},
            "-c------",
            "s----s-s",
        ),
    ],
)
def test_layers_keep_a_cache_or_a_state(architecture: str, keys: Keys, caches: str, states: str) -> None:
    of = numbers(architecture, keys=keys)

    assert (drawn(attentive(of), "c"), drawn(recurrent(of), "s")) == (caches, states)


def test_of_gemma_3n_fifteen_layers_have_no_cache_of_their_own() -> None:
    assert attentive(numbers("gemma3n", 35)) == (True,) * 20 + (False,) * 15


@pytest.mark.parametrize(
    ("keys", "rows"),
    [
        ({"ssm.conv_kernel": 4, "ssm.inner_size": 1024, "ssm.state_size": 16}, (3 * 1024, 16 * 1024)),
        (
            {"ssm.conv_kernel": 4, "ssm.inner_size": 1024, "ssm.state_size": 16, "ssm.group_count": 8},
            (3 * (1024 + 2 * 8 * 16), 16 * 1024),
        ),
        ({"shortconv.l_cache": 3}, (2 * 512, 0)),
        ({"wkv.head_size": 64}, (2 * 512, 64 * 512)),
        ({"wkv.head_size": 64, "token_shift_count": 1}, (512, 64 * 512)),
        ({"kda.head_dim": 128, "ssm.conv_kernel": 5}, (3 * 4 * 8 * 128, 128 * 128 * 8)),
        ({"kda.head_dim": 128}, (3 * 3 * 8 * 128, 128 * 128 * 8)),
    ],
)
def test_a_state_has_the_size_that_its_kind_has(keys: Keys, rows: tuple[int, int]) -> None:
    assert state_rows(numbers("jamba", keys=keys)) == rows


def test_states_are_floats_of_32_bits_for_each_sequence() -> None:
    of = numbers("mamba", keys={"ssm.conv_kernel": 4, "ssm.inner_size": 1024, "ssm.state_size": 16})
    cache = layer_caches(of, windows(of), cells(of, windows(of), Settings(parallel=3)), Settings(parallel=3))[0]

    assert (cache.convolution, cache.state) == (3 * 3 * 1024 * 4, 3 * 16 * 1024 * 4)
    assert cache.size == cache.convolution + cache.state


@pytest.mark.parametrize(
    ("key", "value", "compressed"), [(576, 512, True), (0, 512, False), (576, 0, False), (1, 1, True), (0, 0, False)]
)
def test_a_compressed_cache_needs_both_lengths(key: int, value: int, compressed: bool) -> None:
    keys: Keys = {"attention.key_length_mla": key, "attention.value_length_mla": value}

    assert is_compressed(numbers("deepseek2", keys=keys)) is compressed


def test_without_flash_attention_every_layer_has_values_as_wide_as_the_widest() -> None:
    of = numbers("llama", 2, {"attention.head_count_kv": (2, 4)})
    room = cells(of, windows(of), Settings())
    off, on = (
        layer_caches(of, windows(of), room, Settings(flash_attention=choice))
        for choice in (FlashAttention.OFF, FlashAttention.ON)
    )

    assert [cache.value_row for cache in off] == [256, 256]
    assert [cache.value_row for cache in on] == [128, 256]
    assert [cache.keys for cache in on] == [128 * 2 * 4096, 256 * 2 * 4096]


def test_heads_in_windows_can_have_lengths_of_their_own() -> None:
    of = numbers(
        "gemma4",
        2,
        {
            "attention.sliding_window": 512,
            "attention.sliding_window_pattern": (True, False),
            "attention.key_length_swa": 32,
            "attention.value_length_swa": 16,
        },
    )
    seen = windows(of)
    first, second = layer_caches(of, seen, cells(of, seen, Settings()), Settings())

    assert (first.key_row, first.value_row, first.cells) == (64, 32, 1024)
    assert (second.key_row, second.value_row, second.cells) == (128, 128, 4096)


@pytest.mark.parametrize(
    ("settings", "room"),
    [
        (Settings(context=1), (256, 256, 256, 1, 1)),
        (Settings(context=257), (512, 512, 512, 1, 1)),
        (Settings(context=1000, parallel=3, unified=False), (1536, 512, 512, 3, 3)),
        (Settings(context=1000, parallel=3), (1024, 1024, 1024, 1, 3)),
        (Settings(context=8192), (8192, 8192, 1536, 1, 1)),
        (Settings(context=8192, ubatch=513), (8192, 8192, 1792, 1, 1)),
        (Settings(context=8192, parallel=2), (8192, 8192, 2560, 1, 2)),
        (Settings(context=8192, parallel=2, unified=False), (8192, 4096, 1536, 2, 2)),
        (Settings(context=8192, swa_full=True), (8192, 8192, 8192, 1, 1)),
        (Settings(), (4096, 4096, 1536, 1, 1)),
    ],
)
def test_room_is_in_steps_of_256_for_each_stream(settings: Settings, room: tuple[int, ...]) -> None:
    assert cells(numbers("llama"), Windows(1024, (True,) * 8), settings) == Cells(*room)


@pytest.mark.parametrize("settings", [Settings(context=1 << 40), Settings(ubatch=1 << 20), Settings(context=1, ubatch=1)])
def test_the_largest_and_the_least_that_can_be_asked_for_are_planned(settings: Settings) -> None:
    assert cells(numbers("llama"), Windows(0, (False,) * 8), settings).context >= 256


@pytest.mark.parametrize(
    "settings", [Settings(context=(1 << 40) + 1), Settings(ubatch=(1 << 20) + 1), Settings(ubatch=0), Settings(parallel=0)]
)
def test_more_than_that_is_refused(settings: Settings) -> None:
    with pytest.raises(Unplannable, match="cannot be planned"):
        cells(numbers("llama"), Windows(0, (False,) * 8), settings)


# What llama.cpp takes where the file names a window of 1000 tokens, and where it names none.
SEEN = {
    "afmoe": ("www-www-www-www-", 1000, 0),
    "cohere2": ("www-www-www-www-", 1000, 0),
    "cohere2moe": ("-www-www-www-www", 1000, 0),
    "exaone-moe": ("www-www-www-www-", 1000, 128),
    "exaone4": ("www-www-www-www-", 1000, 4096),
    "gemma-embedding": ("wwwww-wwwww-wwww", 1000, 0),
    "gemma2": ("w-w-w-w-w-w-w-w-", 1000, 4096),
    "gemma3": ("wwwww-wwwww-wwww", 1000, 0),
    "gemma3n": ("wwww-wwww-wwww-w", 1000, 0),
    "gpt-oss": ("w-w-w-w-w-w-w-w-", 1000, 0),
    "laguna": ("-www-www-www-www", 1000, 0),
    "llama4": ("www-www-www-www-", 8192, 8192),
    "mellum": ("www-www-www-www-", 1000, 0),
    "modern-bert": ("-ww-ww-ww-ww-ww-", 1000, 0),
    "olmo2": ("www-www-www-www-", 1000, 0),
    "plamo3": ("wwwwwww-wwwwwww-", 1000, 0),
    "smallthinker": ("-www-www-www-www", 4096, 0),
    "llama": ("----------------", 0, 0),
}


@pytest.mark.parametrize("architecture", SEEN)
def test_an_architecture_has_its_own_pattern_of_windows(architecture: str) -> None:
    pattern, width, without = SEEN[architecture]
    named = windows(numbers(architecture, 16, {"attention.sliding_window": 1000}))
    unnamed = windows(numbers(architecture, 16))

    assert (drawn(named.windowed, "w"), named.width) == (pattern, width)
    assert (drawn(unnamed.windowed, "w"), unnamed.width) == (pattern if without else "-" * 16, without)


@pytest.mark.parametrize(
    ("architecture", "layers", "keys", "pattern"),
    [
        ("exaone4", 30, {"attention.sliding_window": 1000}, "-" * 30),
        ("llama4", 8, {"attention.sliding_window": 0}, "-" * 8),
        ("gemma3", 8, {"attention.sliding_window": 1000, "attention.sliding_window_pattern": 2}, "w-w-w-w-"),
        ("gemma3", 4, {"attention.sliding_window": 1000, "attention.sliding_window_pattern": 0}, "wwww"),
        ("gemma3", 8, {"attention.sliding_window": 9, "nextn_predict_layers": 2}, "wwwww---"),
        ("gemma4", 4, {"attention.sliding_window": 9, "attention.sliding_window_pattern": (True, False, False, True)}, "w--w"),
        ("gemma4", 4, {"attention.sliding_window": 9}, "----"),
        ("gemma3", 4, {"attention.sliding_window": 9, "attention.sliding_window_pattern": (True, False)}, "w---"),
    ],
)
def test_a_file_can_say_otherwise(architecture: str, layers: int, keys: Keys, pattern: str) -> None:
    assert drawn(windows(numbers(architecture, layers, keys)).windowed, "w") == pattern
