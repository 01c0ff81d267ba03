"""Which layers and tensors go where, and the bound of what computing them takes."""

from __future__ import annotations

import pytest

from gpuprobe.model import GiB
from gpuprobe.planning.engines.engine_records import Subject
from gpuprobe.planning.placement import Planner
from gpuprobe.planning.records import (
    Device,
    FlashAttention,
    Model,
    Override,
    Settings,
    Source,
    SplitMode,
    Unplannable,
)
from gpuprobe.planning.weights import layer_places
from tests.planned_machines import prepared

TWO = tuple(Device(selector=f"CUDA:{index}", total=24 * GiB, free=24 * GiB, reserve=7) for index in range(2))


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return prepared("llama-8b", tmp_path_factory.mktemp("dense"))


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        (Settings(), "00011"),
        (Settings(layers=3), "hh001"),
        (Settings(layers=0), "hhhhh"),
        (Settings(layers=-3), "hhhhh"),
        (Settings(layers=99), "00011"),
        (Settings(tensor_split=(1.0,)), "00000"),
        (Settings(tensor_split=(0.0, 0.0)), "00011"),
        (Settings(tensor_split=(1.0, 4.0)), "01111"),
        (Settings(split_mode=SplitMode.NONE, layers=2), "hhh00"),
        (Settings(split_mode=SplitMode.NONE, main_device=1), "11111"),
    ],
)
def test_layers_and_the_output_go_where_llama_cpp_puts_them(settings: Settings, places: str) -> None:
    found = layer_places(4, TWO, settings)

    assert "".join("h" if place == 2 else str(place) for place in found) == places


@pytest.mark.parametrize(
    "settings", [Settings(tensor_split=(1.0, 1.0, 1.0)), Settings(split_mode=SplitMode.NONE, main_device=-1)]
)
def test_devices_that_are_not_there_are_refused(settings: Settings) -> None:
    with pytest.raises(Unplannable):
        layer_places(4, TWO, settings)


def test_devices_whose_free_memory_is_unknown_share_evenly() -> None:
    assert layer_places(3, [device._replace(free=None) for device in TWO], Settings()) == (0, 0, 1, 1)


def test_tensors_can_be_sent_to_a_device_and_the_first_pattern_counts(dense: Subject) -> None:
    sent = (Override(r"blk\.0\.ffn_up", "CUDA:1"), Override(r"blk\.0\.", "CUDA:0"))
    plain, moved = (
        dense.planner.place(TWO, Settings(context=4096, tensor_split=(1.0, 1.0), overrides=each)) for each in ((), sent)
    )
    (size,) = [tensor.size for tensor in dense.model.tensors if tensor.name == "blk.0.ffn_up.weight"]

    assert plain.devices[1].model.bytes is not None
    assert moved.devices[1].model.bytes == plain.devices[1].model.bytes + size


def test_places_have_what_is_to_stay_free_on_them(dense: Subject) -> None:
    placement = dense.planner.place(TWO, Settings(context=4096))

    assert [place.reserve for place in (*placement.devices, placement.host)] == [7, 7, 0]
    assert (placement.host.free, placement.host.layers, placement.host.selector) == (None, 0, "host")


def test_rows_of_one_device_are_planned_and_layers_of_it_placed(dense: Subject) -> None:
    rows, layers = (
        dense.planner.place(TWO[:1], Settings(context=4096, split_mode=mode)) for mode in (SplitMode.ROW, SplitMode.LAYER)
    )

    assert rows == layers


def test_rows_of_a_model_on_the_host_are_the_hosts(dense: Subject) -> None:
    placement = dense.planner.place(TWO, Settings(context=4096, split_mode=SplitMode.ROW, layers=0))

    assert [place.model.bytes for place in placement.devices] == [0, 0]
    assert placement.host.model.source is Source.EXACT


def test_quantised_values_need_flash_attention(dense: Subject) -> None:
    keys = Settings(context=4096, cache_type_k="Q8_0", flash_attention=FlashAttention.OFF)

    assert dense.planner.place(TWO, keys).devices[0].context.bytes
    with pytest.raises(Unplannable, match="needs flash attention"):
        dense.planner.place(TWO, keys._replace(cache_type_v="Q8_0"))


def renamed(model: Model) -> Model:
    metadata = {key.replace("llama.", "exaone.", 1): value for key, value in model.metadata.items()}
    return model._replace(architecture="exaone", metadata=metadata)


MASK = 4096 * 512 * 4 * 2
WIDEST = (4096 + 1024 + 1024 + 4096 + 14336 + 14336 + 4096) * 512 * 4
RESIDUALS = 512 * 4096 * 4 * 6
WORDS = 128256 * 4
WHOLE = 2 * WIDEST + RESIDUALS + MASK + WORDS


@pytest.mark.parametrize(
    ("devices", "settings", "more"),
    [
        (1, Settings(context=4096), (0, 0)),
        (1, Settings(context=4096, flash_attention=FlashAttention.OFF), (4096 * 512 * 4 * 32 * 2,) * 2),
        (2, Settings(context=4096), (512 * 4096 * 4 * 16,) * 3),
        # The two largest weights of layers on the host: two of `ffn_down` in Q6_K.
        (1, Settings(context=4096, layers=17), (2 * 14336 * 4096 // 256 * 210, 0)),
        (1, Settings(context=4096, parallel=2), (WORDS, WORDS)),
        (1, Settings(context=4096, ubatch=1024), (WHOLE - WORDS,) * 2),
    ],
)
def test_the_bound_is_a_sum_that_can_be_done_by_hand(
    dense: Subject, devices: int, settings: Settings, more: tuple[int, ...]
) -> None:
    placement = Planner(renamed(dense.model)).place(TWO[:devices], settings)
    figures = [place.compute for place in (*placement.devices, placement.host)]

    assert [figure.bytes for figure in figures] == [WHOLE + each for each in more]
    assert {figure.source for figure in figures} == {Source.BOUND}
