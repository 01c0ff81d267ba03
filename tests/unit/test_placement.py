"""Where a model's parts go, and how far each figure can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gpuprobe.modelfile.gguf import read
from gpuprobe.planning.placement import Planner
from gpuprobe.planning.records import (
    Device,
    FlashAttention,
    Model,
    Override,
    Placement,
    Settings,
    Source,
    SplitMode,
    Unplannable,
)
from gpuprobe.planning.repeats import shortened
from tests.made_up_models import MODELS

MiB = 1 << 20
CARDS = tuple(Device(selector=f"CUDA:{index}", total=24 << 30, free=size << 30) for index, size in enumerate((20, 10)))
ONE = CARDS[:1]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    folder = tmp_path_factory.mktemp("models")
    return lambda name: read(MODELS[name]().write(folder / f"{name}.gguf"))


def layers(placement: Placement) -> list[int]:
    return [device.layers for device in placement.devices]


def test_layers_follow_free_memory_and_the_output_is_one_of_them(model: Callable[[str], Model]) -> None:
    placement = Planner(model("llama-8b")).place(CARDS, Settings(context=4096))

    assert layers(placement) == [22, 11]
    assert (placement.layers, placement.layers_of_model) == (33, 33)


def test_a_given_split_counts_before_free_memory(model: Callable[[str], Model]) -> None:
    assert layers(Planner(model("llama-8b")).place(CARDS, Settings(context=4096, tensor_split=(1, 10)))) == [3, 30]


def test_the_last_layers_go_to_devices_first(model: Callable[[str], Model]) -> None:
    placement = Planner(model("llama-8b")).place(ONE, Settings(context=4096, layers=1))

    assert layers(placement) == [1]
    assert placement.devices[0].context.bytes == 0  # the output has no cache


def test_one_device_alone_can_be_chosen(model: Callable[[str], Model]) -> None:
    settings = Settings(context=4096, split_mode=SplitMode.NONE, main_device=1)

    assert layers(Planner(model("llama-8b")).place(CARDS, settings)) == [0, 33]
    with pytest.raises(Unplannable, match="there is no device 2; there are 2"):
        Planner(model("llama-8b")).place(CARDS, settings._replace(main_device=2))


def test_an_embedding_that_is_the_output_is_held_twice(model: Callable[[str], Model]) -> None:
    tied = model("llama-1b-tied")
    (embedding,) = [tensor.size for tensor in tied.tensors if tensor.name == "token_embd.weight"]

    placement = Planner(tied).place(ONE, Settings(context=4096))

    assert placement.host.model.bytes == embedding
    assert placement.devices[0].model.bytes == sum(tensor.size for tensor in tied.tensors)


def test_an_embedding_is_held_once_where_all_stays_on_the_host(model: Callable[[str], Model]) -> None:
    tied = model("llama-1b-tied")

    assert Planner(tied).place((), Settings(context=4096)).host.model.bytes == sum(tensor.size for tensor in tied.tensors)


def test_experts_can_stay_on_the_host(model: Callable[[str], Model]) -> None:
    mixture = model("qwen3moe-30b")
    experts = sum(tensor.size for tensor in mixture.tensors if "_exps" in tensor.name)
    whole, without = (Planner(mixture).place(ONE, Settings(context=4096, cpu_moe_layers=count)) for count in (0, 1 << 16))

    assert whole.devices[0].model.bytes is not None
    assert without.devices[0].model.bytes == whole.devices[0].model.bytes - experts


def test_tensors_can_be_sent_by_name(model: Callable[[str], Model]) -> None:
    dense = model("llama-8b")
    moved = sum(tensor.size for tensor in dense.tensors if tensor.name.startswith("blk.3."))
    settings = Settings(context=4096, overrides=(Override(pattern=r"blk\.3\.", device=None),))

    assert Planner(dense).place(ONE, settings).host.model.bytes == moved + dense.tensors[0].size
    for pattern, device in (("(", None), ("blk", "CUDA:7")):
        with pytest.raises(Unplannable):
            Planner(dense).place(ONE, settings._replace(overrides=(Override(pattern=pattern, device=device),)))


def test_a_window_holds_what_it_sees_and_one_batch(model: Callable[[str], Model]) -> None:
    gemma = model("gemma3-4b")  # 34 layers, every sixth sees all; 4 heads of 256, window 1024

    placement = Planner(gemma).place(ONE, Settings(context=32768))

    assert placement.devices[0].context.bytes == (5 * 32768 + 29 * (1024 + 512)) * 4 * 256 * 2 * 2


def test_a_state_does_not_grow_with_the_context(model: Callable[[str], Model]) -> None:
    mamba = model("mamba-1.4b")
    short, long, two = (
        Planner(mamba).place(ONE, settings).devices[0].context.bytes
        for settings in (Settings(context=1024), Settings(context=1 << 20), Settings(context=1024, parallel=2))
    )

    assert short == long
    assert two == 2 * (short or 0)


def test_one_compressed_vector_is_kept_for_all_heads(model: Callable[[str], Model]) -> None:
    placement = Planner(model("deepseek2-lite")).place(ONE, Settings(context=4096))

    assert placement.devices[0].context.bytes == 27 * 576 * 4096 * 2


def test_a_known_architecture_is_exact_in_every_figure(model: Callable[[str], Model]) -> None:
    placement = Planner(model("gpt-oss-20b")).place(CARDS, Settings(context=4096))

    figures = [figure for place_ in (*placement.devices, placement.host) for figure in place_[2:5]]
    assert {figure.source for figure in figures} == {Source.EXACT}
    assert all(place_.needed for place_ in placement.devices)


def test_a_hybrid_partly_on_the_host_is_said_to_be_a_bound(model: Callable[[str], Model]) -> None:
    whole, half = (Planner(model("jamba-mini")).place(ONE, Settings(context=4096, layers=count)) for count in (99, 8))

    assert whole.devices[0].compute.source is Source.EXACT
    assert half.devices[0].compute.source is Source.BOUND


def renamed(model: Model, name: str) -> Model:
    """The same tensors and dimensions under another architecture's name."""
    metadata = {key.replace(f"{model.architecture}.", f"{name}.", 1): value for key, value in model.metadata.items()}
    return model._replace(architecture=name, metadata=metadata)


