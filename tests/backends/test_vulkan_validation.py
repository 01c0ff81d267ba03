"""How a Vulkan child finds a device again and makes a context on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends.vulkan import results
from tests.backends.vulkan_talk import ENDINGS, RADEON, RTX, listed, validated
from tests.doubles import described
from tests.vulkan_world import World, world

TWIN = "11111111-2222-3333-4444-555555555555"
VALIDATING = ("vkCreateDevice", "vkGetDeviceQueue", "vkDestroyDevice", "vkDestroyInstance")


@pytest.fixture
def staged(tmp_path: Path) -> World:
    return world(tmp_path)


def test_lavapipe_gives_a_context(staged: World) -> None:
    answer = validated(staged.lavapipe(), {"number": 0})

    assert answer.all("passed") == [{"depth": "context"}]
    assert answer.is_done
    assert answer.calls[-4:] == ["vkCreateDevice", "vkGetDeviceQueue", "vkDestroyDevice", "vkDestroyInstance"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"uuid": "01020304-0506-0708-090a-0b0c0d0e0f10", "pci_id": "0000:01:00.0", "number": 0, "copy": 0},
        {"uuid": None, "pci_id": "0000:c5:00.0", "number": 1, "copy": 0},
        {"uuid": None, "pci_id": None, "number": 1, "copy": 0},
    ],
)
def test_a_device_is_found_again_by_what_is_known_of_it(wanted: dict[str, Any], staged: World) -> None:
    answer = validated(staged.lavapipe().second_lavapipe().identity(RTX, RADEON), wanted)

    assert answer.all("passed") == [{"depth": "context"}]


def test_a_device_that_moved_to_another_number_is_found_by_its_uuid(staged: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    others = [described(name=name, type="discrete", uuid=TWIN.replace("1", digit)) for name, digit in (("B", "b"), ("C", "c"))]

    validated(staged.icd(*others), {"uuid": TWIN.replace("1", "c"), "number": 0}, FAKE_LOG=str(log))

    assert log.read_text() == "vkCreateDevice C\n"


def test_a_device_that_is_gone_is_missing(staged: World) -> None:
    failed = validated(staged.icd(RADEON), {"uuid": TWIN, "pci_id": None, "number": 0}).failed

    assert failed is not None
    assert failed["status"] == "device_missing"
    assert TWIN in failed["message"]


@pytest.mark.parametrize(("copy", "name"), [(0, "first"), (1, "second")])
def test_the_copy_says_which_of_two_equal_devices_is_validated(copy: int, name: str, staged: World, tmp_path: Path) -> None:
    log = tmp_path / "log"
    matches = [described(name=name, uuid=TWIN) for name in ("first", "second")]

    answer = validated(staged.icd(*matches), {"uuid": TWIN, "number": 7, "copy": copy}, FAKE_LOG=str(log))

    assert answer.is_done
    assert log.read_text() == f"vkCreateDevice {name}\n"


def test_a_third_copy_of_two_is_missing(staged: World) -> None:
    staged.lavapipe().second_lavapipe()
    uuid = listed(staged).devices[0]["uuid"]

    failed = validated(staged, {"uuid": uuid, "number": 2, "copy": 2}).failed

    assert failed is not None
    assert failed["status"] == "device_missing"


def test_a_device_without_a_compute_queue_is_told_and_cannot_be_used(staged: World) -> None:
    staged.icd(described(queues=1))

    (device,) = listed(staged).devices
    failed = validated(staged, {"number": 0}).failed

    assert device["capabilities"]["can_compute"] is False
    assert failed is not None
    assert failed["status"] == "unsupported"


@pytest.mark.parametrize(
    ("code", "status"),
    [(-1, "busy"), (-2, "busy"), (-10, "busy")] + [(code, "unsupported") for code in (-3, -4, -7, -8, -9, -13, -1000174001)],
)
def test_a_refused_device_is_busy_or_unsupported(code: int, status: str, staged: World) -> None:
    failed = validated(staged.icd(RADEON, f"error vkCreateDevice {code}"), {"number": 0}).failed

    assert failed is not None
    assert (failed["status"], failed["code"], failed["name"]) == (status, code, results.NAMES.get(code))
    assert "`vkCreateDevice`" in failed["message"]


def test_a_driver_with_a_portable_subset_is_listed_and_gives_a_context(staged: World) -> None:
    staged.icd(described(name="Apple M3", type="integrated", driver_id=14, portability=1), is_portability_driver=True)

    (device,) = listed(staged).devices
    answer = validated(staged, {"number": 0})

    assert device["name"] == "Apple M3"
    assert answer.all("passed") == [{"depth": "context"}]


@pytest.mark.parametrize(("verb", "ending"), ENDINGS)
@pytest.mark.parametrize("function", VALIDATING)
def test_a_driver_that_dies_while_validating_names_its_step(function: str, verb: str, ending: int, staged: World) -> None:
    answer = validated(staged.icd(RADEON, verb.format(function)), {"number": 0})

    assert (answer.exit_code, answer.calls[-1]) == (ending, function)
    assert answer.all("passed") == []
