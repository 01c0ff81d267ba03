"""Why `amdgpu` does not drive a card, or ROCm not through it."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Certainty, Severity
from gpuprobe.facts import Host, Reading
from gpuprobe.facts.system_facts import DkmsModule, KernelModules, Package, SystemFacts
from gpuprobe.model import Outcome, Probe, Purpose, Status
from tests.doctor.sick_machines import (
    FEDORA,
    UBUNTU,
    a_radeon,
    causes,
    commands,
    findings,
    headline,
    kfd_nodes,
    knowing,
    passed,
    rocm_finds_nothing,
    said,
    with_radeon,
)
from tests.records import a_device, a_host

ADDRESS = "0000:03:00.0"
ABSENT = {"/sys/module/amdgpu/initstate": Reading(None, "absent")}
KERNEL = "6.1.0-18-amd64"
NO_FIRMWARE = f"amdgpu {ADDRESS}: Direct firmware load for amdgpu/gc_12_0_1_pfp.bin failed with error -2"
FATAL = f"amdgpu {ADDRESS}: Fatal error during GPU init"


def unbound(texts: dict[str, Reading] | None = None, **fields: Any) -> Host:
    """No driver is bound, so there is no node either."""
    host = a_host(pci=(a_radeon(driver=None, drm=()),), texts={**UBUNTU, **ABSENT, **(texts or {})})
    return host._replace(system=SystemFacts(**fields)) if fields else host


def on_disk(*files: str) -> tuple[KernelModules, ...]:
    return (KernelModules(KERNEL, files, ()),)


AMDGPU = on_disk("kernel/drivers/gpu/drm/amd/amdgpu/amdgpu.ko.zst")


def test_a_module_that_is_not_loaded_is_loaded() -> None:
    found = headline(findings(unbound(modules=AMDGPU)))

    assert (found.id, commands(found)) == ("amd-amdgpu-not-loaded", "sudo modprobe amdgpu; sudo dmesg | grep -i amdgpu")


def test_a_loaded_module_is_not_told_to_be_loaded() -> None:
    host = unbound({"/sys/module/amdgpu/initstate": Reading("live\n")})

    assert causes(findings(host)) == []


def test_a_forbidden_module_is_told_with_the_line_that_forbids_it() -> None:
    files = {"/etc/modprobe.d/vfio.conf": Reading("blacklist amdgpu\n")}

    found = headline(findings(unbound(modules=AMDGPU, files=files)))

    assert (
        found.because == "`blacklist amdgpu` in `/etc/modprobe.d/vfio.conf` forbids loading `amdgpu`, the card's kernel driver"
    )
    assert commands(found) == "sudo update-initramfs -u; sudo reboot"


def test_a_kernel_for_clouds_lacks_the_module() -> None:
    found = headline(findings(unbound(modules=on_disk("kernel/net/e1000.ko"))))

    assert "linux-modules-extra-$(uname -r)" in commands(found)


def test_a_kernel_that_does_not_know_the_chip_is_too_old() -> None:
    found = headline(findings(unbound(modules=AMDGPU, claims={ADDRESS: ()})))

    assert (found.id, found.certainty) == ("amd-kernel-too-old", Certainty.CERTAIN)
    assert KERNEL in found.because


def test_a_kernel_that_knows_the_chip_is_not_too_old() -> None:
    assert causes(findings(unbound(modules=AMDGPU, claims={ADDRESS: ("amdgpu",)}))) == ["amd-amdgpu-not-loaded"]


def test_firmware_that_is_missing_and_a_driver_that_gave_up_belong_together() -> None:
    host = unbound({"/sys/module/amdgpu/initstate": Reading("live\n"), **FEDORA}, log=said(NO_FIRMWARE, FATAL))

    found = headline(findings(host))

    assert found.id == "amd-firmware-missing"
    assert "`amdgpu/gc_12_0_1_pfp.bin`" in found.because
    assert commands(found) == "sudo dnf install amd-gpu-firmware; sudo dracut --force; sudo reboot"


@pytest.mark.parametrize("lines", [(NO_FIRMWARE,), (FATAL,), (NO_FIRMWARE.replace("03:00", "09:00"), FATAL)])
def test_a_missing_file_alone_or_of_another_card_is_harmless(lines: tuple[str, ...]) -> None:
    host = unbound({"/sys/module/amdgpu/initstate": Reading("live\n")}, log=said(*lines))

    assert causes(findings(host)) == []


@pytest.mark.parametrize(("device", "family"), [(0x6798, "si"), (0x67B0, "cik")])
def test_an_old_card_on_radeon_is_moved_to_amdgpu(device: int, family: str) -> None:
    host = a_host(pci=(a_radeon(driver="radeon", device=device),), texts=UBUNTU)

    found = headline(findings(host))

    assert found.id == "amd-radeon-bound"
    assert f"radeon.{family}_support=0 amdgpu.{family}_support=1" in found.fix[0].text


def test_a_card_that_works_is_left_on_the_driver_that_it_has() -> None:
    view = a_device("Vulkan", pci_id=ADDRESS)
    host = a_host(pci=(a_radeon(driver="radeon", device=0x6798),), texts=UBUNTU)

    found = findings(host, passed(view), devices=(view,))

    assert "amd-radeon-bound" not in causes(found)


def test_a_card_that_amdgpu_was_never_made_for_is_left_on_radeon() -> None:
    found = headline(findings(a_host(pci=(a_radeon(driver="radeon", device=0x68B8),), texts=UBUNTU)))

    assert found.fix == ()
    assert "not made for a card this old" in found.because


def test_nomodeset_keeps_the_driver_away_and_is_taken_out() -> None:
    found = findings(unbound({"/proc/cmdline": Reading("nomodeset")}))

    assert causes(found) == ["nomodeset"]
    assert "take `nomodeset` out of" in headline(found).fix[0].text
    assert headline(found).fix[0].command == "sudo update-grub"


def test_nomodeset_on_a_driven_card_keeps_nothing_away() -> None:
    assert causes(findings(with_radeon(texts={"/proc/cmdline": Reading("nomodeset")}))) == []


def lost_in_time() -> Outcome:
    return Outcome(Probe("ROCm", Purpose.LIST), Status.TIMED_OUT, seconds=30.0, message="no answer within 30 s")


def test_rocm_that_hangs_on_an_older_kernel_driver_is_likely_too_new_for_it() -> None:
    host = with_radeon(texts={"/sys/module/amdgpu/version": Reading("6.8.5")})

    found = headline(findings(host, lost_in_time()))

    assert (found.id, found.certainty) == ("amd-rocm-kmd-too-old", Certainty.LIKELY)
    assert found.fix[0].needs_reboot


def test_a_page_fault_in_the_log_makes_it_certain() -> None:
    host = with_radeon(texts={"/sys/module/amdgpu/version": Reading("6.8.5")})
    host = knowing(host, log=said("amdgpu 0000:03:00.0: GCVM_L2_PROTECTION_FAULT_STATUS:0x00701431"))

    found = headline(findings(host, lost_in_time()))

    assert found.certainty is Certainty.CERTAIN
    assert [each.where for each in found.evidence] == ["/sys/module/amdgpu/version", "kernel log"]


def test_rocm_that_hangs_on_a_new_kernel_driver_hangs_for_another_reason() -> None:
    assert causes(findings(with_radeon(), lost_in_time())) == []


def test_a_driver_of_amds_that_is_not_built_for_this_kernel_is_degraded_where_vulkan_works() -> None:
    view = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x1002)
    host = knowing(with_radeon(), dkms=(DkmsModule("amdgpu", "6.12.12", ("6.1.0-17-amd64",)),))
    lost = Outcome(Probe("ROCm", Purpose.LIST), Status.NO_DEVICES, code=100, message="none", seconds=0.1)

    found = findings(host, lost, passed(view), devices=(view,))

    assert ("amd-dkms-build-failed", Severity.DEGRADED) in [(each.id, each.severity) for each in found]


def test_a_driver_of_amds_that_is_built_is_no_fault() -> None:
    host = knowing(with_radeon(), dkms=(DkmsModule("amdgpu", "6.12.12", (KERNEL,)),))

    assert causes(findings(host, rocm_finds_nothing())) == []


def test_two_cards_that_hang_rocm_may_want_the_iommu_in_passthrough() -> None:
    second = a_radeon("0000:09:00.0", drm=("card1", "renderD129"))
    host = with_radeon(pci=(a_radeon(), second), texts={"/proc/cmdline": Reading("quiet")})

    assert headline(findings(host, lost_in_time())).id == "amd-iommu-multigpu-hang"
    alone = with_radeon(texts={"/proc/cmdline": Reading("quiet")})
    assert causes(findings(alone, lost_in_time())) == []
    passing = host._replace(texts={**host.texts, "/proc/cmdline": Reading("iommu=pt")})
    assert causes(findings(passing, lost_in_time())) == []


NO_SPACE = f"amdgpu {ADDRESS}: BAR 0: no space for [mem size 0x400000000 64bit pref]"
FAULT = "amdgpu 0000:03:00.0: amdgpu: [gfxhub] page fault (src_id:0 ring:24 vmid:8 pasid:32770)"


def test_a_window_without_addresses_is_the_cause_where_the_driver_gave_up() -> None:
    loaded = {"/sys/module/amdgpu/initstate": Reading("live\n")}

    assert headline(findings(unbound(loaded, log=said(NO_SPACE, FATAL)))).id == "pci-bar-no-space-amd"
    assert causes(findings(unbound(loaded, log=said(NO_SPACE)))) == []
    assert causes(findings(knowing(with_radeon(), log=said(NO_SPACE, FATAL)))) == []


@pytest.mark.parametrize(("gfx", "named"), [(110501, True), (110000, False)])
def test_page_faults_on_a_chip_of_rdna_3_5_are_likely_its_firmwares(gfx: int, named: bool) -> None:
    view = a_device("ROCm", pci_id=ADDRESS, gfx_target="gfx1151")
    package = (Package("linux-firmware", "20251125-1", "pacman"),)
    host = knowing(with_radeon(texts=kfd_nodes(gfx)), log=said(FAULT), packages=package, package_lists={"pacman": None})

    found = findings(host, passed(view), devices=(view,))

    assert ("amd-mes-firmware-bad" in causes(found)) is named
    if named:
        assert headline(found).evidence[-1].what == "20251125-1"


def test_a_page_fault_beside_another_firmware_may_be_any_programs() -> None:
    view = a_device("ROCm", pci_id=ADDRESS, gfx_target="gfx1151")
    package = (Package("linux-firmware", "20260110-1", "pacman"),)
    host = knowing(with_radeon(texts=kfd_nodes(110501)), log=said(FAULT), packages=package, package_lists={"pacman": None})

    assert causes(findings(host, passed(view), devices=(view,))) == []


def test_a_quiet_kernel_log_speaks_for_the_firmware() -> None:
    view = a_device("ROCm", pci_id=ADDRESS, gfx_target="gfx1151")

    assert causes(findings(knowing(with_radeon(texts=kfd_nodes(110501)), log=said()), passed(view), devices=(view,))) == []
