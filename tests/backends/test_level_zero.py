"""The Level Zero backend in a real child, with the machine's real loader and a double of a driver: what it lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.backends.level_zero_talk import ARC, ARC_UUID, UHD, listed
from tests.doubles import described
from tests.ze_world import LOADER, START, ZeWorld, as_in_debian_12, newer_loader

BATTLEMAGE = described(name="Intel(R) Arc(TM) B580 Graphics", pci="0000:08:00.0", family=3)


@pytest.fixture
def staged(tmp_path: Path) -> ZeWorld:
    return ZeWorld(tmp_path)


@pytest.fixture(params=["1.8", "newer"])
def loader(request: pytest.FixtureRequest) -> object:
    """Both ways to start: what is found must not depend on them."""
    return LOADER if request.param == "1.8" else newer_loader()


def numbers(staged: ZeWorld, **environ: Any) -> dict[str, int]:
    return {device["name"]: device["number"] for device in listed(staged, **environ).devices}


def only(staged: ZeWorld, *, library: object = LOADER, **environ: Any) -> dict[str, Any]:
    (device,) = listed(staged, library=library, **environ).devices
    return device


def test_every_field_of_a_listed_card_comes_from_the_driver(staged: ZeWorld, loader: object) -> None:
    answer = listed(staged.driver(ARC, UHD), library=loader)

    card, _ = answer.devices
    assert card == {
        "number": 0,
        "name": "Intel(R) Arc(TM) A770 Graphics",
        "type": "discrete",
        "pci_id": "0000:03:00.0",
        "uuid": ARC_UUID,
        "uuid_space": "level zero",
        "vendor_id": 0x8086,
        "device_id": 0x56A0,
        "total_memory": 16 << 30,
        "free_memory": 15 << 30,
        "api_version": "1.3",
        "runtime_version": "1.3.24595",
        "capabilities": {
            "core_clock_mhz": 2400,
            "max_allocation_bytes": 4 << 30,
            "execution_units": 512,
            "threads_per_execution_unit": 8,
            "memory_name": "GDDR6",
            "memory_bus_width_bits": 256,
            "sub_devices": 0,
        },
    }
    assert answer.is_done


def test_an_integrated_gpu_is_one_and_its_free_memory_is_the_system_s(staged: ZeWorld, loader: object) -> None:
    device = only(staged.driver(UHD), library=loader)

    assert (device["type"], device["free_memory"]) == ("integrated", 20 << 30)


def test_sub_devices_are_counted(staged: ZeWorld) -> None:
    assert only(staged.driver(described(subdevices=2)))["capabilities"]["sub_devices"] == 2


@as_in_debian_12
def test_each_step_is_said_before_it_is_taken_and_in_order(staged: ZeWorld) -> None:
    answer = listed(staged.driver(ARC))

    assert list(dict.fromkeys(answer.calls)) == [
        f"load {LOADER}",
        "zeInit",
        "zeDriverGet",
        "zeDriverGetProperties",
        "zeDriverGetApiVersion",
        "zeDeviceGet",
        "zeDeviceGetProperties",
        "zeDevicePciGetPropertiesExt",
        "zeDeviceGetMemoryProperties",
        "zeDeviceGetSubDevices",
        "zesDeviceEnumMemoryModules",
        "zesMemoryGetProperties",
        "zesMemoryGetState",
    ]


def test_a_newer_loader_is_started_by_type_of_driver_and_sysman_by_itself(staged: ZeWorld) -> None:
    steps = listed(staged.driver(ARC), library=newer_loader()).calls

    assert {"zeInitDrivers", "zesInit", "zesDriverGetDeviceByUuidExp"} < set(steps)
    assert not {"zeInit", "zeDriverGet"} & set(steps)


def test_a_driver_that_knows_only_the_old_start_is_started_by_it(staged: ZeWorld) -> None:
    answer = listed(staged.driver(ARC, defines=("WITHOUT_INIT_DRIVERS",)), library=newer_loader())

    assert [device["uuid"] for device in answer.devices] == [ARC_UUID]
    assert answer.calls[1:4] == ["zeInitDrivers", "zeInit", "zeDriverGet"]


def test_sysman_s_two_starts_are_never_mixed(staged: ZeWorld) -> None:
    """Intel's SYSMAN.md: together they are not supported; the user's own setting is for other programs."""
    staged.driver(ARC)

    by_call = only(staged, library=newer_loader(), ZES_ENABLE_SYSMAN="1")
    by_variable = only(staged, library=newer_loader("WITHOUT_UUID"), ZES_ENABLE_SYSMAN="0")

    assert by_call["free_memory"] == by_variable["free_memory"] == 15 << 30


def test_of_a_tile_only_its_own_memory_counts(staged: ZeWorld) -> None:
    staged.driver(described(uuid=ARC_UUID, memory=64 << 30, free=40 << 30, tile=1))

    assert only(staged, library=newer_loader())["free_memory"] == 40 << 30


@pytest.mark.parametrize(
    ("line", "fields", "why"),
    [
        ("error zesDeviceEnumMemoryModules 0x78000003", {}, "ZE_RESULT_ERROR_UNSUPPORTED_FEATURE (0x78000003)"),
        ("error zesMemoryGetState 0x70010000", {}, "ZE_RESULT_ERROR_INSUFFICIENT_PERMISSIONS"),
        ("silent zesMemoryGetState", {}, "wrote nothing"),
        ("# an account without CAP_PERFMON is told that all is free", {"free": 16 << 30}, "CAP_PERFMON"),
    ],
)
def test_free_memory_that_is_not_told_is_unknown_and_says_why(
    line: str, fields: dict[str, int], why: str, staged: ZeWorld, loader: object
) -> None:
    staged.driver(described(**{"uuid": ARC_UUID, "memory": 16 << 30, "free": 1 << 30, **fields}), line)

    device = only(staged, library=loader)

    assert device["free_memory"] is None
    assert why in device["problems"]["free_memory"]


@pytest.mark.parametrize("line", ["error zesInit 0x78000001", "error zesDriverGetDeviceByUuidExp 0x78000004"])
def test_without_sysman_the_rest_of_a_card_is_known(line: str, staged: ZeWorld) -> None:
    device = only(staged.driver(ARC, line), library=newer_loader())

    assert (device["total_memory"], device["free_memory"]) == (16 << 30, None)
    assert line.split()[1] in device["problems"]["free_memory"]


def test_what_a_driver_leaves_alone_is_unknown(staged: ZeWorld) -> None:
    silent = ("zeDeviceGetProperties", "zeDevicePciGetPropertiesExt", "zeDriverGetProperties", "zeDriverGetApiVersion")

    answer = listed(staged.driver(ARC, *(f"silent {name}" for name in silent)))

    assert answer.devices == []  # of which kind it is, is unknown too
    assert answer.facts["other_devices"] == [None]


def test_memory_that_a_driver_does_not_tell_is_unknown(staged: ZeWorld) -> None:
    device = only(staged.driver(ARC, "silent zeDeviceGetMemoryProperties@2"))

    assert device["total_memory"] is None
    assert "total_memory" in device["problems"]


def test_an_address_that_is_not_told_is_unknown_and_the_uuid_stays(staged: ZeWorld) -> None:
    device = only(staged.driver(ARC, "error zeDevicePciGetPropertiesExt 0x78000003"))

    assert (device["pci_id"], device["uuid"]) == (None, ARC_UUID)
    assert "0x78000003" in device["problems"]["pci_id"]


def test_what_is_no_gpu_is_named_and_not_listed(staged: ZeWorld) -> None:
    """An NPU (type 5) answers to the same library."""
    answer = listed(staged.driver(ARC, described(name="Intel(R) AI Boost", type=5, pci="0000:00:0b.0")))

    assert [device["uuid"] for device in answer.devices] == [ARC_UUID]
    assert answer.facts["other_devices"] == ["Intel(R) AI Boost"]


def test_a_device_that_is_the_cpu_is_software(staged: ZeWorld) -> None:
    assert only(staged.driver(described(type=2)))["type"] == "software"


@pytest.mark.parametrize("order", [{}, {"ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1"}])
def test_a_number_is_the_one_that_the_mask_takes(order: dict[str, str], staged: ZeWorld) -> None:
    """Since 25.09 Intel's driver has a handle per product family, and lists the newest family first."""
    staged.driver(ARC, UHD, BATTLEMAGE)

    numbered = numbers(staged, **order)

    assert len(numbered) == 3
    for name, number in numbered.items():
        assert list(numbers(staged, ZE_AFFINITY_MASK=str(number), **order)) == [name]


