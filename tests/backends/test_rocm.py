"""The ROCm backend in a real child, against a double of AMD's HIP runtime: what it lists."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends.rocm import results
from tests.backends.talk import Talk, request, talk
from tests.doubles import Variables, described, hip_runtime, script

CARD, OTHER = "8b5ac29c9e8f1a2b", "51e2a7f00d15ea5e"
TWO = (
    described(name="AMD Radeon RX 7900 XTX", uuid=CARD, gfx="gfx1100", pci="0000:03:00.0", memory=24 << 30, ecc=1),
    described(name="AMD Radeon Graphics", gfx="gfx1036", pci="0000:0e:00.0", memory=8 << 30, integrated=1),
)
PARTITIONS = tuple(
    described(name="AMD Instinct MI300X", uuid=OTHER, gfx="gfx942:sramecc+:xnack-", pci=f"0000:05:00.{number}", memory=24 << 30)
    for number in range(3)
)


def listed(*lines: str, library: Path | None = None, **environ: str) -> Talk:
    return talk(request(library or hip_runtime(), "rocm"), {"FAKE_HIP": script(*lines), **environ})


def only(*lines: str, library: Path | None = None, **environ: str) -> dict[str, Any]:
    (device,) = listed(*lines, library=library, **environ).devices
    return device


def test_every_field_of_a_listed_card_comes_from_the_runtime() -> None:
    answer = listed(*TWO)

    card, second = answer.devices
    assert card == {
        "number": 0,
        "name": "AMD Radeon RX 7900 XTX",
        "uuid": f"GPU-{CARD}",
        "uuid_space": "rocr",
        "vendor_id": 0x1002,
        "pci_id": "0000:03:00.0",
        "partition": None,
        "total_memory": 24 << 30,
        "api_version": "6.3.42134",
        "runtime_version": "6.3.42134",
        "type": "unknown",
        "compute_major": 11,
        "compute_minor": 0,
        "gfx_target": "gfx1100",
        "capabilities": {
            "gcn_arch_name": "gfx1100",
            "properties": "hipGetDevicePropertiesR0600",
            "multiprocessors": 48,
            "warp_size": 32,
            "clock_khz": 2371000,
            "memory_clock_khz": 0,
            "l2_cache_bytes": 6291456,
            "ecc_enabled": True,
            "large_bar": True,
        },
    }
    assert (second["number"], second["type"], second["gfx_target"], second["uuid"]) == (1, "integrated", "gfx1036", None)
    assert (second["compute_major"], second["compute_minor"]) == (10, 3)
    assert answer.is_done


@pytest.mark.parametrize(
    ("defines", "function"),
    [
        (("OLD_LAYOUT",), "hipGetDeviceProperties"),
        ((), "hipGetDevicePropertiesR0600"),
        (("WITHOUT_OLD",), "hipGetDevicePropertiesR0600"),
    ],
)
def test_the_symbol_decides_which_of_the_two_layouts_is_read(defines: tuple[str, ...], function: str) -> None:
    answer = listed(*TWO, library=hip_runtime(*defines))

    assert function in answer.calls
    assert [card["gfx_target"] for card in answer.devices] == ["gfx1100", "gfx1036"]
    assert [card["type"] for card in answer.devices] == ["unknown", "integrated"]
    assert [card["capabilities"]["ecc_enabled"] for card in answer.devices] == [True, False]
    assert [card["capabilities"]["clock_khz"] for card in answer.devices] == [2371000, 2371000]


def test_the_switches_behind_an_architecture_are_a_capability_and_no_part_of_the_target() -> None:
    card = only(described(gfx="gfx942:sramecc+:xnack-"))

    assert (card["gfx_target"], card["capabilities"]["gcn_arch_name"]) == ("gfx942", "gfx942:sramecc+:xnack-")
    assert (card["compute_major"], card["compute_minor"]) == (9, 4)


def test_the_version_is_read_by_hips_own_formula() -> None:
    """By CUDA's formula ROCm 6.3 showed as 60342.13."""
    assert listed("version 60342134", *TWO).facts == {"api_version": "6.3.42134", "runtime_version": "6.3.42134"}
    assert listed("version 70110000", *TWO).facts["api_version"] == "7.1.10000"


