"""The NVML backend in a real child: the real binding `pynvml` over a double of NVIDIA's management library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pynvml
import pytest

from tests.backends.talk import Talk, request, talk
from tests.doubles import described, nvml_driver, script

BINDING = str(Path(pynvml.__file__).parent)
FIRST = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
SECOND = "GPU-11111111-2222-3333-4444-555555555555"
SLICES = "MIG-7a3b0c2d-1111-5222-8333-444455556666", "MIG-7a3b0c2d-1111-5222-8333-777788889999"
TWO = (
    described(name="NVIDIA GeForce RTX 4090", uuid=FIRST, pci="0000:41:00.0", memory=24 << 30, free=20 << 30, cc="8.9"),
    described(name="NVIDIA H100 80GB HBM3", uuid=SECOND, pci="0000:01:00.0", memory=80 << 30, cc="9.0", id=0x233010DE, ecc=1),
)
CUT = (
    described(name="NVIDIA A100", uuid=FIRST, pci="0000:07:00.0", memory=40 << 30, cc="8.0", mig=1),
    described("slice", name="NVIDIA A100 MIG 1g.5gb", uuid=SLICES[0], memory=5 << 30, free=4 << 30),
    described("slice", name="NVIDIA A100 MIG 2g.10gb", uuid=SLICES[1], memory=10 << 30),
    described(name="NVIDIA A100", uuid=SECOND, pci="0000:0b:00.0", memory=40 << 30, cc="8.0", mig=0),
)


def listed(*lines: str, library: Path | None = None, paths: tuple[str, ...] = (BINDING,), **environ: str) -> Talk:
    asked = request(library or nvml_driver(), "nvml", paths=list(paths))
    return talk(asked, {"FAKE_NVML": script(*lines), **environ})


def only(*lines: str, library: Path | None = None) -> dict[str, Any]:
    (device,) = listed(*lines, library=library).devices
    return device


def test_every_field_of_a_card_comes_from_the_library() -> None:
    answer = listed(*TWO)

    assert answer.devices[0] == {
        "number": 0,
        "name": "NVIDIA H100 80GB HBM3",
        "uuid": SECOND,
        "uuid_space": "nvidia",
        "vendor_id": 0x10DE,
        "device_id": 0x2330,
        "pci_id": "0000:01:00.0",
        "compute_major": 9,
        "compute_minor": 0,
        "total_memory": 80 << 30,
        "free_memory": 80 << 30,
        "used_memory": 0,
        "kernel_version": "580.95.05",
        "capabilities": {"compute_mode": "default", "ecc_enabled": True, "mig_enabled": None},
    }
    assert answer.is_done


def test_used_memory_is_what_is_not_free() -> None:
    card = only(TWO[0])

    assert (card["total_memory"], card["free_memory"], card["used_memory"]) == (24 << 30, 20 << 30, 4 << 30)


def test_the_library_tells_the_versions_of_the_driver() -> None:
    facts = listed("kernel 535.261.03", "nvml 12.535.261.03", "cuda 12020", *TWO).facts

    assert facts == {"driver_version": "535.261.03", "nvml_version": "12.535.261.03", "cuda_version": "12.2"}


def test_variables_that_hide_a_card_from_cuda_hide_none_here() -> None:
    assert len(listed(*TWO, CUDA_VISIBLE_DEVICES="-1").devices) == 2


def test_a_wide_pci_domain_keeps_its_digits() -> None:
    assert only(described(uuid=FIRST, pci="10000:C1:00.0"))["pci_id"] == "10000:c1:00.0"


def test_mig_instances_are_devices_with_a_parent_and_their_own_memory() -> None:
    answer = listed(*CUT)

    slices = [device for device in answer.devices if device.get("partition")]
    assert [device["uuid"] for device in slices] == list(SLICES)
    assert {device["partition"]["parent"] for device in slices} == {FIRST}
    assert [device["total_memory"] for device in slices] == [5 << 30, 10 << 30]
    assert [device["used_memory"] for device in slices] == [1 << 30, 0]
    assert {device["pci_id"] for device in slices} == {"0000:07:00.0"}
    assert [device["capabilities"]["gpu_instance"] for device in slices] == [1, 2]


def test_every_device_has_a_number_of_its_own_and_cards_come_first() -> None:
    numbers = {device["uuid"]: device["number"] for device in listed(*CUT).devices}

    assert numbers == {FIRST: 0, SECOND: 1, SLICES[0]: 2, SLICES[1]: 3}


def test_whole_cards_say_whether_mig_is_on() -> None:
    modes = {device["uuid"]: device["capabilities"].get("mig_enabled") for device in listed(*CUT).devices}

    assert (modes[FIRST], modes[SECOND]) == (True, False)


def test_a_lost_card_keeps_its_number_and_hides_no_other() -> None:
    lost = described(uuid=FIRST, pci="0000:01:00.0", lost=1)

    first, second = listed(lost, described(uuid=SECOND, pci="0000:02:00.0")).devices

    assert (first["number"], first["problems"]) == (0, {"handle": "NVML_ERROR_GPU_IS_LOST (15)"})
    assert second["uuid"] == SECOND


def test_what_a_card_does_not_support_is_unknown_without_a_problem() -> None:
    card = only(described(name="NVIDIA GB10", uuid=FIRST, pci="000f:01:00.0", memory="none"))

    assert (card["total_memory"], card["free_memory"], card["used_memory"]) == (None, None, None)
    assert card["capabilities"]["ecc_enabled"] is None
    assert "problems" not in card


def test_an_older_library_tells_its_memory_by_the_first_form_of_the_call() -> None:
    card = only(TWO[0], library=nvml_driver("WITHOUT_MEMORY_V2"))

    assert card["total_memory"] == 24 << 30


@pytest.mark.parametrize(
    ("function", "field"),
    [("nvmlDeviceGetName", "name"), ("nvmlDeviceGetUUID", "uuid"), ("nvmlDeviceGetPciInfo_v3", "pci_id")],
)
def test_a_minor_call_that_fails_leaves_its_field_unknown_and_says_why(function: str, field: str) -> None:
    card = only(TWO[0], f"error {function} 999")

    assert card[field] is None
    assert card["problems"] == {field: "NVML_ERROR_UNKNOWN (999)"}


def test_memory_that_cannot_be_told_says_why() -> None:
    card = only(TWO[0], "error nvmlDeviceGetMemoryInfo_v2 999", "error nvmlDeviceGetMemoryInfo 15")

    assert card["total_memory"] is None
    assert card["problems"] == {"total_memory": "NVML_ERROR_GPU_IS_LOST (15)"}


def test_success_without_an_answer_is_unknown_and_not_zero() -> None:
    card = only(TWO[0], "silent nvmlDeviceGetMemoryInfo_v2", "silent nvmlDeviceGetCudaComputeCapability")

    assert (card["total_memory"], card["free_memory"], card["compute_major"]) == (None, None, None)


@pytest.mark.parametrize(
    ("code", "status", "name", "meaning"),
    [
        (9, "init_failed", "NVML_ERROR_DRIVER_NOT_LOADED", "does not answer"),
        (18, "init_failed", "NVML_ERROR_LIB_RM_VERSION_MISMATCH", "different versions"),
        (15, "init_failed", "NVML_ERROR_GPU_IS_LOST", "fallen off the bus"),
        (4, "init_failed", "NVML_ERROR_NO_PERMISSION", "may not open"),
        (8, "init_failed", "NVML_ERROR_INSUFFICIENT_POWER", "lacks power"),
        (12, "not_loadable", "NVML_ERROR_LIBRARY_NOT_FOUND", "not there"),
        (999, "init_failed", "NVML_ERROR_UNKNOWN", "no reason"),
    ],
)
def test_a_library_that_does_not_start_is_named_with_what_its_number_means(
    code: int, status: str, name: str, meaning: str
) -> None:
    failed = listed(*TWO, f"error nvmlInitWithFlags {code}").failed

    assert failed is not None
    assert (failed["status"], failed["code"], failed["name"]) == (status, code, name)
    assert meaning in failed["message"]


def test_a_number_that_the_binding_does_not_know_is_told_as_a_number() -> None:
    failed = listed(*TWO, "error nvmlInitWithFlags 4711").failed

    assert failed is not None
    assert (failed["status"], failed["code"], failed["name"]) == ("init_failed", 4711, None)


def test_without_the_count_the_listing_fails() -> None:
    failed = listed(*TWO, "error nvmlDeviceGetCount_v2 999").failed

    assert failed is not None
    assert (failed["status"], failed["name"]) == ("call_failed", "NVML_ERROR_UNKNOWN")


def test_a_driver_that_could_start_no_card_has_no_devices() -> None:
    failed = listed("kernel 580.95.05").failed

    assert failed is not None
    assert (failed["status"], failed["code"]) == ("no_devices", None)


def test_a_crash_is_seen_at_the_call_that_was_made() -> None:
    answer = listed(*TWO, "crash nvmlDeviceGetUUID@2")

    assert (answer.exit_code, answer.calls[-1]) == (-11, "nvmlDeviceGetUUID")
    assert [device["uuid"] for device in answer.devices] == [SECOND]


@pytest.mark.parametrize("name", ['a "quoted" name', "escape \x1b[31m", "two\nlines", "héllo 显卡"])
def test_any_name_arrives_as_the_library_gives_it(name: str) -> None:
    assert only(described(name=name, uuid=FIRST))["name"] == name


def test_a_name_that_is_not_utf8_arrives_with_the_mark_for_that() -> None:
    assert only(described(name=b"NVIDIA \xff X", uuid=FIRST))["name"] == "NVIDIA \ufffd X"


def test_the_binding_uses_the_candidate_and_not_a_library_of_the_system() -> None:
    answer = listed(*TWO)

    assert answer.all("loaded") == [str(nvml_driver().resolve())]
    assert answer.facts["driver_version"] == "580.95.05"


def test_a_library_that_is_not_there_is_told_in_the_loaders_words() -> None:
    failed = talk(request("libnvidia-ml-of-nobody.so.1", "nvml", paths=[BINDING])).failed

    assert failed is not None
    assert failed["status"] == "not_loadable"
    assert "cannot open shared object file" in failed["message"]


def test_without_the_binding_nothing_is_loaded_and_its_distribution_is_named(tmp_path: Path) -> None:
    failed = listed(*TWO, paths=(str(tmp_path),)).failed

    assert failed is not None
    assert failed["status"] == "not_loadable"
    assert str(tmp_path) in failed["message"]
    assert "nvidia-ml-py" in failed["message"]


def test_a_damaged_binding_is_told_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text("raise KeyError('libnvidia')\n")

    failed = listed(*TWO, paths=(str(tmp_path),)).failed

    assert failed is not None
    assert failed["status"] == "not_loadable"
    assert "KeyError: 'libnvidia'" in failed["message"]


DOING = {"busy": 37, "memory_busy": 12, "heat": 61, "watts": 215.5, "limit": 450, "clock": 2520, "memory_clock": 10501}


def doing(*lines: str, **keys: object) -> dict[str, Any]:
    """What a child that stays is told of one card; by hand, so that it ends with its request."""
    card = described(name="NVIDIA H100", uuid=FIRST, pci="0000:01:00.0", **keys)
    asked = request(nvml_driver(), "nvml", paths=[BINDING], repeat=True)
    (device,) = talk(asked, {"FAKE_NVML": script(card, *lines)}, mark=False).devices
    return device


def test_a_child_that_stays_is_told_what_a_card_is_doing() -> None:
    activity = doing(**DOING, held_back="0x1ff", processes="99:300,7:none,4711:12000")["capabilities"]["activity"]

    assert activity["throttle_reasons"][0] == "application_clocks"
    assert len(activity["throttle_reasons"]) == 8
    assert [(each["pid"], each["used_memory_bytes"]) for each in activity["processes"]] == [
        (7, None),
        (99, 300 << 20),
        (4711, 12000 << 20),
    ]
    assert (activity["utilization_percent"], activity["power_watts"], activity["clock_mhz"]) == (37, 215.5, 2520)


def test_an_idle_card_is_held_back_by_nothing_and_one_without_users_has_none() -> None:
    activity = doing(**DOING, held_back="0x1", processes="")["capabilities"]["activity"]

    assert (activity["throttle_reasons"], activity["processes"]) == ([], [])


def test_what_a_card_cannot_tell_of_its_doing_is_unknown_and_what_fails_says_why() -> None:
    device = doing("error nvmlDeviceGetTemperature 999", **{**DOING, "busy": 4_000_000})

    activity = device["capabilities"]["activity"]
    assert (activity["temperature_celsius"], activity["utilization_percent"], activity["processes"]) == (None, None, None)
    assert device["problems"] == {"temperature": "NVML_ERROR_UNKNOWN (999)"}


def users_of_slices(card: str, *slices: str) -> dict[str, Any]:
    cut = [f"{line} processes={said}" if said else line for line, said in zip(CUT, (card, *slices), strict=False)]
    asked = request(nvml_driver(), "nvml", paths=[BINDING], repeat=True)
    devices = talk(asked, {"FAKE_NVML": script(*cut)}, mark=False).devices
    told = {device["uuid"]: device["capabilities"]["activity"]["processes"] for device in devices}
    return {uuid: users and [(each["pid"], each["used_memory_bytes"]) for each in users] for uuid, users in told.items()}


def test_who_uses_a_slice_is_told_of_the_slice() -> None:
    users = users_of_slices("42:3000,43:100", "42:3000", '""')

    assert users == {FIRST: [(42, 3000 << 20), (43, 100 << 20)], SLICES[0]: [(42, 3000 << 20)], SLICES[1]: []}


def test_a_slice_that_names_nobody_is_not_empty_where_the_card_tells_of_no_processes() -> None:
    """NVML tells the processes of a card with slices only to whom it trusts."""
    assert users_of_slices("", "42:3000", '""') == {FIRST: None, SLICES[0]: [(42, 3000 << 20)], SLICES[1]: None}


SELDOM = (
    *("nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID"),
    *("nvmlDeviceGetComputeMode", "nvmlDeviceGetEccMode", "nvmlDeviceGetMigMode"),
)
READING_AT_TIMES = """
import json, sys
from types import SimpleNamespace
from gpuprobe.backends.nvml import listing

