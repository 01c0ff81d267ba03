"""Vulkan drivers and manifests that fail: what the child says, and what it still lists."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.backends.talk import request, started
from tests.backends.vulkan_talk import ENDINGS, RADEON, RTX, listed
from tests.vulkan_world import World, world


@pytest.fixture
def staged(tmp_path: Path) -> World:
    return world(tmp_path)


def test_a_driver_that_aborts_takes_the_child_with_it_and_the_call_and_its_words_are_known(staged: World) -> None:
    call = "vkEnumeratePhysicalDevices"

    answer = listed(staged.icd(RADEON, f"say {call} Unknown family", f"abort {call}"))

    assert (answer.exit_code, answer.calls[-1]) == (-signal.SIGABRT, call)
    assert b"Unknown family" in answer.stderr


def test_after_a_failed_call_no_other_function_is_called(staged: World) -> None:
    later = ("vkDestroyInstance", "vkGetPhysicalDeviceProperties2", "vkCreateDevice")

    answer = listed(staged.icd(RADEON, "error vkEnumeratePhysicalDevices -4", *(f"crash {name}" for name in later)))

    assert answer.failed is not None
    assert (answer.failed["status"], answer.failed["code"]) == ("init_failed", -4)
    assert answer.exit_code == 0


@pytest.mark.parametrize("broken", ["absent", "refuses", "handshake"])
def test_without_a_driver_that_works_the_sentence_says_what_to_do(broken: str, staged: World, tmp_path: Path) -> None:
    if broken == "absent":
        staged.driver(tmp_path / "libnot_there.so")
    else:
        staged.icd(RADEON, "error vkCreateInstance -3" if broken == "refuses" else "error negotiate -9")

    answer = listed(staged)

    assert answer.failed is not None
    assert (answer.failed["status"], answer.failed["code"]) == ("init_failed", -9)
    assert answer.failed["name"] == "VK_ERROR_INCOMPATIBLE_DRIVER"
    assert "found no driver that works" in answer.failed["message"]
    assert answer.stderr != b""


def test_without_any_manifest_there_is_no_driver(staged: World) -> None:
    failed = listed(staged).failed

    assert failed is not None
    assert (failed["status"], failed["code"]) == ("init_failed", -9)


def test_a_manifest_that_is_not_json_is_named_as_a_cause(staged: World) -> None:
    answer = listed(staged.manifest("this is no JSON"))

    assert answer.failed is not None
    assert (answer.failed["status"], answer.failed["code"]) == ("init_failed", -1)
    assert "not valid JSON" in answer.failed["message"]
    assert b"icd0.json" in answer.stderr


def test_a_good_driver_beside_a_manifest_that_is_not_json_answers_when_asked_alone(staged: World) -> None:
    staged.manifest("this is no JSON").lavapipe()

    together, alone = listed(staged), listed(staged, only=1)

    assert together.failed is not None
    assert [device["type"] for device in alone.devices] == ["software"]


def test_a_driver_that_fails_hides_the_others_until_each_is_asked_alone(staged: World) -> None:
    staged.icd("error vkEnumeratePhysicalDevices -3").lavapipe()

    together, alone = listed(staged), listed(staged, only=1)

    assert (together.devices, [device["type"] for device in alone.devices]) == ([], ["software"])
    assert together.failed is not None
    assert (together.failed["status"], together.failed["code"]) == ("init_failed", -3)


def test_a_driver_without_devices_does_not_disturb_the_others(staged: World) -> None:
    answer = listed(staged.icd("# a driver whose card is not here").lavapipe())

    assert [device["number"] for device in answer.devices] == [0]
    assert answer.is_done


def test_a_library_that_is_no_vulkan_loader_is_not_loadable(staged: World) -> None:
    failed = listed(staged, library="libc.so.6").failed

    assert failed is not None
    assert failed["status"] == "not_loadable"
    assert "vkGetInstanceProcAddr" in failed["message"]


# The loader itself calls some functions earlier than we do: to sort devices, or to look at a driver's extensions.
EARLIER = {
    "load": "vkEnumerateInstanceExtensionProperties",
    "negotiate": "vkEnumerateInstanceExtensionProperties",
    "vkEnumerateDeviceExtensionProperties": "vkEnumeratePhysicalDevices",
    "vkGetPhysicalDeviceProperties2": "vkEnumeratePhysicalDevices",
}
LISTING = (*EARLIER, "vkCreateInstance", "vkEnumeratePhysicalDevices", "vkGetPhysicalDeviceMemoryProperties2")
LISTING = (*LISTING, "vkGetPhysicalDeviceQueueFamilyProperties", "vkGetPhysicalDeviceFeatures2", "vkDestroyInstance")
# exit() inside the loader's own lock never returns: the loader's destructor waits for it. That is a hang, not an exit.
LISTING_ENDINGS = [
    (function, verb, ending)
    for function in LISTING
    for verb, ending in ENDINGS
    if not (verb.startswith("exit") and function in ("load", "negotiate"))
]


@pytest.mark.parametrize(("function", "verb", "ending"), LISTING_ENDINGS)
def test_a_driver_that_dies_while_listing_names_its_step(function: str, verb: str, ending: int, staged: World) -> None:
    answer = listed(staged.icd(RADEON, verb.format(function)))

    assert answer.exit_code == ending
    assert answer.calls[-1] in (function, EARLIER.get(function))
    assert not answer.is_done


@pytest.mark.parametrize("function", ["vkCreateInstance", "vkEnumeratePhysicalDevices", "vkDestroyInstance"])
def test_a_driver_that_hangs_has_named_its_step(function: str, staged: World) -> None:
    staged.icd(RADEON, f"hang {function}")

    with started(request("libvulkan.so.1", "vulkan"), staged.environment()) as (child, _):
        child.wait_for(f'"call":"{function}"')
        alive = child.process.poll() is None

    assert alive


def test_devices_listed_before_a_crash_stay_listed(staged: World) -> None:
    answer = listed(staged.icd(RTX, RADEON, "crash vkGetPhysicalDeviceMemoryProperties2@2"))

    assert [device["name"] for device in answer.devices] == ["NVIDIA GeForce RTX 4090"]
    assert answer.exit_code == -signal.SIGSEGV


def test_what_a_driver_prints_does_not_disturb_the_answer(staged: World) -> None:
    answer = listed(staged.icd(RADEON, "print vkCreateInstance 100000"))

    assert [device["name"] for device in answer.devices] == ["AMD Radeon 780M (RADV PHOENIX)"]
    assert len(answer.stderr) > 100000