def test_each_driver_library_counts_its_own_devices(staged: ZeWorld) -> None:
    """Each of them reads the mask by itself."""
    staged.driver(ARC).driver(described(name="Old", pci="0000:04:00.0"), "identity 8")

    assert numbers(staged) == {"Intel(R) Arc(TM) A770 Graphics": 0, "Old": 0}
    assert numbers(staged, ZE_AFFINITY_MASK="0") == numbers(staged)


def test_drivers_that_name_themselves_alike_by_nothing_are_not_taken_for_one(staged: ZeWorld) -> None:
    staged.driver(ARC, "identity 0").driver(UHD, "identity 0")

    assert set(numbers(staged).values()) == {0}


def test_the_value_that_hides_all_leaves_no_driver(staged: ZeWorld) -> None:
    failed = listed(staged.driver(ARC, UHD), ZE_AFFINITY_MASK="-1").failed

    assert failed is not None
    assert (failed["status"], failed["code"]) == ("no_devices", 0x78000001)
    assert "found no driver that works" in failed["message"]


def test_a_mask_of_nothing_hides_nothing(staged: ZeWorld) -> None:
    assert len(listed(staged.driver(ARC, UHD), ZE_AFFINITY_MASK="").devices) == 2


def test_a_mask_that_is_no_number_ends_the_process_and_the_step_is_known(staged: ZeWorld) -> None:
    answer = listed(staged.driver(ARC), ZE_AFFINITY_MASK="all")

    assert (answer.exit_code, answer.calls[-1]) == (-6, START)