def test_a_number_that_is_no_version_of_hip_is_unknown() -> None:
    assert listed("version 12080", *TWO).facts == {}


def test_a_card_without_a_unique_id_has_no_uuid() -> None:
    card = only(described(pci="0000:03:00.0"))

    assert (card["uuid"], card["uuid_space"]) == (None, None)


def test_bytes_that_are_no_text_are_not_taken_for_a_name_that_rocr_knows() -> None:
    assert only(described(bytes=1))["uuid"] is None


def test_a_runtime_before_5_1_has_no_uuid_and_lists_all_the_same() -> None:
    card = only(TWO[0], library=hip_runtime("WITHOUT_UUID"))

    assert (card["uuid"], card["pci_id"]) == (None, "0000:03:00.0")


def test_partitions_share_a_uuid_and_the_address_of_their_card() -> None:
    partitions = listed(*PARTITIONS).devices

    assert [each["uuid"] for each in partitions] == [f"GPU-{OTHER}"] * 3
    assert [each["pci_id"] for each in partitions] == ["0000:05:00.0"] * 3
    assert partitions[1]["partition"] == {"kind": "cpx", "parent": f"GPU-{OTHER}"}


def test_whole_cards_are_no_partitions() -> None:
    assert [card["partition"] for card in listed(*TWO).devices] == [None, None]


def test_without_the_call_for_it_the_address_comes_from_the_properties() -> None:
    assert only(described(pci="0001:41:1f.0"), "error hipDeviceGetPCIBusId 999")["pci_id"] == "0001:41:1f.0"


def test_an_overridden_architecture_is_what_the_runtime_says() -> None:
    overridden = only(described(gfx="gfx1031"), HSA_OVERRIDE_GFX_VERSION="10.3.0")

    assert overridden["gfx_target"] == "gfx1030"


@pytest.mark.parametrize(
    ("variables", "numbers"),
    [
        ({"ROCR_VISIBLE_DEVICES": "1"}, ["0000:0e:00.0"]),
        ({"ROCR_VISIBLE_DEVICES": f"GPU-{CARD}"}, ["0000:03:00.0"]),
        ({"HIP_VISIBLE_DEVICES": "1,0"}, ["0000:0e:00.0", "0000:03:00.0"]),
        ({"ROCR_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "0"}, ["0000:0e:00.0"]),
        ({"CUDA_VISIBLE_DEVICES": "0"}, ["0000:03:00.0"]),
    ],
)
def test_the_users_variables_decide_what_is_listed(variables: Variables, numbers: list[str]) -> None:
    assert [card["pci_id"] for card in listed(*TWO, **variables).devices] == numbers


def test_each_step_is_said_before_it_is_taken_and_in_order() -> None:
    assert listed(TWO[0]).calls == [
        f"load {hip_runtime()}",
        "hipInit",
        "hipDriverGetVersion",
        "hipRuntimeGetVersion",
        "hipGetDeviceCount",
        "hipDeviceGetUuid",
        "hipGetDevicePropertiesR0600",
        "hipDeviceGetPCIBusId",
        "hipDeviceGetName",
        "hipDeviceTotalMem",
    ]


@pytest.mark.parametrize(
    ("lines", "status", "name", "meaning"),
    [
        ((), "no_devices", "hipErrorInvalidDevice", "found no card"),
        ((*TWO, "error hipInit 100"), "no_devices", "hipErrorNoDevice", "found no card"),
        ((*TWO, "error hipGetDeviceCount 100"), "no_devices", "hipErrorNoDevice", "found no card"),
        ((*TWO, "error hipInit 35"), "init_failed", "hipErrorInsufficientDriver", "too old"),
        ((*TWO, "error hipInit 999"), "init_failed", "hipErrorUnknown", "hipInit"),
        ((*TWO, "error hipGetDeviceCount 919"), "call_failed", "hipErrorOfTomorrow", "hipGetDeviceCount"),
    ],
)
def test_a_runtime_that_does_not_start_is_named_with_what_its_number_means(
    lines: tuple[str, ...], status: str, name: str, meaning: str
) -> None:
    failed = listed(*lines).failed

    assert failed is not None
    assert (failed["status"], failed["name"]) == (status, name)
    assert f"failed with {name} ({failed['code']})" in failed["message"]
    assert meaning in failed["message"]


def test_after_a_failed_start_no_other_function_is_called() -> None:
    answer = listed(*TWO, "error hipInit 3", "crash hipDriverGetVersion", "crash hipGetDeviceCount", "crash hipGetErrorName")

    assert answer.exit_code == 0
    assert answer.calls[-1] == "hipInit"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("count 0", *TWO), "counts no device"),
        (("silent hipGetDeviceCount", *TWO), "wrote no number"),
    ],
)
def test_a_count_that_says_nothing_is_a_reason(lines: tuple[str, ...], said: str) -> None:
    failed = listed(*lines).failed

    assert failed is not None
    assert said in failed["message"]


