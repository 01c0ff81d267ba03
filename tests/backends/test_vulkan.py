"""What a Vulkan child lists, behind the machine's real loader: lavapipe, RADV without hardware, scripted drivers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.backends.vulkan_talk import RADEON, RTX, listed
from tests.doubles import described
from tests.vulkan_world import World, changed_loader, world


@pytest.fixture
def staged(tmp_path: Path) -> World:
    return world(tmp_path)


def scripted(staged: World, **values: Any) -> dict[str, Any]:
    """The one device of a scripted driver, as the child describes it."""
    (device,) = listed(staged.icd(described(**values))).devices
    return device


def test_the_extensions_for_other_arithmetic_are_named(staged: World) -> None:
    answer = listed(staged.lavapipe().icd(RADEON))

    offered = {device["driver_name"]: device["capabilities"].get("arithmetic_extensions") for device in answer.devices}
    names = offered.pop("llvmpipe")
    assert "VK_KHR_shader_float16_int8" in names
    assert names == sorted(names)
    assert list(offered.values()) == [None]


def test_lavapipe_is_listed_as_software_with_its_own_words(staged: World) -> None:
    answer = listed(staged.lavapipe())

    (device,) = answer.devices
    assert device["number"] == 0
    assert (device["type"], device["driver_name"], device["uuid_space"]) == ("software", "llvmpipe", "vulkan:llvmpipe")
    assert device["name"].startswith("llvmpipe (LLVM ")
    assert device["runtime_version"].startswith("Mesa ")
    assert device["total_memory"] == sum(heap["size_bytes"] for heap in device["capabilities"]["memory_heaps"]) > 0
    assert (device["pci_id"], device["capabilities"]["can_compute"]) == (None, True)
    assert answer.is_done


def test_each_step_is_said_before_it_is_taken_and_in_order(staged: World) -> None:
    answer = listed(staged.icd(RADEON))

    assert answer.calls == [
        "load libvulkan.so.1",
        "vkEnumerateInstanceVersion",
        "vkEnumerateInstanceExtensionProperties",
        "vkCreateInstance",
        "vkEnumeratePhysicalDevices",
        "vkEnumerateDeviceExtensionProperties",
        "vkGetPhysicalDeviceProperties2",
        "vkGetPhysicalDeviceMemoryProperties2",
        "vkGetPhysicalDeviceQueueFamilyProperties",
        "vkGetPhysicalDeviceFeatures2",
        "vkDestroyInstance",
    ]


@pytest.mark.parametrize(("scripted_as", "known"), [({"storage16": 0}, False), ({"storage16": 1}, True), ({}, None)])
def test_whether_kernels_may_store_numbers_of_16_bits_is_the_drivers_answer(
    scripted_as: dict[str, int], known: bool | None, staged: World
) -> None:
    assert scripted(staged, **scripted_as)["capabilities"].get("stores_16_bits") is known


def test_the_loader_says_which_vulkan_it_speaks_and_which_file_it_is(staged: World) -> None:
    answer = listed(staged.lavapipe())

    (path,) = answer.all("loaded")
    assert Path(path).name.startswith("libvulkan.so.1")
    assert [int(part) for part in answer.facts["api_version"].split(".")] >= [1, 1, 0]


def test_a_discrete_nvidia_card_is_described_in_full(staged: World) -> None:
    device, _ = listed(staged.lavapipe().second_lavapipe().identity(RTX, RADEON)).devices

    assert device.pop("capabilities")["counted_heaps"] == [0]
    api_version = device.pop("api_version")
    assert api_version.startswith("1.")
    assert device == {
        "number": 0,
        "name": "NVIDIA GeForce RTX 4090",
        "type": "discrete",
        "pci_id": "0000:01:00.0",
        "uuid": "01020304-0506-0708-090a-0b0c0d0e0f10",
        "uuid_space": "nvidia",
        "vendor_id": 0x10DE,
        "device_id": 0x2684,
        "runtime_version": "580.95.05",
        "driver_name": "NVIDIA",
        "total_memory": 24 << 30,
        "free_memory": 20 << 30,
    }


def test_an_integrated_radeon_is_described_in_full(staged: World) -> None:
    _, device = listed(staged.lavapipe().second_lavapipe().identity(RTX, RADEON)).devices

    assert (device["number"], device["name"]) == (1, "AMD Radeon 780M (RADV PHOENIX)")
    assert (device["type"], device["pci_id"]) == ("integrated", "0000:c5:00.0")
    assert (device["uuid"], device["uuid_space"]) == ("00000000-c500-0000-0000-000000000000", "vulkan:radv")
    assert (device["total_memory"], device["free_memory"]) == (8 << 30, 7 << 30)


def test_two_installs_of_one_driver_are_two_devices_with_raw_numbers(staged: World) -> None:
    first, second = listed(staged.lavapipe().second_lavapipe()).devices

    assert (first["number"], second["number"]) == (0, 1)
    assert first["uuid"] == second["uuid"]


def test_a_card_without_any_heap_has_no_memory_rather_than_an_unknown_one(staged: World) -> None:
    (device,) = listed(staged.radv("gfx1100")).devices

    assert device["name"] == "Null hardware (RADV GFX1100)"
    assert (device["total_memory"], device["free_memory"], device["type"]) == (0, None, "discrete")
    assert (device["capabilities"]["memory_heaps"], device["capabilities"]["counted_heaps"]) == ([], [])


def test_a_pci_address_of_zeros_and_an_uuid_of_zeros_are_unknown(staged: World) -> None:
    (device,) = listed(staged.radv("gfx1100")).devices

    assert (device["pci_id"], device["uuid"]) == (None, None)


def test_a_driver_that_leaves_the_pci_structure_alone_gives_no_address(staged: World) -> None:
    assert scripted(staged, pci="silent")["pci_id"] is None


def test_a_driver_that_answers_nothing_is_described_by_nothing(staged: World) -> None:
    answer = listed(staged.icd(RADEON, "silent vkGetPhysicalDeviceProperties2", "silent vkGetPhysicalDeviceMemoryProperties2"))

    (device,) = answer.devices
    assert (device.pop("number"), device.pop("type"), device.pop("uuid_space")) == (0, "unknown", "vulkan")
    assert device.pop("capabilities") == {"can_compute": True}
    assert set(device.values()) == {None}


def test_only_heaps_of_the_device_itself_count_as_its_memory(staged: World) -> None:
    device = scripted(staged, type="discrete", memory=4 << 30, shared=32 << 30, bar=1 << 28, free=3 << 30)

    assert device["total_memory"] == (4 << 30) + (1 << 28)
    assert device["free_memory"] == (3 << 30) + (1 << 28)
    assert device["capabilities"]["counted_heaps"] == [0, 2]
    assert [heap["device_local"] for heap in device["capabilities"]["memory_heaps"]] == [True, False, True]


def test_every_heap_of_an_integrated_gpu_counts_as_its_memory(staged: World) -> None:
    """As ggml-vulkan counts it: the carve-out and the rest are the system's memory alike."""
    device = scripted(staged, type="integrated", memory=4 << 30, shared=32 << 30)

    assert device["total_memory"] == (4 << 30) + (32 << 30)
    assert device["capabilities"]["counted_heaps"] == [0, 1]


