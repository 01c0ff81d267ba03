"""The borders of vLLM's rules: the last value on one side of each, and the first on the other."""

from __future__ import annotations

import pytest

from gpuprobe.model import Device, GiB
from gpuprobe.planning.engines import vllm
from gpuprobe.planning.engines.engine_records import Outlook, Subject, Wish
from gpuprobe.planning.records import Metadata, Model, Tensor
from tests.planned_machines import card, on

CONFIG: Metadata = {
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}
WEIGHTS = (Tensor("model.embed_tokens.weight", (4096, 262144), "BF16", 2 * GiB),)


def served(config: Metadata = CONFIG, tensors: tuple[Tensor, ...] = WEIGHTS) -> Subject:
    size = sum(tensor.size for tensor in tensors)
    return Subject(Model((), "safetensors", "llama", config, {}, tensors, size), "/m", "/m")


def test_a_configuration_is_read_with_what_it_leaves_out() -> None:
    bare: Metadata = {"num_hidden_layers": 4, "num_attention_heads": 8, "hidden_size": 512}

    assert vllm.shape_of(bare, Wish()) == vllm.Shape(4, 8, 8, 64, None, 2)


@pytest.mark.parametrize("missing", ["num_hidden_layers", "num_attention_heads", "hidden_size"])
def test_without_layers_heads_or_width_there_is_no_shape(missing: str) -> None:
    assert vllm.shape_of({**CONFIG, missing: 0}, Wish()) is None
    assert vllm.shape_of({key: value for key, value in CONFIG.items() if key != missing}, Wish()) is None


@pytest.mark.parametrize(
    ("config", "wish", "size"),
    [
        ({"torch_dtype": "float32"}, Wish(), 4),
        ({"torch_dtype": "FLOAT16"}, Wish(), 2),
        ({"torch_dtype": 1, "dtype": "float32"}, Wish(), 4),
        ({"torch_dtype": "float32"}, Wish(cache_type_k="FP8"), 1),
        ({"torch_dtype": "float32"}, Wish(cache_type_k="fp8_e4m3"), 1),
        ({"torch_dtype": "float32"}, Wish(cache_type_k="fp8_e5m2"), 1),
        ({"torch_dtype": "float32"}, Wish(cache_type_k="F16"), 2),
        ({"torch_dtype": "float32"}, Wish(cache_type_k="bf16"), 2),
        ({"torch_dtype": "new"}, Wish(), 2),
    ],
)
def test_an_element_of_the_cache_has_the_wished_type_or_the_weights(config: Metadata, wish: Wish, size: int) -> None:
    shape = vllm.shape_of({**CONFIG, **config}, wish)

    assert shape is not None and shape.value_size == size


def test_a_compressed_vector_has_a_rotated_part() -> None:
    shapes = [
        vllm.shape_of({**CONFIG, **more}, Wish())
        for more in ({"kv_lora_rank": 512, "qk_rope_head_dim": 64}, {"kv_lora_rank": 512}, {"qk_rope_head_dim": 64})
    ]

    assert [shape.latent for shape in shapes if shape] == [576, 512, None]


def test_the_part_that_makes_text_is_read() -> None:
    nested: Metadata = {f"text_config.{key}": value for key, value in CONFIG.items()}

    assert vllm.shape_of(nested, Wish()) == vllm.shape_of(CONFIG, Wish())


def test_windows_are_counted() -> None:
    shape = vllm.Shape(10, 8, 4, 64, None, 2, windowed_layers=6, window=1024)

    assert vllm.cache_per_token(shape, 2) == 4 * 2 * 2 * 64 * 2
    assert vllm.cache_per_token(shape, 8) == 4 * 2 * 1 * 64 * 2
    assert vllm.window_cache(shape, 2, 4096) == 6 * 2 * 2 * 64 * 2 * 1024
    assert vllm.window_cache(shape, 8, 100) == 6 * 2 * 1 * 64 * 2 * 100
    assert vllm.window_cache(shape._replace(window=None), 1, 4096) == 0
    assert vllm.window_cache(shape._replace(windowed_layers=0), 1, 4096) == 0


def test_vectors_are_repeated_and_matrices_divided_upwards() -> None:
    shape = vllm.Shape(1, 8, 2, 64, None, 2)
    tensors = (
        Tensor("norm", (10,), "BF16", 20),
        Tensor("q_proj", (3, 1), "BF16", 7),
        Tensor("k_proj", (3, 1), "BF16", 7),
    )
    model = served(tensors=tensors).model

    assert [vllm.weights_per_device(model, shape, size) for size in (1, 2, 4)] == [34, 28, 26]


