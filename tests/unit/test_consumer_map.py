"""Which of the chosen cards a program can use, and under which variables, record by record."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.facts import FoundBuild
from gpuprobe.judging.consumer_map import (
    Pick,
    built_for,
    device_name,
    fitting,
    instead_of_its_own,
    name_of,
    variables_for,
)
from gpuprobe.judging.consumers import CONSUMERS, DOCKER, LLAMA_CPP, OLLAMA, RAY, TORCH, VLLM, Consumer, consumer_named
from gpuprobe.judging.rules import judge
from gpuprobe.model import Device, DeviceType, Inventory, Partition, Request
from tests.records import a_device, a_host, a_slice, evidence_of

FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"
A, B = "GPU-11111111-2222-3333-4444-555555555555", "GPU-99999999-2222-3333-4444-555555555555"
CUDA = a_device("CUDA", uuid=A, pci_id=FIRST, ordinal=0)
ROCM = a_device("ROCm", uuid="GPU-0123456789abcdef", uuid_space="rocr", pci_id=SECOND, ordinal=0)
OF_CUDA = a_device("Vulkan", pci_id=FIRST, number=0, ordinal=0)
OF_ROCM = a_device("Vulkan", pci_id=SECOND, number=1, ordinal=1)
INTEL = a_device("Level Zero", pci_id="0000:03:00.0", ordinal=0)


def a_build(library: str, product: str | None = "llama.cpp", problem: str | None = None) -> FoundBuild:
    return FoundBuild(f"a {library}", library, "/o/x/lib.so", (), (), "x", problem, product=product)


def inventory(*devices: Device, **host: Any) -> Inventory:
    return judge(evidence_of(*devices, host=a_host(**host)), Request())


def picks(*ways: tuple[Device, ...]) -> list[Pick]:
    return [Pick(views[0], views) for views in ways]


BOTH = picks((CUDA, OF_CUDA), (ROCM, OF_ROCM))


def used(consumer: Consumer, chosen: list[Pick] = BOTH, **host: Any) -> tuple[object, ...]:
    found = fitting(consumer, chosen, inventory(**host))
    return found.libraries, [name_of(device) for device in found.devices], found.left_out


@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda each: each.name)
def test_a_program_is_meant_by_its_name_and_by_others_in_any_spelling(consumer: Consumer) -> None:
    for name in (consumer.name, consumer.said, consumer.name.upper(), *consumer.aliases):
        assert consumer_named(name) is consumer
    assert consumer_named("nothing of the kind") is None
    assert consumer.takes_variables is (consumer.form is None)


@pytest.mark.parametrize(
    ("consumer", "names"),
    [
        (OLLAMA, ("OLLAMA_IGPU_ENABLE",)),
        (LLAMA_CPP, ("LLAMA_ARG_DEVICE",)),
        (VLLM, ("CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES")),
        (TORCH, ()),
    ],
)
def test_what_is_set_besides_the_selections_is_known(consumer: Consumer, names: tuple[str, ...]) -> None:
    assert consumer.besides == names


def test_what_a_program_reads_in_the_place_of_a_library_s_variable_it_reads_on_linux() -> None:
    assert set(instead_of_its_own(TORCH, "linux")) == {"ROCm"}
    assert instead_of_its_own(TORCH, "win32") == {}


def test_a_program_of_one_library_uses_the_first_that_shows_a_chosen_card() -> None:
    assert used(VLLM) == (("CUDA",), ["CUDA:0"], ("without ROCm:0: vLLM computes through CUDA here",))
    assert used(RAY) == (("ROCm",), ["ROCm:0"], ("without CUDA:0: Ray computes through ROCm here",))
    assert used(VLLM, BOTH[1:]) == (("ROCm",), ["ROCm:0"], ())
    assert used(VLLM, picks((OF_CUDA,))) == ((), [], ("without Vulkan:0: vLLM does not compute through Vulkan",))
    assert used(VLLM, picks((OF_CUDA,), (OF_ROCM,))) == (
        (),
        [],
        ("without Vulkan:0, Vulkan:1: vLLM does not compute through Vulkan",),
    )


def test_a_program_of_several_libraries_uses_all_of_them() -> None:
    assert used(TORCH) == (("CUDA", "ROCm", "Level Zero"), ["CUDA:0", "ROCm:0"], ())
    assert used(DOCKER) == (("CUDA", "ROCm", "Vulkan"), ["CUDA:0", "ROCm:0"], ())
    assert used(OLLAMA, picks((INTEL,))) == (
        ("CUDA", "ROCm", "Metal", "Vulkan"),
        [],
        ("without Level Zero:0: Ollama does not compute through Level Zero",),
    )


def test_a_program_with_builds_uses_the_libraries_that_they_hold() -> None:
    assert used(LLAMA_CPP, builds=(a_build("CUDA"),)) == (
        ("CUDA",),
        ["CUDA:0"],
        ("without ROCm:0: llama.cpp computes through CUDA here",),
    )
    assert used(LLAMA_CPP, builds=(a_build("Vulkan"),))[:2] == (("Vulkan",), ["CUDA:0", "ROCm:0"])
    assert used(LLAMA_CPP)[0] == ("CUDA", "ROCm", "Vulkan")
    assert used(LLAMA_CPP, builds=(a_build("CUDA", "ollama"), a_build("CUDA", problem="damaged")))[0] == (
        "CUDA",
        "ROCm",
        "Vulkan",
    )
    assert built_for(LLAMA_CPP, inventory(builds=(a_build("CUDA"), a_build("Vulkan")))) == {"CUDA", "Vulkan"}
    assert built_for(OLLAMA, inventory(builds=(a_build("CUDA", "ollama"), a_build("CUDA", None)))) == frozenset()


def test_llama_cpp_has_no_name_for_devices_of_a_library_that_ggml_does_not_know() -> None:
    assert used(LLAMA_CPP, picks((CUDA,), (INTEL,)))[0] == ("CUDA",)


@pytest.mark.parametrize(
    ("fields", "name"), [({}, "CUDA:0"), ({"ordinal": None}, CUDA.name), ({"ordinal": None, "name": None}, A)]
)
def test_a_device_is_named_as_one_would_choose_it(fields: dict[str, Any], name: str) -> None:
    assert name_of(CUDA._replace(**fields)) == name


def variables(
    consumer: Consumer, chosen: list[Pick], listed: tuple[Device, ...], unasked: tuple[str, ...] = (), **host: Any
) -> dict[str, str | None]:
    known = inventory(*listed, **host)
    return dict(variables_for(consumer, chosen, fitting(consumer, chosen, known), listed, known, unasked=unasked))


EVERY = (CUDA, ROCM, OF_CUDA, OF_ROCM)


def test_a_program_of_few_libraries_gets_the_variables_of_these_alone() -> None:
    assert variables(TORCH, BOTH, EVERY) == {
        "CUDA_VISIBLE_DEVICES": A,
        "HIP_VISIBLE_DEVICES": "0",
        "GPU_DEVICE_ORDINAL": None,
    }
    assert "GGML_VK_VISIBLE_DEVICES" not in variables(TORCH, BOTH, EVERY, ("Vulkan",))
    assert variables(OLLAMA, picks((CUDA,)), (CUDA,), ("Vulkan", "Level Zero"))["GGML_VK_VISIBLE_DEVICES"] == "-1"
    assert "ZE_AFFINITY_MASK" not in variables(OLLAMA, picks((CUDA,)), (CUDA,), ("Vulkan", "Level Zero"))
    assert "ZE_AFFINITY_MASK" in variables(LLAMA_CPP, BOTH[:1], (CUDA,), ("Level Zero",))


def test_a_program_of_one_library_hides_no_other_one() -> None:
    assert variables(VLLM, BOTH, EVERY) == {"CUDA_VISIBLE_DEVICES": A}
    assert variables(VLLM, BOTH[1:], EVERY) == {
        "HIP_VISIBLE_DEVICES": "0",
        "GPU_DEVICE_ORDINAL": None,
        "CUDA_VISIBLE_DEVICES": None,
    }


def test_ray_hides_by_a_list_of_nothing_and_other_libraries_too() -> None:
    assert variables(RAY, BOTH, EVERY) == {
        "CUDA_VISIBLE_DEVICES": "",
        "HIP_VISIBLE_DEVICES": "0",
        "GGML_VK_VISIBLE_DEVICES": "-1",
        "GPU_DEVICE_ORDINAL": None,
    }


def test_vllm_takes_nvml_s_numbers_where_it_knows_every_card() -> None:
    second = a_device("CUDA", uuid=B, pci_id=SECOND, number=1, ordinal=1)
    witnesses = (a_device("NVML", uuid=B, pci_id=SECOND, number=0), a_device("NVML", uuid=A, pci_id=FIRST, number=1))
    chosen = picks((CUDA,), (second,))

    def found(*seen: Device, chosen: list[Pick] = chosen) -> str | None:
        return variables(VLLM, chosen, (CUDA, second, *seen)).get("CUDA_VISIBLE_DEVICES")

    assert found(*witnesses) == "1,0"
    assert variables(VLLM, chosen, (CUDA, second, *witnesses), platform="darwin") == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert found(witnesses[0]) == found() == f"{A},{B}"
    piece = a_slice(uuid="MIG-00000000-0000-0000-0000-000000000001", pci_id=FIRST, partition=Partition("mig", A), ordinal=0)
    assert found(*witnesses, chosen=picks((piece,))) == piece.uuid


def test_ollama_is_told_to_use_integrated_cards_and_vulkan_where_nothing_else_shows_a_card() -> None:
    integrated = OF_ROCM._replace(type=DeviceType.INTEGRATED)

    assert variables(OLLAMA, picks((integrated,)), (integrated,))["OLLAMA_IGPU_ENABLE"] == "1"
    assert variables(OLLAMA, picks((integrated,)), (integrated,))["OLLAMA_VULKAN"] == "1"
    assert not {"OLLAMA_IGPU_ENABLE", "OLLAMA_VULKAN"} & set(variables(OLLAMA, BOTH, EVERY))
    assert not {"OLLAMA_IGPU_ENABLE", "OLLAMA_VULKAN"} & set(variables(LLAMA_CPP, picks((integrated,)), (integrated,)))


def test_llama_cpp_is_told_names_by_the_numbers_that_the_variables_leave() -> None:
    second = a_device("CUDA", uuid=B, pci_id=SECOND, number=1, ordinal=1)

    assert variables(LLAMA_CPP, picks((second,)), (CUDA, second))["LLAMA_ARG_DEVICE"] == "CUDA0"
    assert variables(LLAMA_CPP, picks((second,), (CUDA,)), (CUDA, second))["LLAMA_ARG_DEVICE"] == "CUDA0,CUDA1"
    assert "LLAMA_ARG_DEVICE" not in variables(LLAMA_CPP, [], (CUDA,))
    assert "LLAMA_ARG_DEVICE" not in variables(OLLAMA, BOTH, EVERY)


@pytest.mark.parametrize(
    ("view", "views", "value", "platform", "name"),
    [
        (CUDA, (CUDA,), A, "linux", "CUDA0"),
        (CUDA, (ROCM, CUDA), A, "linux", "CUDA0"),
        (OF_ROCM, (OF_ROCM, OF_CUDA), "1,0", "linux", "Vulkan0"),
        (OF_CUDA, (OF_CUDA,), None, "linux", "Vulkan0"),
        (OF_CUDA, (OF_ROCM,), "1", "linux", None),
        (OF_CUDA, (OF_CUDA, OF_ROCM), "0", "linux", None),
        (a_device("Metal", number=3), (), None, "darwin", "MTL3"),
    ],
)
def test_a_device_has_the_name_that_ggml_gives_it_under_the_variables(
    view: Device, views: tuple[Device, ...], value: str | None, platform: str, name: str | None
) -> None:
    variable = {"CUDA": "CUDA_VISIBLE_DEVICES", "Vulkan": "GGML_VK_VISIBLE_DEVICES"}.get(view.library, "")

    assert device_name(view, views, {variable: value}, platform) == name