@pytest.mark.parametrize("free", ["zero", "silent"])
def test_a_budget_that_says_nothing_leaves_free_memory_unknown(free: str, staged: World) -> None:
    device = scripted(staged, memory=8 << 30, free=free)

    assert (device["total_memory"], device["free_memory"]) == (8 << 30, None)


def test_a_full_card_has_no_free_memory_rather_than_an_unknown_one(staged: World) -> None:
    assert scripted(staged, memory=8 << 30, free=0)["free_memory"] == 0


@pytest.mark.parametrize(
    ("said", "listed_as"),
    [("other", "unknown"), ("integrated", "integrated"), ("discrete", "discrete"), ("virtual", "virtual")],
)
def test_the_type_is_the_drivers_own(said: str, listed_as: str, staged: World) -> None:
    assert scripted(staged, type=said)["type"] == listed_as


@pytest.mark.parametrize("driver_id", [10, 13])
def test_a_software_renderer_is_software_whatever_type_it_claims(driver_id: int, staged: World) -> None:
    assert scripted(staged, type="discrete", driver_id=driver_id)["type"] == "software"


@pytest.mark.parametrize(
    ("values", "version"),
    [
        ({"driver_id": 3, "version": 25 << 22 | 7}, "25.0.7"),
        ({"driver_id": 4, "version": 580 << 22 | 95 << 14 | 5 << 6}, "580.95.5.0"),
        ({"driver_id": 5, "version": 101 << 14 | 5186, "driver_info": "Intel driver"}, "101.5186"),
        ({"driver_id": 3, "version": 1, "driver_info": "Mesa 25.0.7"}, "Mesa 25.0.7"),
    ],
)
def test_the_driver_version_is_its_words_or_its_number_unpacked(values: dict[str, Any], version: str, staged: World) -> None:
    assert scripted(staged, **values)["runtime_version"] == version


