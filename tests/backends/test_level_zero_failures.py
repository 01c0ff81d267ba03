"""Level Zero drivers that fail: what the child says, and what it still lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.level_zero_talk import ARC, ARC_UUID, UHD, listed
from tests.backends.talk import request, started
from tests.backends.vulkan_talk import ENDINGS
from tests.doubles import described
from tests.ze_world import LOADER, START, ZeWorld, as_in_debian_12, newer_loader


@pytest.fixture
def staged(tmp_path: Path) -> ZeWorld:
    return ZeWorld(tmp_path)


def test_the_real_loader_without_a_driver_names_its_error_and_says_what_to_do(staged: ZeWorld) -> None:
    answer = listed(staged)

    assert answer.failed == {
        "status": "no_devices",
        "code": 0x78000001,
        "name": "ZE_RESULT_ERROR_UNINITIALIZED",
        "message": f"`{START}` failed with ZE_RESULT_ERROR_UNINITIALIZED (0x78000001): the Level Zero loader found no driver "
        "that works",
    }
    assert answer.calls[-1] == START
    assert answer.exit_code == 0


@pytest.mark.parametrize("code", [0x70000001, 0x70010000, 0x78000001])
@pytest.mark.parametrize("function", dict.fromkeys([START, "zeInitDrivers"]))
def test_after_a_failed_start_nothing_more_is_called(function: str, code: int, staged: ZeWorld) -> None:
    """The loader of Debian 12 calls into an unloaded driver then."""
    staged.driver(ARC, f"error {function} {code}")

    answer = listed(staged, library=LOADER if function == START else newer_loader())

    assert answer.failed is not None
    assert (answer.failed["status"], answer.failed["code"]) == ("no_devices" if code == 0x78000001 else "init_failed", code)
    assert answer.calls[-1] == function
    assert answer.exit_code == 0


def test_an_error_that_nobody_knows_is_given_as_its_number(staged: ZeWorld) -> None:
    failed = listed(staged.driver(ARC, f"error {START} 0x7abcdef0")).failed

    assert failed is not None
    assert (failed["code"], failed["name"]) == (0x7ABCDEF0, None)
    assert "0x7abcdef0" in failed["message"]


@as_in_debian_12
def test_a_driver_without_one_of_the_tables_does_not_start(staged: ZeWorld) -> None:
    failed = listed(staged.driver(ARC, defines=("WITHOUT_TABLE",))).failed

    assert failed is not None
    assert (failed["status"], failed["code"]) == ("no_devices", 0x78000001)


def test_a_driver_without_devices_does_not_disturb_the_others(staged: ZeWorld) -> None:
    answer = listed(staged.driver("# its card is not here").driver(ARC))

    assert [device["uuid"] for device in answer.devices] == [ARC_UUID]
    assert answer.is_done


@pytest.mark.parametrize("line", [f"crash {START}", "crash load", f"exit {START} 3"])
def test_a_bad_driver_hides_the_others_until_each_is_asked_alone(line: str, staged: ZeWorld) -> None:
    staged.driver(line).driver(ARC)

    together, alone = listed(staged), listed(staged, only=1)

    assert (together.devices, together.is_done) == ([], False)
    assert [device["uuid"] for device in alone.devices] == [ARC_UUID]


def test_a_library_that_is_no_level_zero_loader_is_not_loadable(staged: ZeWorld) -> None:
    failed = listed(staged, library="libc.so.6").failed

    assert failed is not None
    assert failed["status"] == "not_loadable"
    assert "zeInit" in failed["message"]


NEEDED = (
    *(("zeDriverGet",) if START == "zeInit" else ()),
    "zeDriverGetProperties",
    "zeDeviceGet",
    "zeDeviceGetProperties",
    "zeDeviceGetMemoryProperties",
    "zeDeviceGetSubDevices",
)


@pytest.mark.parametrize("function", NEEDED)
def test_a_call_that_nothing_can_be_said_without_ends_the_listing_with_its_number(function: str, staged: ZeWorld) -> None:
    failed = listed(staged.driver(ARC, f"error {function} 0x70000001")).failed

    assert failed is not None
    assert (failed["status"], failed["code"], failed["name"]) == ("call_failed", 0x70000001, "ZE_RESULT_ERROR_DEVICE_LOST")
    assert f"`{function}`" in failed["message"]


ASKED = (*NEEDED, START, "zeDriverGetApiVersion", "zeDevicePciGetPropertiesExt", "zesDeviceEnumMemoryModules")
ASKED = (*ASKED, "zesMemoryGetProperties", "zesMemoryGetState")


@pytest.mark.parametrize(("verb", "ending"), ENDINGS)
@pytest.mark.parametrize("function", ASKED)
def test_a_driver_that_dies_while_listing_names_its_step(function: str, verb: str, ending: int, staged: ZeWorld) -> None:
    answer = listed(staged.driver(ARC, verb.format(function)))

    assert (answer.exit_code, answer.calls[-1]) == (ending, function)
    assert not answer.is_done


@pytest.mark.parametrize("function", [START, "zeDeviceGet", "zesMemoryGetState"])
def test_a_driver_that_hangs_has_named_its_step(function: str, staged: ZeWorld) -> None:
    staged.driver(ARC, f"hang {function}")

    with started(request(LOADER, "level_zero"), staged.environment()) as (child, _):
        child.wait_for(f'"call":"{function}"')
        alive = child.process.poll() is None

    assert alive


def test_devices_listed_before_a_crash_stay_listed(staged: ZeWorld) -> None:
    answer = listed(staged.driver(ARC, UHD, "crash zeDeviceGetMemoryProperties@3"))

    assert [device["uuid"] for device in answer.devices] == [ARC_UUID]


def test_what_a_driver_prints_does_not_disturb_the_answer(staged: ZeWorld) -> None:
    answer = listed(staged.driver(ARC, f"print {START} 100000"))

    assert [device["uuid"] for device in answer.devices] == [ARC_UUID]
    assert len(answer.stderr) > 100000


@pytest.mark.parametrize("name", [b"\xff\xfe broken", b"", "Ä" * 200])
def test_a_strange_name_is_told_or_unknown(name: str | bytes, staged: ZeWorld) -> None:
    (device,) = listed(staged.driver(described(name=name))).devices

    assert device["name"] is None or device["name"].isprintable()