@pytest.mark.parametrize(
    ("function", "field"),
    [
        ("hipDeviceGetName", "name"),
        ("hipDeviceTotalMem", "total_memory"),
        ("hipGetDevicePropertiesR0600", "gfx_target"),
        ("hipDeviceGetUuid", "uuid"),
    ],
)
def test_what_a_call_cannot_tell_is_unknown_and_the_rest_is_kept(function: str, field: str) -> None:
    card = only(TWO[0], f"error {function} 999")

    assert card.get(field) is None
    assert card["pci_id"] == "0000:03:00.0"
    assert "hipErrorUnknown (999)" in card["problems"].values()


@pytest.mark.parametrize("function", ["hipDeviceTotalMem", "hipGetDevicePropertiesR0600"])
def test_success_without_an_answer_is_unknown_and_not_zero(function: str) -> None:
    card = only(TWO[0], f"silent {function}")

    assert any("wrote nothing" in words for words in card["problems"].values())


def test_a_crash_on_the_second_card_keeps_the_first() -> None:
    answer = listed(*TWO, "crash hipDeviceGetName@2")

    assert [card["number"] for card in answer.devices] == [0]
    assert answer.calls[-1] == "hipDeviceGetName"
    assert answer.exit_code == -11


def test_a_library_without_hipinit_is_no_hip_runtime() -> None:
    failed = listed(library=hip_runtime("WITHOUT_INIT")).failed

    assert failed is not None
    assert failed["status"] == "not_loadable"
    assert "has no function `hipInit`" in failed["message"]


REAL = next(Path("/usr/lib/x86_64-linux-gnu").glob("libamdhip64.so.5"), None)


@pytest.mark.skipif(REAL is None or Path("/dev/kfd").exists(), reason="needs Debian's libamdhip64-5 and no AMD card")
def test_the_real_runtime_without_a_card_says_so_by_its_own_numbers() -> None:
    """HIP 5.2: hipInit answers 101, hipGetDeviceCount 100, and the runtime's own names for both are ours."""
    failed = talk(request("libamdhip64.so.5", "rocm")).failed
    runtime = ctypes.CDLL(str(REAL))
    runtime.hipGetErrorName.restype = ctypes.c_char_p
    count = ctypes.c_int(-1)

    assert failed is not None
    assert (failed["status"], failed["code"], failed["name"]) == ("no_devices", 101, "hipErrorInvalidDevice")
    assert runtime.hipGetDeviceCount(ctypes.byref(count)) == results.NO_DEVICE
    names = {code: runtime.hipGetErrorName(code).decode() for code in results.NAMES}
    assert names == results.NAMES
