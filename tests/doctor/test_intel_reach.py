"""Why Level Zero does not show an Intel card, and why no kernel driver has it."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Certainty, Severity
from gpuprobe.facts import Bar, FoundLibrary, Host, Reading
from gpuprobe.facts.system_facts import KernelModules
from gpuprobe.model import GiB, MiB
from tests.doctor.sick_machines import (
    UBUNTU,
    a_node,
    an_arc,
    causes,
    commands,
    findings,
    headline,
    knowing,
    level_zero_finds_nothing,
    passed,
    said,
    with_arc,
)
from tests.records import a_device, a_host

ADDRESS = "0000:03:00.0"
MEMORY = {f"/sys/bus/pci/devices/{ADDRESS}/tile0/physical_vram_size_bytes": Reading(str(12 * GiB))}
WARNING = f"WARNING: Resizable BAR not detected for device {ADDRESS}\n"


def driver_library(release: str = "1.15.38646") -> FoundLibrary:
    place = "/usr/lib/x86_64-linux-gnu"
    name = "libze_intel_gpu.so.1"
    return FoundLibrary(name, f"{place}/{name}", f"{place}/libze_intel_gpu.so.{release}", "default directory")


def window(size: int) -> tuple[Bar, ...]:
    return Bar(0, 0x6000000000, 16 * MiB), Bar(2, 0x4000000000, size)


def an_installed_arc(size: int | None = None, **fields: Any) -> Host:
    card = an_arc(bars=None if size is None else window(size), **fields.pop("card", {}))
    return with_arc(pci=(card,), libraries=(driver_library(),), texts=fields.pop("texts", MEMORY), **fields)


def test_a_window_of_256_mib_is_what_the_runtime_refuses() -> None:
    found = headline(findings(an_installed_arc(256 * MiB), level_zero_finds_nothing()))

    assert (found.id, found.certainty) == ("intel-small-bar", Certainty.CERTAIN)
    assert found.because == (
        "Intel's compute runtime refuses this card because Resizable BAR is off (its window is 256 MiB of 12.0 GiB)"
    )
    assert "Above 4G Decoding and Resizable BAR" in found.fix[0].text
    assert "Vulkan works without it" in found.fix[1].text


def test_the_runtimes_own_words_do_where_no_window_was_read() -> None:
    found = headline(findings(an_installed_arc(), level_zero_finds_nothing(WARNING)))

    assert (found.id, found.evidence[0].what) == ("intel-small-bar", WARNING.strip())


def test_a_card_that_works_through_vulkan_is_degraded() -> None:
    view = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x8086)
    host = an_installed_arc(256 * MiB)

    found = findings(host, level_zero_finds_nothing(WARNING), passed(view), devices=(view,))

    assert [(each.id, each.severity) for each in found] == [("intel-small-bar", Severity.DEGRADED)]


@pytest.mark.parametrize("size", [16 * GiB, 512 * MiB])
def test_a_large_window_is_not_blamed(size: int) -> None:
    assert causes(findings(an_installed_arc(size), level_zero_finds_nothing())) == []


def test_words_about_another_card_are_not_this_ones() -> None:
    other = WARNING.replace("03:00", "09:00")

    assert causes(findings(an_installed_arc(), level_zero_finds_nothing(other))) == []


def test_a_loader_without_a_driver_library_lacks_that() -> None:
    found = headline(findings(with_arc(), level_zero_finds_nothing()))

    assert (found.id, commands(found)) == (
        "intel-l0-driver-missing",
        "sudo apt install libze1 libze-intel-gpu1 intel-opencl-icd",
    )


def test_a_mask_of_the_users_explains_it_before_anything_that_is_not_installed() -> None:
    host = with_arc(environ={"ZE_AFFINITY_MASK": "7"})

    assert causes(findings(host, level_zero_finds_nothing())) == []


def test_a_node_that_may_not_be_opened_is_the_cause() -> None:
    host = with_arc(nodes=(a_node(accessible=False),), gids=(1000,))

    assert causes(findings(host, level_zero_finds_nothing())) == ["dri-render-permission"]


def test_graphics_before_tiger_lake_were_dropped_by_todays_runtime() -> None:
    card = {"device": 0x5916, "driver": "i915"}

    found = headline(findings(an_installed_arc(card=card, texts=UBUNTU), level_zero_finds_nothing()))

    assert found.id == "intel-platform-legacy"
    assert found.because == "the compute runtime 38646 that is installed starts with Tiger Lake, and these graphics are older"


@pytest.mark.parametrize("release", ["1.6.30872", "1.3.27642"])
def test_a_runtime_that_still_drives_them_did_not_drop_them(release: str) -> None:
    host = with_arc(pci=(an_arc(device=0x5916, driver="i915"),), libraries=(driver_library(release),))

    assert causes(findings(host, level_zero_finds_nothing())) == []


def test_a_runtime_from_before_xe_is_likely_too_old_for_it() -> None:
    host = with_arc(libraries=(driver_library("1.3.27642"),))

    found = headline(findings(host, level_zero_finds_nothing()))

    assert (found.id, found.certainty) == ("intel-xe-runtime-mismatch", Certainty.LIKELY)
    on_i915 = with_arc(pci=(an_arc(driver="i915"),), libraries=(driver_library("1.3.27642"),))
    assert causes(findings(on_i915, level_zero_finds_nothing())) == []


KERNEL = "6.1.0-18-amd64"
DRIVERS = (KernelModules(KERNEL, ("kernel/drivers/gpu/drm/xe/xe.ko", "kernel/drivers/gpu/drm/i915/i915.ko"), ()),)


def unbound(**fields: Any) -> Host:
    return knowing(a_host(pci=(an_arc(driver=None, drm=()),), texts=UBUNTU), **fields)


FORCE = (
    "xe 0000:03:00.0: Your graphics device e20b is not officially supported by xe driver in this kernel version. "
    "To force Xe probe, use xe.force_probe='e20b'"
)


def test_a_chip_behind_force_probe_needs_a_newer_kernel() -> None:
    found = headline(findings(unbound(log=said(FORCE))))

    assert (found.id, found.certainty) == ("intel-kernel-too-old", Certainty.CERTAIN)
    assert "linux-generic-hwe-24.04" in found.fix[0].text
    assert "xe.force_probe=e20b" in found.fix[1].text


def test_a_chip_that_no_module_names_is_newer_than_the_kernel() -> None:
    assert headline(findings(unbound(modules=DRIVERS, claims={ADDRESS: ()}))).id == "intel-kernel-too-old"


def test_a_module_that_is_for_the_card_is_loaded() -> None:
    host = unbound(modules=DRIVERS, claims={ADDRESS: ("xe",)})
    host = host._replace(texts={**host.texts, "/sys/module/xe/initstate": Reading(None, "absent")})

    found = headline(findings(host))

    assert (found.id, commands(found)) == ("intel-driver-not-loaded", "sudo modprobe xe")


def test_firmware_of_the_scheduler_that_is_missing_is_told() -> None:
    line = "xe 0000:03:00.0: [drm] *ERROR* GT0: GuC firmware xe/bmg_guc_70.bin: fetch failed with error -2"
    host = knowing(with_arc(), log=said(line))

    found = headline(findings(host, level_zero_finds_nothing()))

    assert (found.id, commands(found)) == (
        "intel-guc-firmware-missing",
        "sudo apt install linux-firmware; sudo update-initramfs -u; sudo reboot",
    )


def test_firmware_of_another_card_is_none_of_this_ones() -> None:
    line = "xe 0000:09:00.0: [drm] *ERROR* GT0: GuC firmware xe/bmg_guc_70.bin: fetch failed with error -2"

    assert "intel-guc-firmware-missing" not in causes(findings(knowing(with_arc(), log=said(line)), level_zero_finds_nothing()))