def test_attention_that_is_kept_on_the_host_is_counted_there_and_on_the_device(model: Callable[[str], Model]) -> None:
    """b10434 measures it on the device, and on the host when it loads: 32 heads' scores of 512 tokens to 4096 are 256 MiB."""
    settings = Settings(context=4096, offload_cache=False, flash_attention=FlashAttention.OFF)

    placement = Planner(model("llama-8b")).place(ONE, settings)

    both = (placement.devices[0].compute, placement.host.compute)
    assert all(figure.source is Source.BOUND and (figure.bytes or 0) > 256 * MiB for figure in both)


def test_an_architecture_without_a_graph_has_bounds_above_what_it_takes(model: Callable[[str], Model]) -> None:
    known = model("llama-8b")
    exact = Planner(known).place(ONE, Settings(context=4096)).devices[0]

    bound = Planner(renamed(known, "exaone")).place(ONE, Settings(context=4096))

    device = bound.devices[0]
    assert (device.context.source, device.compute.source) == (Source.BOUND, Source.BOUND)
    assert device.compute.bytes is not None
    assert exact.compute.bytes is not None
    assert exact.compute.bytes < device.compute.bytes < 8 * exact.compute.bytes
    assert bound.notes[0] == "cache and compute buffer of exaone are upper bounds"


def test_of_an_unknown_architecture_the_weights_are_exact_and_the_rest_unknown(model: Callable[[str], Model]) -> None:
    known = model("llama-8b")

    placement = Planner(renamed(known, "martian")).place(ONE, Settings(context=4096))

    device = placement.devices[0]
    assert device.model == Planner(known).place(ONE, Settings(context=4096)).devices[0].model
    assert (device.context.bytes, device.compute.bytes, device.needed) == (None, None, None)
    assert placement.notes[0].startswith("the architecture martian is unknown")


def test_notes_say_what_a_reader_would_miss(model: Callable[[str], Model]) -> None:
    dense = model("llama-8b")._replace(missing=1000)

    notes = Planner(dense).place(ONE, Settings(context=200001, layers=99)).notes

    assert notes == (
        "the file is incomplete: 1000 bytes of its tensors are missing",
        "the context is rounded from 200001 to 200192 tokens",
    )


