"""Two real Vulkan drivers that share none of our misunderstandings: Khronos' mock, which answers success and leaves structures
untouched, and SwiftShader. GPUPROBE_VULKAN_DRIVERS names the directory that holds both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.vulkan_talk import listed, validated
from tests.vulkan_world import World, world


@pytest.fixture
def staged(tmp_path: Path) -> World:
    return world(tmp_path)


def test_every_call_of_the_mock_driver_succeeds(staged: World) -> None:
    answer = listed(staged.mock())

    (device,) = answer.devices
    assert answer.is_done
    assert (device["name"], device["type"]) == ("Vulkan Mock Device", "virtual")
    assert (device["vendor_id"], device["device_id"]) == (0xBA5EBA11, 0xF005BA11)
    assert device["capabilities"]["can_compute"] is True


def test_what_the_mock_driver_leaves_untouched_is_unknown(staged: World) -> None:
    """It offers VK_EXT_pci_bus_info and VK_EXT_memory_budget, writes no address, no UUID, and budgets of 0."""
    (device,) = listed(staged.mock()).devices

    assert (device["pci_id"], device["uuid"], device["free_memory"]) == (None, None, None)
    assert "subgroup_size" not in device["capabilities"]
    assert device["total_memory"] == 8_000_000_000


def test_a_context_on_the_mock_driver_is_made_and_says_no_more_than_that(staged: World) -> None:
    answer = validated(staged.mock(), {"uuid": None, "pci_id": None, "number": 0, "copy": 0})

    assert answer.all("passed") == [{"depth": "context"}]
    assert answer.is_done


def test_swiftshader_is_listed_as_software_beside_lavapipe(staged: World) -> None:
    answer = listed(staged.lavapipe().swiftshader())

    swiftshader, lavapipe = sorted(answer.devices, key=lambda device: str(device["name"]))
    assert lavapipe["name"].startswith("llvmpipe")
    assert swiftshader["name"].startswith("SwiftShader")
    assert {lavapipe["type"], swiftshader["type"]} == {"software"}
    assert lavapipe["uuid"] != swiftshader["uuid"]
    assert swiftshader["total_memory"] > 0


def test_swiftshader_makes_a_context(staged: World) -> None:
    (device,) = listed(staged.swiftshader()).devices

    answer = validated(staged, {"uuid": device["uuid"], "pci_id": None, "number": device["number"], "copy": 0})

    assert answer.all("passed") == [{"depth": "context"}]
