"""How a Level Zero child finds a device again, copies a pattern to it and back, and what a failure of that proves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends.level_zero import results
from tests.backends.level_zero_talk import ARC, ARC_UUID, UHD, validated
from tests.backends.vulkan_talk import ENDINGS
from tests.doubles import described
from tests.ze_world import ZeWorld, newer_loader

STEPS = (
    "zeDeviceGetCommandQueueGroupProperties",
    "zeContextCreate",
    "zeMemAllocDevice",
    "zeMemAllocHost",
    "zeCommandListCreateImmediate",
    "zeCommandListAppendMemoryCopy",
    "zeCommandListDestroy",
    "zeMemFree",
    "zeContextDestroy",
)


@pytest.fixture
def staged(tmp_path: Path) -> ZeWorld:
    return ZeWorld(tmp_path)


def test_a_pattern_is_copied_there_and_back(staged: ZeWorld) -> None:
    answer = validated(staged.driver(ARC), {"uuid": ARC_UUID})

    assert answer.all("passed") == [{"depth": "copy"}]
    assert tuple(dict.fromkeys(answer.calls))[-len(STEPS) :] == STEPS
    assert answer.is_done


def test_a_newer_loader_gives_the_same(staged: ZeWorld) -> None:
    answer = validated(staged.driver(ARC), {"uuid": ARC_UUID}, library=newer_loader())

    assert answer.all("passed") == [{"depth": "copy"}]


@pytest.mark.parametrize(
    "wanted",
    [
        {"uuid": ARC_UUID, "pci_id": "0000:03:00.0", "number": 5, "copy": 0},
        {"uuid": None, "pci_id": "0000:03:00.0", "number": 5, "copy": 0},
        {"uuid": None, "pci_id": None, "number": 0, "copy": 0},
    ],
)
def test_the_wanted_device_is_validated_and_no_other(wanted: dict[str, Any], staged: ZeWorld, tmp_path: Path) -> None:
    log = tmp_path / "log"

    validated(staged.driver(UHD, ARC), wanted, FAKE_LOG=str(log))

    copies = [line for line in log.read_text().splitlines() if line.startswith("copy")]
    assert copies == ["copy Intel(R) Arc(TM) A770 Graphics"] * 2


@pytest.mark.parametrize(("copy", "name"), [(0, "first"), (1, "second")])
def test_devices_of_two_drivers_with_one_number_are_told_apart(copy: int, name: str, staged: ZeWorld, tmp_path: Path) -> None:
    log = tmp_path / "log"
    staged.driver(described(name="first")).driver(described(name="second"), "identity 8")

    answer = validated(staged, {"number": 0, "copy": copy}, FAKE_LOG=str(log))

    assert answer.is_done
    assert f"copy {name}" in log.read_text()


def test_a_device_that_is_gone_is_missing(staged: ZeWorld, tmp_path: Path) -> None:
    log = tmp_path / "log"

    failed = validated(staged.driver(UHD), {"uuid": ARC_UUID, "number": 0}, FAKE_LOG=str(log)).failed

    assert failed is not None
    assert failed["status"] == "device_missing"
    assert not log.exists()


def test_a_copy_that_comes_back_changed_makes_the_device_unsupported(staged: ZeWorld) -> None:
    answer = validated(staged.driver(ARC, "corrupt"), {"uuid": ARC_UUID})

    assert answer.failed is not None
    assert answer.failed["status"] == "unsupported"
    assert "not what was sent" in answer.failed["message"]


@pytest.mark.parametrize("function", ["zeContextCreate", "zeMemAllocDevice", "zeMemAllocHost", "zeCommandListCreateImmediate"])
def test_success_without_an_answer_proves_nothing(function: str, staged: ZeWorld) -> None:
    answer = validated(staged.driver(ARC, f"silent {function}"), {"uuid": ARC_UUID})

    assert answer.failed is not None
    assert (answer.failed["status"], answer.exit_code) == ("call_failed", 0)


def test_copies_that_are_only_said_to_be_made_are_found_out(staged: ZeWorld) -> None:
    answer = validated(staged.driver(ARC, "silent zeCommandListAppendMemoryCopy"), {"uuid": ARC_UUID})

    assert answer.failed is not None
    assert answer.failed["status"] == "unsupported"


def test_a_device_without_a_queue_to_compute_with_cannot_be_used(staged: ZeWorld) -> None:
    failed = validated(staged.driver(ARC, "silent zeDeviceGetCommandQueueGroupProperties@2"), {"uuid": ARC_UUID}).failed

    assert failed is not None
    assert failed["status"] == "unsupported"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (0x1, "busy"),
        (0x70000002, "busy"),
        (0x70000003, "busy"),
        (0x78000006, "busy"),
        (0x70020000, "unsupported"),
        (0x78000002, "unsupported"),
        (0x78000003, "unsupported"),
        (0x70000001, "call_failed"),
        (0x7FFFFFFE, "call_failed"),
        (0x7ABCDEF0, "call_failed"),
    ],
)
@pytest.mark.parametrize("function", ["zeContextCreate", "zeMemAllocDevice", "zeCommandListAppendMemoryCopy"])
def test_a_refusal_says_what_it_proves(function: str, code: int, status: str, staged: ZeWorld) -> None:
    failed = validated(staged.driver(ARC, f"error {function} {code}"), {"uuid": ARC_UUID}).failed

    assert failed is not None
    assert (failed["status"], failed["code"], failed["name"]) == (status, code, results.NAMES.get(code))
    assert f"`{function}`" in failed["message"]


@pytest.mark.parametrize(("verb", "ending"), ENDINGS)
@pytest.mark.parametrize("function", STEPS)
def test_a_driver_that_dies_while_validating_names_its_step(function: str, verb: str, ending: int, staged: ZeWorld) -> None:
    answer = validated(staged.driver(ARC, verb.format(function)), {"uuid": ARC_UUID})

    assert (answer.exit_code, answer.calls[-1]) == (ending, function)
    assert answer.all("passed") == []