def test_a_name_with_escape_codes_and_broken_utf_8_arrives_as_text(staged: World) -> None:
    assert scripted(staged, name=b"RTX \x1b[31m\xff\n$(id)")["name"] == "RTX \x1b[31m�\n$(id)"


def test_limits_and_render_node_are_told_with_their_units(staged: World) -> None:
    capabilities = scripted(staged, drm=129, luid="0807060504030201", subgroup=64)["capabilities"]

    assert capabilities["drm_render_minor"] == 129
    assert capabilities["luid"] == "0102030405060708"
    assert (capabilities["subgroup_size"], capabilities["shared_memory_bytes"]) == (64, 65536)
    assert (capabilities["max_memory_allocation_count"], capabilities["max_allocation_bytes"]) == (4096, 1 << 32)
    assert (capabilities["max_storage_buffer_bytes"], capabilities["max_work_group_invocations"]) == (1 << 30, 1024)


def test_drivers_side_by_side_each_act_by_their_own_script(staged: World) -> None:
    staged.icd(described(name="A", type="discrete")).icd(described(name="B", type="discrete"), described(name="C"))

    assert sorted(device["name"] for device in listed(staged).devices) == ["A", "B", "C"]


def test_a_loader_of_vulkan_1_0_lists_what_it_can(staged: World) -> None:
    answer = listed(staged.icd(RADEON).lavapipe(), library=changed_loader("VERSION_1_0"))

    radeon, lavapipe = answer.devices
    assert answer.facts == {"api_version": "1.0.0"}
    assert (radeon["name"], radeon["type"], radeon["total_memory"]) == ("AMD Radeon 780M (RADV PHOENIX)", "integrated", 8 << 30)
    assert (radeon["uuid"], radeon["pci_id"], radeon["free_memory"], radeon["driver_name"]) == (None, None, None, None)
    assert lavapipe["type"] == "software"
    assert answer.is_done


def test_a_device_that_comes_between_two_calls_is_not_lost(staged: World) -> None:
    answer = listed(staged.icd(RTX, RADEON), library=changed_loader("TOO_LITTLE_ROOM=1"))

    assert [device["pci_id"] for device in answer.devices] == ["0000:01:00.0", "0000:c5:00.0"]


def test_a_loader_that_never_lists_everything_still_gives_what_it_lists(staged: World) -> None:
    answer = listed(staged.icd(RTX, RADEON), library=changed_loader("TOO_LITTLE_ROOM=99"))

    assert [device["pci_id"] for device in answer.devices] == ["0000:01:00.0"]
    assert answer.is_done