library, kept = listing.load([sys.argv[1]], sys.argv[2:]), {}
for moment in (0.0, 1.0, 9.9, 10.1, 11.0):
    listing.time = SimpleNamespace(monotonic=lambda: moment)
    calls = []
    (line,) = listing.readings(library, calls.append, lambda facts: None, kept)
    print(json.dumps([calls, line["capabilities"]]))
"""


def test_who_a_card_is_and_its_modes_are_asked_every_ten_seconds_and_what_it_does_each_time() -> None:
    card = described(name="NVIDIA H100", uuid=FIRST, pci="0000:01:00.0", **DOING)
    command = [sys.executable, "-c", READING_AT_TIMES, str(nvml_driver()), BINDING]
    ran = subprocess.run(command, env={**os.environ, "FAKE_NVML": script(card)}, capture_output=True, text=True, check=True)

    said = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [[call in calls for call in SELDOM] for calls, _ in said] == [
        [is_asked] * 5 for is_asked in (True, False, False, True, False)
    ]
    assert ["compute_mode" in told for _, told in said] == [True, False, False, True, False]
    assert all("nvmlDeviceGetMemoryInfo_v2" in calls and told["activity"]["utilization_percent"] == 37 for calls, told in said)


def test_a_lost_card_is_doing_nothing_that_is_known() -> None:
    assert "capabilities" not in doing(lost=1)


def test_a_child_that_answers_once_does_not_ask_what_a_card_is_doing() -> None:
    answer = listed(described(uuid=FIRST, pci="0000:01:00.0", **DOING))

    assert "activity" not in answer.devices[0]["capabilities"]
    assert not any("Utilization" in step for step in answer.calls)