def test_flash_attention_that_the_engine_drops_is_said(model: Callable[[str], Model]) -> None:
    hybrid = model("lfm2-1.2b")
    left_alone, kept = (
        Planner(hybrid).place(ONE, Settings(context=4096, layers=8, flash_attention=choice))
        for choice in (FlashAttention.AUTO, FlashAttention.ON)
    )

    assert any("switches flash attention off" in note for note in left_alone.notes)
    assert (left_alone.devices[0].compute.bytes or 0) > 3 * (kept.devices[0].compute.bytes or 0)


def test_rows_on_several_devices_are_not_guessed(model: Callable[[str], Model]) -> None:
    placement = Planner(model("llama-8b")).place(CARDS, Settings(context=4096, split_mode=SplitMode.ROW))

    assert placement.devices[0].model == (None, Source.UNKNOWN)
    assert "weights split by rows are not planned" in placement.notes


@pytest.mark.parametrize(
    "settings",
    [
        Settings(context=-1),
        Settings(context=1 << 50),
        Settings(parallel=0),
        Settings(ubatch=0),
        Settings(cache_type_k="Q9_9"),
        Settings(tensor_split=(1, 1)),
        Settings(cache_type_v="Q8_0", flash_attention=FlashAttention.OFF),
    ],
)
def test_settings_that_cannot_be_are_refused(model: Callable[[str], Model], settings: Settings) -> None:
    with pytest.raises(Unplannable):
        Planner(model("llama-8b")).place(ONE, settings)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "settings",
    [
        Settings(context=4096),
        Settings(context=4096, layers=9),
        Settings(context=4096, ubatch=2048),
        Settings(context=4096, parallel=4),
        Settings(context=4096, cpu_moe_layers=99),
    ],
    ids=["all", "nine", "wide", "four", "experts"],
)
def test_a_bound_is_never_below_what_a_known_graph_takes(
    name: str, settings: Settings, model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    planner = Planner(model(name))
    exact = planner.place(CARDS, settings)
    monkeypatch.setattr("gpuprobe.planning.placement.compute_bytes", lambda *_, **__: None)
    bound = planner.place(CARDS, settings)

    for one, other in zip((*exact.devices, exact.host), (*bound.devices, bound.host), strict=True):
        assert other.compute.source is Source.BOUND
        assert (one.compute.bytes or 0) <= (other.compute.bytes or 0)


@pytest.mark.parametrize("name", MODELS)
def test_leaving_out_equal_layers_changes_no_figure(
    name: str, model: Callable[[str], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    planner = Planner(model(name))
    choices = [Settings(context=4096), Settings(context=8192, layers=9, flash_attention=FlashAttention.OFF)]
    short = [planner.place(CARDS, settings) for settings in choices]
    monkeypatch.setattr("gpuprobe.planning.compute.shortened", lambda kinds: list(range(len(kinds))))

    assert [planner.place(CARDS, settings) for settings in choices] == short


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        ("a" * 3, 3),
        ("a" * 50, 4),
        ("x" + "a" * 50 + "y", 6),
        ("ab" * 20, 8),
        ("aaaaab" * 8, 24),
    ],
)
def test_a_row_of_equal_layers_is_shortened(kinds: str, kept: int) -> None:
    indices = shortened(kinds)

    assert len(indices) == kept
    assert indices == sorted(set(indices))
    assert {0, len(kinds) - 1} <= set(indices)


@pytest.mark.parametrize(
    "lie", [(float("nan"),) * 32, (-1,) * 32, (1 << 60,) * 32, (8,) * 3, "many", -5, float("inf"), 1 << 50]
)
def test_numbers_that_cannot_be_are_refused(lie: tuple[float, ...] | str | float, model: Callable[[str], Model]) -> None:
    dense = model("llama-8b")
    for key in ("attention.head_count_kv", "feed_forward_length"):
        lying = dense._replace(metadata={**dense.metadata, f"llama.{key}": lie})
        with pytest.raises(Unplannable):
            Planner(lying).place(ONE, Settings(context=4096))


def test_a_split_file_counts_as_one(model: Callable[[str], Model], tmp_path: Path) -> None:
    dense = model("llama-1b-tied")
    placement = Planner(dense).place(ONE, Settings(context=4096))

    assert Planner(dense._replace(paths=("a", "b"))).place(ONE, Settings(context=4096)) == placement
