"""The CUDA backend in a real child, against a double of NVIDIA's driver library: what it lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpuprobe.backends.cuda import card
from tests.backends.talk import Talk, request, talk
from tests.doubles import cuda_driver, described, script

FIRST = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
SECOND = "GPU-11111111-2222-3333-4444-555555555555"
SLICE = "MIG-7a3b0c2d-1111-5222-8333-444455556666"
TWO = (
    described(name="NVIDIA GeForce RTX 4090", uuid=FIRST, pci="0000:01:00.0", memory=24 << 30, free=20 << 30, cc="8.9"),
    described(name="Orin", uuid=SECOND, pci="10000:C1:00.0", memory=8 << 30, free=1 << 30, cc="8.7", integrated=1),
)


def listed(*lines: str, library: Path | None = None) -> Talk:
    return talk(request(library or cuda_driver()), {"FAKE_CUDA": script(*lines)})


def only(*lines: str, library: Path | None = None) -> dict[str, Any]:
    (device,) = listed(*lines, library=library).devices
    return device


def test_every_field_of_a_listed_card_comes_from_the_driver() -> None:
    answer = listed("driver 12040", *TWO)

    card, _ = answer.devices
    capabilities = card.pop("capabilities")
    assert card == {
        "number": 0,
        "name": "NVIDIA GeForce RTX 4090",
        "type": "discrete",
        "pci_id": "0000:01:00.0",
        "uuid": FIRST,
        "uuid_space": "nvidia",
        "vendor_id": 0x10DE,
        "device_id": 0x2684,
        "partition": None,
        "compute_major": 8,
        "compute_minor": 9,
        "total_memory": 24 << 30,
        "api_version": "12.4",
    }
    assert (capabilities["multiprocessors"], capabilities["clock_khz"]) == (128, 2_520_000)
    assert (capabilities["compute_mode"], capabilities["ecc_enabled"]) == ("default", False)
    assert answer.is_done


def test_a_second_card_has_its_own_fields_and_its_wide_pci_domain() -> None:
    _, card = listed(*TWO).devices

    assert (card["number"], card["name"], card["type"]) == (1, "Orin", "integrated")
    assert (card["pci_id"], card["uuid"], card["compute_minor"]) == ("10000:c1:00.0", SECOND, 7)


def test_each_step_is_said_before_it_is_taken_and_in_order() -> None:
    answer = listed(TWO[0])

    assert answer.calls == [
        f"load {cuda_driver()}",
        "cuDriverGetVersion",
        "cuInit",
        "cuDeviceGetCount",
        "cuDeviceGet",
        "cuDeviceGetName",
        "cuDeviceGetUuid_v2",
        "cuDeviceTotalMem_v2",
        "cuDeviceGetAttribute",
        "cuDeviceGetPCIBusId",
    ]
    times = [line["at"] for line in answer.lines if "at" in line]
    assert times == sorted(times)


def test_the_version_of_the_driver_is_told_even_where_it_does_not_start() -> None:
    answer = listed("driver 11040", "error cuInit 100")

    assert answer.facts == {"api_version": "11.4"}
    assert answer.failed is not None


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        (100, "no_devices", "CUDA_ERROR_NO_DEVICE"),
        (3, "init_failed", "CUDA_ERROR_NOT_INITIALIZED"),
        (34, "init_failed", "CUDA_ERROR_STUB_LIBRARY"),
        (304, "init_failed", "CUDA_ERROR_OPERATING_SYSTEM"),
        (802, "init_failed", "CUDA_ERROR_SYSTEM_NOT_READY"),
        (803, "init_failed", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
        (804, "init_failed", "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"),
        (805, "init_failed", "CUDA_ERROR_MPS_CONNECTION_FAILED"),
        (999, "init_failed", "CUDA_ERROR_UNKNOWN"),
    ],
)
def test_a_driver_that_does_not_start_is_named_with_its_number(code: int, status: str, name: str) -> None:
    failed = listed(*TWO, f"error cuInit {code}").failed

    assert failed is not None
    assert (failed["status"], failed["code"], failed["name"]) == (status, code, name)
    assert f"`cuInit` failed with {name} ({code})" in failed["message"]


def test_nothing_follows_a_failure() -> None:
    answer = listed(*TWO, "error cuInit 999")

    assert "failed" in answer.lines[-1]
    assert answer.exit_code == 0


def test_after_a_failed_start_no_other_function_is_called() -> None:
    others = ("cuDeviceGetCount", "cuDeviceGet", "cuGetErrorName", "cuGetErrorString")

    answer = listed("error cuInit 919", *(f"crash {function}" for function in others))

    assert answer.failed is not None
    assert (answer.failed["code"], answer.failed["name"]) == (919, None)


def test_a_number_that_only_the_library_knows_is_looked_up_there() -> None:
    failed = listed(*TWO, "error cuDeviceGetCount 919").failed

    assert failed is not None
    assert (failed["status"], failed["name"]) == ("call_failed", "CUDA_ERROR_FABRIC_NOT_READY")


def test_a_number_that_nobody_knows_is_told_as_a_number() -> None:
    failed = listed(*TWO, "error cuDeviceGetCount 4711").failed

    assert failed is not None
    assert (failed["code"], failed["name"]) == (4711, None)
    assert "4711" in failed["message"]


@pytest.mark.parametrize("function", ["cuDeviceGetCount"])
@pytest.mark.parametrize("how", ["error {} 999", "silent {}"])
def test_without_the_essential_calls_the_listing_fails(function: str, how: str) -> None:
    failed = listed(*TWO, how.format(function)).failed

    assert failed is not None
    assert failed["status"] == "call_failed"
    assert f"`{function}`" in failed["message"]


@pytest.mark.parametrize("how", ["error cuDeviceGet@2 999", "silent cuDeviceGet@2"])
def test_one_broken_card_does_not_hide_the_others(how: str) -> None:
    answer = listed(*TWO, how)

    good, broken = answer.devices
    assert (good["uuid"], broken["number"]) == (FIRST, 1)
    assert "cuDeviceGet" in broken["problems"]["device"]
    assert answer.failed is None


def test_a_driver_that_starts_and_counts_nothing_has_no_devices() -> None:
    failed = listed(*TWO, "count 0").failed

    assert failed is not None
    assert (failed["status"], failed["code"]) == ("no_devices", None)


@pytest.mark.parametrize(
    ("function", "field"),
    [("cuDeviceGetName", "name"), ("cuDeviceGetUuid_v2", "uuid"), ("cuDeviceTotalMem_v2", "total_memory")],
)
def test_a_minor_call_that_fails_leaves_its_field_unknown_and_says_why(function: str, field: str) -> None:
    card = only(TWO[0], f"error {function} 999")

    assert card[field] is None
    assert card["problems"] == {field: "CUDA_ERROR_UNKNOWN (999)"}


@pytest.mark.parametrize(("function", "field"), [("cuDeviceGetUuid_v2", "uuid"), ("cuDeviceTotalMem_v2", "total_memory")])
def test_success_without_an_answer_is_unknown_and_not_zero(function: str, field: str) -> None:
    card = only(TWO[0], f"silent {function}")

    assert card[field] is None
    assert card["problems"] == {field: f"`{function}` reported success but wrote nothing"}


def test_attributes_that_are_not_written_are_unknown() -> None:
    card = only(TWO[0], "silent cuDeviceGetAttribute")

    assert (card["type"], card["compute_major"], card["device_id"]) == ("unknown", None, None)
    assert set(card["capabilities"].values()) == {None}


def test_an_attribute_newer_than_the_driver_is_unknown_without_a_problem() -> None:
    card = only(described(uuid=FIRST, pci="0000:01:00.0", refuse="133:1"))

    assert card["capabilities"]["mps_enabled"] is None
    assert "problems" not in card


def test_an_attribute_that_fails_otherwise_is_a_problem() -> None:
    card = only(described(uuid=FIRST, pci="0000:01:00.0", refuse="75:999"))

    assert card["compute_major"] is None
    assert card["problems"] == {"compute_major": "CUDA_ERROR_UNKNOWN (999)"}


def test_an_old_driver_gives_its_uuid_by_the_first_form_of_the_call() -> None:
    card = only(TWO[0], library=cuda_driver("WITHOUT_UUID_V2"))

    assert card["uuid"] == FIRST


def test_an_old_driver_does_not_give_a_slice_the_uuid_of_its_card() -> None:
    whole, part = described(uuid=FIRST, mig=1), described("slice", name="NVIDIA A100 MIG 1g.5gb", uuid=SLICE)

    card = only(whole, part, library=cuda_driver("WITHOUT_UUID_V2"))

    assert card["uuid"] is None
    assert "cuDeviceGetUuid_v2" in card["problems"]["uuid"]


def test_a_function_that_is_missing_leaves_its_field_unknown() -> None:
    card = only(TWO[0], library=cuda_driver("WITHOUT_MEMORY"))

    assert card["total_memory"] is None
    assert card["problems"] == {"total_memory": "this release of the driver has no `cuDeviceTotalMem_v2`"}


def test_without_its_own_call_the_pci_address_comes_from_the_attributes() -> None:
    card = only(TWO[1], library=cuda_driver("WITHOUT_PCI"))

    assert card["pci_id"] == "10000:c1:00.0"


def test_a_card_that_is_on_no_bus_has_no_pci_address() -> None:
    assert only(described(name="Orin", uuid=SECOND, integrated=1))["pci_id"] is None


def test_a_mig_instance_is_a_partition_with_a_uuid_of_its_own() -> None:
    whole = described(name="NVIDIA A100", uuid=FIRST, pci="0000:07:00.0", memory=40 << 30, mig=1)
    part = described("slice", name="NVIDIA A100 MIG 1g.5gb", uuid=SLICE, memory=5 << 30)

    card = only(whole, part)

    assert (card["uuid"], card["partition"]) == (SLICE, {"kind": "mig", "parent": None})
    assert (card["pci_id"], card["total_memory"]) == ("0000:07:00.0", 5 << 30)


@pytest.mark.parametrize(
    "name",
    ['a "quoted" name', "escape \x1b[31mred\x1b[0m", "two\nlines", "tab\tand \\ backslash", "héllo 显卡", "$(reboot)`x`"],
)
def test_any_name_arrives_as_the_driver_gives_it(name: str) -> None:
    assert only(described(name=name, uuid=FIRST))["name"] == name


def test_a_name_that_is_not_utf8_arrives_with_the_mark_for_that() -> None:
    assert only(described(name=b"NVIDIA \xff\xfe X", uuid=FIRST))["name"] == "NVIDIA \ufffd\ufffd X"


def test_an_empty_name_is_unknown() -> None:
    assert only(described(name="", uuid=FIRST))["name"] is None


def test_every_capability_says_its_unit_or_is_a_count() -> None:
    counts = {"max_threads_per_block", "warp_size", "multiprocessors"}

    assert all(name in counts or name.endswith(("_khz", "_bits", "_bytes")) for name in card.NUMBERS)
