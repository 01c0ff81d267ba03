"""The whole road for Intel's cards: the machine's real Level Zero loader, doubles of its drivers, the command's own output."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.backends.level_zero_talk import ARC, ARC_UUID, UHD
from tests.cli.terminal import piped
from tests.doubles import described
from tests.test_road import answered, kept
from tests.vulkan_world import world
from tests.ze_world import ZeWorld

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the drivers and the doubles are Linux shared libraries")

GPU, NPU = "libze_intel_gpu.so.1", "libze_intel_vpu.so.1"


@pytest.fixture
def staged(tmp_path: Path) -> ZeWorld:
    return ZeWorld(tmp_path)


def mask(*arguments: str, **variables: str) -> dict[str, str]:
    """Level Zero's own part of the map; this machine's other libraries have theirs."""
    told = answered("env", *arguments, **variables)["variables"]
    return {each["name"]: each["value"] for each in told if each["name"].startswith("ZE_")}


def test_a_card_seen_by_level_zero_and_vulkan_is_one_level_zero_device(staged: ZeWorld, tmp_path: Path) -> None:
    arc = described(type="discrete", name="Intel(R) Arc(tm) A770 Graphics (DG2)", vendor="0x8086", pci="0000:03:00.0")
    variables = {**staged.driver(ARC).installed(GPU), **world(tmp_path).icd(arc).environment()}

    document = answered("list", **variables)

    (device,) = document["devices"]
    assert (device["library"], device["id"], device["validation"]["depth"]) == ("Level Zero", ARC_UUID, "copy")
    assert (device["total_memory_bytes"], device["free_memory_bytes"]) == (16 << 30, 15 << 30)
    assert [(drop["view"]["library"], drop["reason"]) for drop in document["dropped"]] == [("Vulkan", "same_card")]


def test_the_map_selects_one_of_two_by_the_mask(staged: ZeWorld) -> None:
    variables = staged.driver(UHD, ARC).installed(GPU)

    assert mask("0000:00:02.0", **variables) == {"ZE_AFFINITY_MASK": "1"}
    assert kept(answered("list", **variables, ZE_AFFINITY_MASK="1")) == [("Level Zero", "868000a7-8000-0004-0000-000000000000")]


def test_what_the_user_s_mask_hides_is_said(staged: ZeWorld) -> None:
    document = answered("list", **staged.driver(UHD, ARC).installed(GPU), ZE_AFFINITY_MASK="-1")

    assert document["devices"] == []
    assert any("`ZE_AFFINITY_MASK=-1` hides 2 of 2 devices from Level Zero" in line for line in document["warnings"])


@pytest.mark.parametrize("verb", ["crash load", "crash zeDeviceGet", "exit zeDriverGetProperties 3"])
def test_a_bad_driver_does_not_hide_the_good_one(verb: str, staged: ZeWorld) -> None:
    variables = staged.driver(ARC).driver(UHD, verb).installed(GPU, NPU)

    document = answered("list", **variables)

    assert kept(document) == [("Level Zero", ARC_UUID)]
    assert {(probe["purpose"], probe["manifest"], probe["status"]) for probe in document["probes"] if probe["manifest"]} >= {
        ("alone", GPU, "ok"),
        ("validate", GPU, "ok"),
    }
    assert mask(**variables) == {"ZE_AFFINITY_MASK": "0", "ZE_ENABLE_ALT_DRIVERS": GPU}


def test_the_loader_without_a_driver_is_a_finding_and_not_the_end(staged: ZeWorld) -> None:
    document = answered("list", **staged.environment())

    (probe,) = [each for each in document["probes"] if (each["library"], each["purpose"]) == ("Level Zero", "list")]
    assert (probe["status"], probe["code"], probe["code_name"]) == ("no_devices", 0x78000001, "ZE_RESULT_ERROR_UNINITIALIZED")
    assert document["devices"] == []


UHD_ADDRESS, ARC_ADDRESS = "0000:00:02.0", "0000:03:00.0"
LEGACY = "identity 8"  # a driver of another release has another UUID


@pytest.mark.parametrize(("chosen", "place"), [(ARC_ADDRESS, 0), (UHD_ADDRESS, 1)])
def test_a_card_of_one_of_two_drivers_is_named_with_its_driver(staged: ZeWorld, chosen: str, place: int) -> None:
    """Debian installs two. Each counts its own devices from 0, and under the mask alone both cards were seen."""
    variables = staged.driver(ARC).driver(UHD, LEGACY).environment()

    assert mask("--check", chosen, **variables) == {
        "ZE_AFFINITY_MASK": "0",
        "ZE_ENABLE_ALT_DRIVERS": str(staged.drivers[place]),
    }


def test_the_cards_of_both_drivers_are_chosen_together(staged: ZeWorld) -> None:
    variables = staged.driver(ARC).driver(UHD, LEGACY).environment()

    assert len(kept(answered("list", **variables))) == 2
    assert mask("--check", **variables)["ZE_AFFINITY_MASK"] == "0"


def test_what_the_mask_cannot_say_is_refused(staged: ZeWorld) -> None:
    """Number 1 of the one driver and number 0 of the other: under both numbers a third card is seen."""
    more = ARC.replace("03:00", "04:00").replace(ARC_UUID, ARC_UUID[:-1] + "7")
    variables = staged.driver(ARC, more).driver(UHD, LEGACY).environment()

    ran = piped("env", "0000:04:00.0", UHD_ADDRESS, **variables)

    assert (ran.out, ran.code) == ("", 4)
    assert "`ZE_AFFINITY_MASK` cannot select this: each driver of Level Zero counts its own devices" in ran.err
