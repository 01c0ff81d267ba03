"""Numbers of chips and releases in what is told of an Intel card: at the limit and beside it, with and without."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.facts import FoundLibrary, Host, PciFunction, Reading
from gpuprobe.facts.system_facts import KernelModules
from gpuprobe.model import MiB
from tests.doctor.sick_machines import (
    ADDRESS,
    UBUNTU,
    a_node,
    a_radeon,
    an_arc,
    causes,
    findings,
    knowing,
    level_zero_finds_nothing,
    passed,
    said,
    with_arc,
)
from tests.doctor.test_intel_reach import MEMORY, driver_library, window
from tests.records import a_device, a_host


def finding(found: Any, slug: str) -> Any:
    return next((each for each in found if each.id == slug), None)


@pytest.mark.parametrize(
    ("device", "is_old"),
    [
        *((device, True) for device in (0x1602, 0x163F, 0x1902, 0x193F, 0x5902, 0x5927, 0x3E90, 0x3EA9, 0x9B21, 0x9BF6)),
        *(
            (device, True)
            for device in (0x5A84, 0x5A85, 0x3184, 0x3185, 0x87C0, 0x87CA, 0x8A50, 0x8A71, 0x4541, 0x4571, 0x4E51)
        ),
        *(
            (device, False)
            for device in (0x1601, 0x1640, 0x1901, 0x1940, 0x5901, 0x5928, 0x3EAA, 0x9BF7, 0x5A86, 0x4E72, 0x9A49)
        ),
    ],
)
def test_graphics_that_the_runtime_dropped_are_told_by_the_device_id(device: int, is_old: bool) -> None:
    host = with_arc(pci=(an_arc(device=device, driver="i915"),), libraries=(driver_library(),))

    assert ("intel-platform-legacy" in causes(findings(host, level_zero_finds_nothing()))) is is_old


@pytest.mark.parametrize(("release", "is_old"), [("1.3.29734", True), ("1.3.29735", False), ("1.3.x", False)])
def test_the_first_runtime_for_xe_is_told_by_its_number(release: str, is_old: bool) -> None:
    found = causes(findings(with_arc(libraries=(driver_library(release),)), level_zero_finds_nothing()))

    assert ("intel-xe-runtime-mismatch" in found) is is_old


def test_a_runtime_in_a_known_place_is_not_one_that_the_loader_finds() -> None:
    library = driver_library()._replace(where="known place")

    assert "intel-l0-driver-missing" in causes(findings(with_arc(libraries=(library,)), level_zero_finds_nothing()))


@pytest.mark.parametrize("installed", [(), (driver_library("1.3.x"),), (driver_library("1.6.30873"),)])
def test_old_graphics_without_a_runtime_are_told_todays(installed: tuple[FoundLibrary, ...]) -> None:
    host = with_arc(pci=(an_arc(device=0x5916, driver="i915"),), libraries=installed)
    found = finding(findings(host, level_zero_finds_nothing()), "intel-platform-legacy")

    assert (found is None) is (bool(installed) and installed[0].real_path.endswith("x"))


def test_the_legacy_runtime_serves_old_graphics() -> None:
    legacy = FoundLibrary("libze_intel_gpu_legacy1.so.1", "/usr/lib/l.so.1", "/usr/lib/l.so.1.6.32224", "default directory")
    host = with_arc(pci=(an_arc(device=0x5916, driver="i915"),), libraries=(legacy,))

    assert causes(findings(host, level_zero_finds_nothing())) == []


@pytest.mark.parametrize("driver", ["xe", "i915"])
@pytest.mark.parametrize("files", [MEMORY, UBUNTU])
def test_a_small_window_counts_under_xe_where_the_memory_is_known(driver: str, files: dict[str, Reading]) -> None:
    card = an_arc(driver=driver, bars=window(256 * MiB))
    host = with_arc(pci=(card,), libraries=(driver_library(),), texts=files)

    assert ("intel-small-bar" in causes(findings(host, level_zero_finds_nothing()))) is (driver == "xe" and files is MEMORY)


def unbound_arc(release: str = "VERSION_ID=24.04", **fields: Any) -> Host:
    files = {"/etc/os-release": Reading(f"ID=ubuntu\n{release}\n"), "/sys/module/xe/initstate": Reading(None, "absent")}
    return knowing(a_host(pci=(an_arc(driver=None, drm=()),), texts=files), **fields)


FORCE = "Your graphics device {} is not properly supported by i915 in this kernel version."


@pytest.mark.parametrize(("named", "is_mine"), [("e20b", True), ("7d55", False)])
@pytest.mark.parametrize("release", ["VERSION_ID=22.04", ""])
def test_the_kernel_names_the_chip_that_it_does_not_take(named: str, is_mine: bool, release: str) -> None:
    found = finding(findings(unbound_arc(release, log=said(f"i915: {FORCE.format(named)}"))), "intel-kernel-too-old")

    assert (found is not None) is is_mine
    assert found is None or f"linux-generic-hwe-{release[11:] or '24.04'}" in found.fix[0].text


@pytest.mark.parametrize("claims", [None, (), ("xe",), ("snd_hda_intel",)])
@pytest.mark.parametrize("files", [("kernel/drivers/gpu/drm/xe/xe.ko",), ("kernel/net/e1000.ko",)])
def test_a_kernel_with_the_drivers_that_claims_nothing_is_too_old(
    claims: tuple[str, ...] | None, files: tuple[str, ...]
) -> None:
    modules = (KernelModules("6.1.0-18-amd64", files, ()),)
    known: dict[str, Any] = {} if claims is None else {"claims": {ADDRESS: claims}}
    found = causes(findings(unbound_arc(modules=modules, **known)))

    assert ("intel-kernel-too-old" in found) is (claims == () and "xe.ko" in files[0])
    assert ("intel-driver-not-loaded" in found) is (claims == ("xe",))


@pytest.mark.parametrize("value", ["opencl:cpu", "", "!level_zero:0", "*:gpu", "LEVEL_ZERO:0"])
@pytest.mark.parametrize("name", ["ONEAPI_DEVICE_SELECTOR", "SYCL_DEVICE_FILTER"])
@pytest.mark.parametrize("card", [an_arc(), a_radeon()], ids=("Intel", "AMD"))
def test_what_a_selector_of_sycls_leaves_is_told_of_intels_cards(card: PciFunction, name: str, value: str) -> None:
    view = a_device("Vulkan", pci_id=ADDRESS, vendor_id=card.vendor)
    host = a_host(pci=(card,), nodes=(a_node(),), gids=(992,), environ={name: value}, texts=UBUNTU)

    hides = value in ("opencl:cpu", "", "!level_zero:0") and card.driver == "xe"
    assert ("env-intel-selectors" in causes(findings(host, passed(view), devices=(view,)))) is hides
