"""One bad driver beside good ones: what is found by asking each alone can be had by a program too, through the map."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.backends.level_zero_talk import ARC, ARC_UUID, UHD
from tests.cli.terminal import piped
from tests.doubles import described
from tests.test_real_runtimes import ggml
from tests.test_road import RADEON, answered
from tests.vulkan_world import World, world
from tests.ze_world import ZeWorld

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the drivers and the doubles are Linux shared libraries")

BAD = "crash vkEnumeratePhysicalDevices"
ARC_BY_VULKAN = described(
    type="discrete", name="Intel(R) Arc(tm) A770 Graphics", vendor="0x8086", uuid="GPU-" + "d" * 8, pci="0000:04:00.0",
    memory=16 << 30, driver_id=6,
)  # fmt: skip
GPU, NPU = "libze_intel_gpu.so.1", "libze_intel_vpu.so.1"


@pytest.fixture
def vulkan(tmp_path: Path) -> World:
    return world(tmp_path)


def only_vulkan(staged: World) -> dict[str, str]:
    """Nothing else is installed that could take the cards."""
    return staged.environment()


def exported(document: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in document["variables"] if each["value"] is not None}


def test_the_map_of_a_device_that_one_manifest_alone_gives_names_that_manifest(vulkan: World) -> None:
    variables = only_vulkan(vulkan.icd(BAD).icd(RADEON))
    good = str(vulkan.manifests[1])

    document = answered("env", "--check", **variables)

    assert exported(document)["VK_DRIVER_FILES"] == good
    assert exported(document)["GGML_VK_VISIBLE_DEVICES"] == "0"
    assert {check["library"]: check["answer"] for check in document["check"]}["Vulkan"] is True


def test_so_does_each_device_by_itself_in_the_list(vulkan: World) -> None:
    variables = only_vulkan(vulkan.icd(RADEON).icd(BAD).icd(ARC_BY_VULKAN))

    document = answered("list", **variables)

    assert {device["name"]: (device["manifest"], device["visible"]["VK_DRIVER_FILES"]) for device in document["devices"]} == {
        "AMD Radeon RX 7900 XTX": (str(vulkan.manifests[0]),) * 2,
        "Intel(R) Arc(tm) A770 Graphics": (str(vulkan.manifests[2]),) * 2,
    }


def test_two_good_drivers_beside_a_bad_one_are_had_together(vulkan: World) -> None:
    variables = only_vulkan(vulkan.icd(RADEON).icd(BAD).icd(ARC_BY_VULKAN))

    document = answered("env", "--check", **variables)

    assert exported(document)["VK_DRIVER_FILES"] == f"{vulkan.manifests[0]}{os.pathsep}{vulkan.manifests[2]}"
    assert {check["library"]: check["answer"] for check in document["check"]}["Vulkan"] is True


def test_a_program_started_under_the_map_gets_it(vulkan: World) -> None:
    variables = only_vulkan(vulkan.icd(BAD).icd(RADEON))

    ran = piped("env", "--", "sh", "-c", "echo $VK_DRIVER_FILES", **variables)

    assert ran.out == f"{vulkan.manifests[1]}\n"


def test_where_all_drivers_work_together_no_manifest_is_named(vulkan: World) -> None:
    document = answered("list", **only_vulkan(vulkan.icd(RADEON).icd(ARC_BY_VULKAN)))

    assert [device["manifest"] for device in document["devices"]] == [None, None]


def test_the_real_ggml_computes_on_what_the_map_leaves(vulkan: World) -> None:
    """With the bad driver it finds no device at all."""
    card = described(type="discrete", name="one", vendor="0x1002", uuid="GPU-" + "a" * 8, pci="0000:03:00.0", driver_id=3)
    staged = vulkan.icd("error vkEnumeratePhysicalDevices -3").lavapipe().identity(card)
    variables = exported(answered("env", **staged.environment()))

    assert ggml(staged) == []
    assert ggml(staged, **{name: value for name, value in variables.items() if name != "LD_LIBRARY_PATH"}) == ["one"]


@pytest.fixture
def level_zero(tmp_path: Path) -> ZeWorld:
    return ZeWorld(tmp_path)


def test_a_level_zero_device_that_one_driver_alone_gives_names_that_driver(level_zero: ZeWorld) -> None:
    variables = level_zero.driver(ARC).driver(UHD, "crash zeDeviceGet").installed(GPU, NPU)

    (device,) = answered("list", **variables)["devices"]
    document = answered("env", "--check", ARC_UUID, **variables)

    assert (device["id"], device["manifest"]) == (ARC_UUID, GPU)
    assert (device["visible"]["ZE_ENABLE_ALT_DRIVERS"], device["visible"]["ZE_AFFINITY_MASK"]) == (GPU, "0")
    assert exported(document)["ZE_ENABLE_ALT_DRIVERS"] == GPU
    assert {check["library"]: check["answer"] for check in document["check"]}["Level Zero"] is True
