"""Which devices llama.cpp takes and what it is told, word for word."""

from __future__ import annotations

import pytest

from gpuprobe.model import GiB
from gpuprobe.planning.engines import llama_cpp
from gpuprobe.planning.engines.device_choice import available, best_group, for_engine
from gpuprobe.planning.engines.engine_records import HostMemory, Subject, Wish
from gpuprobe.planning.engines.model_facts import ModelFacts, facts_of
from gpuprobe.planning.records import FlashAttention, Metadata, Model, Override, Settings
from tests.planned_machines import HOST, card, integrated, on, prepared


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return prepared("llama-8b", tmp_path_factory.mktemp("dense"))


def test_shared_memory_is_there_once_and_only_as_far_as_the_system_has_it() -> None:
    devices = [card(0, 8), integrated(1, 30), integrated(2, 30)]

    assert available(devices, HostMemory(available=40 * GiB)) == 48 * GiB
    assert available(devices, HostMemory()) == 68 * GiB
    assert available([card(0, None)], HOST) == 0


def test_a_group_with_a_discrete_device_goes_before_one_with_more_memory() -> None:
    assert best_group([integrated(0, 40, "Vulkan"), card(0, 8)], HOST) == (card(0, 8),)
    assert best_group([card(0, 8), card(0, 8, library="Vulkan")], HOST) == (card(0, 8),)
    assert best_group([], HOST) == ()


def test_an_engine_is_told_what_the_device_has() -> None:
    made = for_engine(integrated(3, 16), GiB)

    assert (made.selector, made.total, made.free, made.reserve) == ("CUDA:3", 16 * GiB, 16 * GiB, GiB)
    assert (made.unified, made.pipeline) == (True, True)
    assert (for_engine(card(), 0).unified, for_engine(card(library="Metal"), 0).pipeline) == (False, False)


def test_all_that_is_not_the_default_is_on_the_command_line(dense: Subject) -> None:
    wish = Wish(
        context=4096, parallel=2, cache_type_k="Q8_0", cache_type_v="Q4_0", flash_attention=FlashAttention.ON, ubatch=4096
    )
    answer = llama_cpp.plan(dense, on(card()), wish)

    assert answer.command == (
        *("llama-server", "-m", dense.path, "-c", "4096", "-np", "2", "-ngl", "33"),
        *("-ctk", "q8_0", "-ctv", "q4_0", "-fa", "on", "-b", "4096", "-ub", "4096"),
    )


def test_the_split_is_the_users_or_that_of_the_placement(dense: Subject) -> None:
    two = on(card(0, 24), card(1, 24))
    plain, told = (llama_cpp.plan(dense, two, Wish(context=4096, split=split)).command for split in ((), (3.0, 1.0)))

    assert plain[plain.index("-ts") + 1] == "17,16"
    assert told[told.index("-ts") + 1] == "3,1"
    assert "-ts" not in llama_cpp.plan(dense, two, Wish(context=4096, layers=0)).command
    assert "-ts" not in llama_cpp.plan(dense, on(card()), Wish(context=4096)).command


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(), []),
        (Settings(cpu_moe_layers=3), ["-ncmoe", "3"]),
        (Settings(overrides=(Override(r"blk\.3\.ffn.*", None),)), ["-ot", r"blk\.3\.ffn.*=CPU"]),
        (
            Settings(overrides=(Override(r"blk\.3\.a", None), Override(r"blk\.4\.a", None), Override("exps", "CUDA:1"))),
            ["-ot", r"blk\.(3|4)\.a=CPU,exps=CUDA1"],
        ),
    ],
)
def test_tensors_that_stay_elsewhere_are_named(dense: Subject, settings: Settings, words: list[str]) -> None:
    devices = [card(0), card(1)]
    placement = dense.planner.place(tuple(for_engine(device, 0) for device in devices), settings)
    said = llama_cpp.arguments("/m", devices, placement, settings, named=False)

    assert [*said[said.index("-ts") + 2 :]] == words


def test_what_is_left_to_fit_is_not_said(dense: Subject) -> None:
    plain = llama_cpp.open_arguments("/m", dense, [card()], Wish())
    told = llama_cpp.open_arguments("/m", dense, [card(0), card(1)], Wish(context=4096, parallel=2, reserve=1))

    assert plain == ("-m", "/m", "-np", "1", "-dev", "CUDA0")
    assert told == ("-m", "/m", "-np", "2", "-dev", "CUDA0,CUDA1", "-c", "4096", "--fit-target", "458,458")


@pytest.mark.parametrize(
    ("wish", "chosen"),
    [(Wish(), True), (Wish(layers=3), False), (Wish(split=(1.0, 2.0)), False), (Wish(cpu_moe=1), False)],
)
def test_a_placement_is_its_own_choice_where_the_user_has_said_nothing_of_it(dense: Subject, wish: Wish, chosen: bool) -> None:
    answer = llama_cpp.plan(dense, on(card(0), card(1)), wish._replace(context=4096))

    assert answer.chosen is chosen


def test_only_one_integrated_device_is_taken() -> None:
    assert llama_cpp.usable(on(integrated(0), integrated(1)), Wish()) == (integrated(0),)


def test_facts_of_lists_are_their_ends() -> None:
    metadata: Metadata = {
        "llama.attention.head_count": (4, 8),
        "llama.attention.head_count_kv": (2, 0),
        "llama.block_count": 2,
        "llama.pooling_type": 0,
    }

    facts = facts_of(Model((), "GGUF v3", "llama", metadata, {}, (), 0))
    assert facts == ModelFacts(2, None, None, 8, 0, 0, is_embedding=True)