@pytest.mark.parametrize(
    ("total", "free", "reserve", "share"),
    [
        (24, 24, None, None),
        (24, 22.2, None, None),
        (24, 20, None, "0.83"),
        (24, 24, 4 * GiB, "0.83"),
        (100, 50, 0, "0.50"),
    ],
)
def test_the_share_is_lowered_to_what_is_free(total: float, free: float, reserve: int | None, share: str | None) -> None:
    command = vllm.plan(served(), on(card(0, total, free)), Wish(context=4096, reserve=reserve)).command

    assert command[:5] == ("vllm", "serve", "/m", "--max-model-len", "4096")
    assert command[5:] == (() if share is None else ("--gpu-memory-utilization", share))


def test_what_is_wished_is_on_the_command_line() -> None:
    wish = Wish(context=4096, parallel=3, cache_type_k="FP8")

    assert vllm.plan(served(), on(card()), wish).command[5:] == ("--max-num-seqs", "3", "--kv-cache-dtype", "fp8")


def test_a_context_is_the_wish_the_models_or_4096() -> None:
    without = {key: value for key, value in CONFIG.items() if key != "max_position_embeddings"}
    commands = [
        vllm.plan(served(config), on(card(0, 80)), Wish(context=context)).command[4]
        for config, context in ((CONFIG, 100), (CONFIG, None), (without, None))
    ]

    assert commands == ["100", "131072", "4096"]


def test_tokens_come_in_blocks_of_16_and_a_sequence_takes_whole_ones() -> None:
    """92 % of 4 GiB are 3.68, less 2 of weights: 1.68 GiB are 13762 tokens of 128 KiB."""
    fits = vllm.plan(served(), on(card(0, 4)), Wish(context=13760))
    above = vllm.plan(served(), on(card(0, 4)), Wish(context=13761))

    assert fits.outlook is Outlook.FITS
    assert fits.because == (
        "fits on CUDA:0 with 13760 tokens of context: 2.0 GiB of weights in 3.7 GiB, and at most 13760 tokens of cache"
    )
    assert above.outlook is Outlook.TOO_LARGE
    assert "at most 13760 tokens fit: `--context 13760`" in above.because
    assert fits.placement is not None and fits.placement.devices[0].context.bytes == 13760 * 128 * 1024


def test_without_room_for_a_block_no_context_is_named() -> None:
    answer = vllm.plan(served(), on(card(0, 2)), Wish(context=4096))

    assert answer.outlook is Outlook.TOO_LARGE
    assert answer.because.endswith("and a cache has no room beside them")


def test_fewest_devices_are_taken_and_the_others_are_said_not_to_be_used() -> None:
    one = vllm.plan(served(), on(card(0), card(1), card(2, 40)), Wish(context=4096))
    all_ = vllm.plan(served(), on(card(0, 1), card(1, 1)), Wish(context=4096))

    assert "on CUDA:2 with" in one.because
    assert one.notes[-1].startswith("CUDA:0, CUDA:1 are not used")
    assert vllm.plan(served(), on(card(0), card(1)), Wish(context=4096)).notes[-1].startswith("CUDA:1 is not used")
    assert "on each of 2 devices" in all_.because and not any("not used" in note for note in all_.notes)


def test_memory_that_is_not_known_leaves_it_open() -> None:
    for device in (card(0, None), Device("CUDA", 0, total_memory=GiB), Device("CUDA", 0, free_memory=GiB)):
        assert vllm.plan(served(), on(device), Wish()).outlook is Outlook.UNKNOWN


@pytest.mark.parametrize(("free", "outlook"), [(2, Outlook.UNKNOWN), (1.9, Outlook.TOO_LARGE)])
def test_of_an_unknown_configuration_the_weights_alone_can_be_too_large(free: float, outlook: Outlook) -> None:
    assert vllm.plan(served({}), on(card(0, 24, free)), Wish()).outlook is outlook


def test_notes_say_what_is_left_what_looks_back_and_what_is_held_whole() -> None:
    windowed = {**CONFIG, "sliding_window": 1024, "layer_types.sliding_attention": 16}
    notes = vllm.plan(served(windowed), on(card()), Wish(context=4096)).notes
    compressed = vllm.plan(served({**CONFIG, "kv_lora_rank": 512}), on(card()), Wish(context=4096)).notes

    assert notes[0].startswith("beside one full sequence 19.")
    assert notes[1] == "16 of 32 layers look back 1024 tokens only"
    assert compressed[1:] == ("the compressed cache is held whole by every device",)


def test_named_devices_of_two_libraries_are_both_tried() -> None:
    devices = (card(0, 1), card(0, 40, library="ROCm"))

    assert "on ROCm:0 with" in vllm.plan(served(), on(*devices), Wish(context=4096, devices_are_named=True)).because
