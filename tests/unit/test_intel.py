"""Intel cards by Linux's own files: what the survey reads, what it means, and what it adds to what libraries say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.facts import Host
from gpuprobe.judging.completion import completed
from gpuprobe.judging.rules import judge
from gpuprobe.machine import video_memory
from gpuprobe.machine.intel import views
from gpuprobe.model import Device, DeviceType, GiB, Request
from gpuprobe.render.machine_document import card_record
from gpuprobe.survey.host import read_host
from tests.file_trees import RTX_4090, machine
from tests.records import a_device, evidence_of

Files = Mapping[str, str]

PLACE, INTEGRATED = "0000:03:00.0", "0000:00:02.0"
DEVICES = "/sys/bus/pci/devices"
ARC = {**RTX_4090, "vendor": "0x8086\n", "device": "0x56a0\n", "driver": "xe", "drm": "card0 renderD128"}
TILE = {"tile0/physical_vram_size_bytes": f"{16 * GiB}\n", "tile0/gt0/freq0/rp0_freq": "2400\n"}
BARE_METAL = {"/proc/cpuinfo": "flags\t\t: fpu sse4_2 avx\n\n"}
IN_A_VM = {"/proc/cpuinfo": "flags\t\t: fpu sse4_2 hypervisor\n\n"}


def surveyed(root: Path, card: Files = {}, address: str = PLACE, files: Files = BARE_METAL) -> Host:  # noqa: B006
    return read_host(machine(root, files=files, pci={address: {**ARC, **card}}), {}, "linux", "x86_64")


def only(host: Host) -> Device:
    (view,) = views(host)
    return view


def test_a_card_of_xe_has_the_memory_of_its_tiles(tmp_path: Path) -> None:
    second = {"tile1/physical_vram_size_bytes": f"{16 * GiB}\n", "tile1/gt1/freq0/rp0_freq": "1800\n"}

    view = only(surveyed(tmp_path, {**TILE, **second}))

    assert (view.pci_id, view.type, view.total_memory) == (PLACE, DeviceType.DISCRETE, 32 * GiB)
    assert view.capabilities == {
        "tiles": 2,
        "max_clock_mhz": 2400,
        "render_node": "/dev/dri/renderD128",
        "kernel_driver": "xe",
    }


def test_a_card_of_i915_has_the_memory_that_some_kernels_tell(tmp_path: Path) -> None:
    files = {"drm/card0/lmem_total_bytes": f"{8 * GiB}\n", "drm/card0/gt/gt0/rps_RP0_freq_mhz": "2050\n"}

    view = only(surveyed(tmp_path, {**files, "driver": "i915"}))

    assert (view.type, view.total_memory, view.capabilities["max_clock_mhz"]) == (DeviceType.DISCRETE, 8 * GiB, 2050)


def test_what_the_kernel_does_not_tell_is_unknown_and_not_zero(tmp_path: Path) -> None:
    view = only(surveyed(tmp_path, {"driver": "i915"}))

    assert (view.type, view.total_memory, view.free_memory) == (DeviceType.UNKNOWN, None, None)
    assert view.capabilities == {"render_node": "/dev/dri/renderD128", "kernel_driver": "i915"}


@pytest.mark.parametrize("text", ["", "0\n", "rubbish\n", "-5\n", "9" * 30])
def test_a_size_that_is_none_is_unknown(tmp_path: Path, text: str) -> None:
    assert only(surveyed(tmp_path, {"tile0/physical_vram_size_bytes": text})).total_memory is None


@pytest.mark.parametrize(
    ("files", "kind"), [(BARE_METAL, DeviceType.INTEGRATED), (IN_A_VM, DeviceType.UNKNOWN), ({}, DeviceType.UNKNOWN)]
)
def test_the_address_of_integrated_graphics_tells_outside_virtual_machines_only(
    tmp_path: Path, files: dict[str, str], kind: DeviceType
) -> None:
    assert only(surveyed(tmp_path, address=INTEGRATED, files=files)).type is kind


def test_a_sleeping_card_is_not_asked_for_its_clock(tmp_path: Path) -> None:
    host = surveyed(tmp_path, {**TILE, "power/runtime_status": "suspended\n"})

    assert f"{DEVICES}/{PLACE}/tile0/physical_vram_size_bytes" in host.texts
    assert not any("freq" in path for path in host.texts)
    assert "max_clock_mhz" not in only(host).capabilities


def test_a_card_without_one_of_these_drivers_has_no_view(tmp_path: Path) -> None:
    assert views(surveyed(tmp_path, {**TILE, "driver": "vfio-pci"})) == ()


def test_a_level_zero_device_is_completed_by_its_own_card(tmp_path: Path) -> None:
    device = a_device("Level Zero", pci_id=PLACE, type=DeviceType.UNKNOWN, total_memory=None)

    (found,) = completed([device], evidence_of(device, host=surveyed(tmp_path, TILE)))

    assert (found.type, found.total_memory) == (DeviceType.DISCRETE, 16 * GiB)
    assert (found.capabilities["tiles"], found.capabilities["kernel_driver"]) == (1, "xe")
    assert {field: source for field, source in found.sources if field in ("type", "total_memory")} == {
        "type": "sysfs",
        "total_memory": "sysfs",
    }


def test_what_level_zero_says_itself_is_not_overwritten(tmp_path: Path) -> None:
    device = a_device("Level Zero", pci_id=PLACE, total_memory=15 * GiB)

    (found,) = completed([device], evidence_of(device, host=surveyed(tmp_path, TILE)))

    assert found.total_memory == 15 * GiB


def test_the_card_itself_says_its_memory_where_no_library_lists_it(tmp_path: Path) -> None:
    host = surveyed(tmp_path, TILE)
    (status,) = card_statuses(judge(evidence_of(host=host), Request()))

    record = card_record(status, host)

    assert record["video_memory_bytes"] == 16 * GiB
    assert record["kernel_driver"] == "xe"


@pytest.mark.parametrize("more", [{}, {"driver": "i915"}])
def test_a_card_whose_driver_says_no_memory_has_no_such_key(tmp_path: Path, more: dict[str, str]) -> None:
    host = surveyed(tmp_path, more, INTEGRATED)
    (status,) = card_statuses(judge(evidence_of(host=host), Request()))

    assert video_memory(host, INTEGRATED) is None
    assert "video_memory_bytes" not in card_record(status, host)
