"""Code that ROCm's libraries have or lack for a chip, overrides, and the memory of integrated cards."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Severity
from gpuprobe.facts import FoundLibrary, FoundSoftware, Host, Reading
from gpuprobe.model import Call, Device, DeviceType, GiB, Outcome, Probe, Purpose, Status
from tests.doctor.sick_machines import (
    UBUNTU,
    a_node,
    a_radeon,
    causes,
    commands,
    findings,
    headline,
    kfd_nodes,
    passed,
    rocm_finds_nothing,
    with_radeon,
)
from tests.records import a_device, a_host

ADDRESS = "0000:03:00.0"
NEW = ("gfx908", "gfx90a", "gfx942", "gfx1030", "gfx1100")


def blas(*architectures: str, release: str = "6.4.0") -> tuple[FoundSoftware, ...]:
    path = f"/opt/rocm-{release}/lib/rocblas/library"
    return (FoundSoftware("rocBLAS", path, "ROCm", "ROCm", version=None, release=release, architectures=architectures),)


def a_view(**fields: Any) -> Device:
    return a_device("ROCm", **{"pci_id": ADDRESS, "gfx_target": "gfx906", "compute_major": 9, **fields})


def died(view: Device) -> Outcome:
    probe = Probe("ROCm", Purpose.VALIDATE, device=view.key)
    return Outcome(probe, Status.CRASHED, signal=6, seconds=0.2, calls=(Call("rocblas_initialize", None),))


def test_a_rocblas_without_the_chip_is_named_with_the_release_that_had_it() -> None:
    host, view = with_radeon(texts=kfd_nodes(90006), software=blas(*NEW)), a_view()

    found = headline(findings(host, died(view), devices=(view,)))

    assert found.id == "rocblas-no-kernels"
    assert found.because == "rocBLAS of ROCm 6.4.0 in `/opt/rocm-6.4.0` has no code for gfx906"
    assert "use ROCm 6.3, the last with code for gfx906" in str(found.advice)


def test_a_crash_beside_kernels_for_the_chip_has_another_cause() -> None:
    host, view = with_radeon(texts=kfd_nodes(90006), software=blas(*NEW, "gfx906")), a_view()

    assert causes(findings(host, died(view), devices=(view,))) == []


def test_of_two_rocms_the_one_with_code_is_not_blamed_for_the_other() -> None:
    software = (*blas(*NEW), *blas(*NEW, "gfx906", release="6.3.0"))
    host, view = with_radeon(texts=kfd_nodes(90006), software=software), a_view()

    assert causes(findings(host, died(view), devices=(view,))) == []


def test_a_chip_with_a_sister_is_offered_the_override_and_told_that_vulkan_works() -> None:
    """Golden scenario 9."""
    rocm = a_view(gfx_target="gfx1031", compute_major=10, compute_minor=3)
    vulkan = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x1002)
    host = with_radeon(texts=kfd_nodes(100301), software=blas(*NEW))

    found = findings(host, died(rocm), passed(vulkan), devices=(rocm, vulkan))

    assert [(each.id, each.severity) for each in found] == [("rocblas-no-kernels", Severity.DEGRADED)]
    assert commands(found[0]) == "export HSA_OVERRIDE_GFX_VERSION=10.3.0"
    assert "go on with Vulkan" in str(found[0].advice)


def test_a_number_of_hips_for_missing_code_is_believed() -> None:
    view = a_view()
    words = "`hipModuleLoad` failed with hipErrorNoBinaryForGpu (209)"
    outcome = Outcome(
        Probe("ROCm", Purpose.VALIDATE, device=view.key),
        Status.CALL_FAILED,
        code=209,
        message=words,
        seconds=0.1,
        failure="unsupported",
        calls=(Call("hipModuleLoad", 0.1),),
    )

    found = headline(findings(with_radeon(texts=kfd_nodes(90006)), outcome, devices=(view,)))

    assert (found.id, found.brief) == ("gfx-not-in-rocm-build", "no code for gfx906")


def test_an_eighth_generation_chip_that_kfd_shows_was_dropped_by_rocm() -> None:
    found = headline(findings(with_radeon(texts=kfd_nodes(80003)), rocm_finds_nothing()))

    assert (found.id, found.settle) == ("gfx-not-in-rocm-build", "rocminfo")


def test_a_newer_chip_that_rocm_does_not_list_was_not_dropped() -> None:
    assert causes(findings(with_radeon(), rocm_finds_nothing())) == []


def beside_integrated(**fields: Any) -> Host:
    """A discrete card, and the graphics inside the processor, as the kernel's files tell them apart."""
    inside = "0000:0e:00.0"
    place, other = f"/sys/bus/pci/devices/{ADDRESS}", f"/sys/bus/pci/devices/{inside}"
    figures = {f"{other}/mem_info_vram_total": Reading(str(GiB // 2)), f"{other}/mem_info_gtt_total": Reading(str(31 * GiB))}
    texts = {
        **kfd_nodes(),
        **{path: text for path, text in kfd_nodes(100306, bus=0x0E, number=2).items() if "/2/" in path},
        f"{place}/mem_info_vram_vendor": Reading("samsung"),
        f"{place}/unique_id": Reading("8b5ac29c9e8f1a2b"),
        **figures,
    }
    second = a_radeon(inside, device=0x164E, drm=("card1", "renderD129"))
    nodes = (a_node(), a_node("/dev/dri/renderD129"), a_node("/dev/kfd"))
    return with_radeon(pci=(a_radeon(), second), nodes=nodes, texts=texts, **fields)


def crashed() -> Outcome:
    return Outcome(Probe("ROCm", Purpose.LIST), Status.CRASHED, signal=11, seconds=0.3, calls=(Call("hipInit", None),))


def test_a_crash_beside_integrated_graphics_is_likely_theirs() -> None:
    found = headline(findings(beside_integrated(), crashed(), at=ADDRESS))

    assert found.id == "amd-igpu-poisons-rocm"
    assert commands(found) == "export ROCR_VISIBLE_DEVICES=GPU-8b5ac29c9e8f1a2b"
    assert found.settle is not None


def test_with_a_choice_of_devices_the_integrated_ones_are_not_to_blame() -> None:
    host = beside_integrated(environ={"ROCR_VISIBLE_DEVICES": "0"})

    assert "amd-igpu-poisons-rocm" not in causes(findings(host, crashed(), at=ADDRESS))


def overridden(value: str, gfx: int = 110001, software: tuple[FoundSoftware, ...] = (), **more: str) -> Host:
    environ = {"HSA_OVERRIDE_GFX_VERSION": value, **more}
    return with_radeon(texts=kfd_nodes(gfx), environ=environ, software=software)


def taken_for(gfx: str) -> Device:
    return a_view(gfx_target=gfx)


def test_an_override_for_another_family_is_wrong() -> None:
    view = taken_for("gfx1030")

    found = findings(overridden("10.3.0"), passed(view), devices=(view,))

    assert [(each.id, each.severity) for each in found] == [("hsa-override-wrong", Severity.DEGRADED)]
    assert "of another family than its gfx1101" in found[0].because
    assert commands(found[0]) == "unset HSA_OVERRIDE_GFX_VERSION"


@pytest.mark.parametrize("value", ["gfx", "11.0", "rubbish", "10.3.99"])
def test_an_override_that_is_no_version_is_wrong(value: str) -> None:
    assert headline(findings(overridden(value), rocm_finds_nothing())).id == "hsa-override-wrong"


def test_an_override_within_the_family_is_right_where_the_chip_has_no_code() -> None:
    view = taken_for("gfx1030")

    host = overridden("10.3.0", gfx=100301, software=blas(*NEW))

    assert causes(findings(host, passed(view), devices=(view,))) == []


def test_an_override_of_a_chip_that_has_code_of_its_own_is_not_needed() -> None:
    view = taken_for("gfx1100")
    host = overridden("11.0.0", gfx=110001, software=blas(*NEW, "gfx1101", release="7.2.0"))

    found = headline(findings(host, passed(view), devices=(view,)))

    assert found.id == "hsa-override-not-needed"
    assert found.because == "`HSA_OVERRIDE_GFX_VERSION=11.0.0` is not needed: rocBLAS of ROCm 7.2.0 has code for gfx1101 itself"


def test_the_form_with_the_number_of_the_node_counts() -> None:
    """Node 1 is this card; what is set for node 2 is another's."""
    view = taken_for("gfx1101")
    other = with_radeon(texts=kfd_nodes(110001), environ={"HSA_OVERRIDE_GFX_VERSION_2": "10.3.0"})
    mine = with_radeon(texts=kfd_nodes(110001), environ={"HSA_OVERRIDE_GFX_VERSION_1": "10.3.0"})

    assert causes(findings(other, passed(view), devices=(view,))) == []
    assert causes(findings(mine, passed(view), devices=(view,))) == ["hsa-override-wrong"]


def an_apu(kernel: str = "6.14.0-33-generic", aside: int = 96, shared: int = 15, **fields: Any) -> Host:
    place = f"/sys/bus/pci/devices/{ADDRESS}"
    texts = {
        f"{place}/mem_info_vram_total": Reading(str(aside * GiB)),
        f"{place}/mem_info_gtt_total": Reading(str(shared * GiB)),
        "/proc/meminfo": Reading(f"MemTotal: {32 * GiB // 1024} kB\n"),
        **kfd_nodes(110501),
        **fields.pop("texts", {}),
    }
    return with_radeon(kernel=kernel, texts=texts, **fields)


def an_integrated_view(memory: int = 15) -> Device:
    return a_view(gfx_target="gfx1151", type=DeviceType.INTEGRATED, total_memory=memory * GiB, compute_major=11)


def test_memory_that_is_set_aside_and_not_seen_is_told_with_the_kernel_that_mends_it() -> None:
    view = an_integrated_view()

    found = headline(findings(an_apu(), passed(view), devices=(view,)))

    assert (found.id, found.severity) == ("apu-carve-out-not-seen", Severity.DEGRADED)
    assert found.because == (
        "the kernel driver has 96.0 GiB set aside for this card and ROCm sees 15.0 GiB; "
        "Linux before 6.16.9 does that (here 6.14.0)"
    )


@pytest.mark.parametrize(("kernel", "aside"), [("6.17.0-5-generic", 96), ("6.16.9-200.fc42", 96), ("6.14.0-33-generic", 2)])
def test_a_kernel_that_shows_it_or_a_small_part_set_aside_is_no_fault(kernel: str, aside: int) -> None:
    view = an_integrated_view()

    assert "apu-carve-out-not-seen" not in causes(findings(an_apu(kernel, aside), passed(view), devices=(view,)))


def test_half_of_the_memory_is_a_limit_that_a_parameter_raises() -> None:
    view = an_integrated_view()

    found = headline(findings(an_apu(aside=2), passed(view), devices=(view,)))

    assert (found.id, found.severity) == ("apu-memory-carveout-small", Severity.INFO)
    assert "ttm.pages_limit=6291456" in found.fix[0].text


def test_a_parameter_that_does_not_exist_is_said_to_be_ignored() -> None:
    view = an_integrated_view()
    host = an_apu(aside=2, texts={"/proc/cmdline": Reading("amdgpu.gtt_size=126976")})

    found = headline(findings(host, passed(view), devices=(view,)))

    assert (found.id, found.severity) == ("apu-gtt-limit", Severity.DEGRADED)
    assert "`amdgpu.gtt_size` is not a parameter and is ignored" in found.because


def test_a_discrete_card_shares_no_memory() -> None:
    view = a_view(total_memory=24 * GiB)
    place = f"/sys/bus/pci/devices/{ADDRESS}/mem_info_vram_vendor"

    assert causes(findings(an_apu(texts={place: Reading("hynix")}), passed(view), devices=(view,))) == []


def in_wsl(**fields: Any) -> Host:
    usual: dict[str, Any] = {"kernel": "6.6.87.2-microsoft-standard-WSL2", "nodes": (a_node("/dev/dxg", mode=0o666),)}
    return a_host(**{**usual, "facts": {"wsl_drivers": "u0419137.inf_amd64"}, "texts": UBUNTU, **fields})


def test_rocm_in_wsl_needs_its_switch() -> None:
    found = findings(in_wsl(), rocm_finds_nothing(101))

    assert causes(found) == ["wsl-amd-not-enabled"]
    assert headline(found).fix[0].command == "export HSA_ENABLE_DXG_DETECTION=1"
    assert "/dev/kfd" not in " ".join(f"{each.because} {each.advice}" for each in found)


@pytest.mark.parametrize("version", ["7.13.1", "7.14.0", "8.0.1"])
def test_a_rocm_that_looks_there_by_itself_needs_no_switch(version: str) -> None:
    path = "/opt/rocm/lib/libamdhip64.so.7"
    library = FoundLibrary("libamdhip64.so.7", path, f"/opt/rocm/lib/libamdhip64.so.{version}", "linker cache")

    assert causes(findings(in_wsl(libraries=(library,)), rocm_finds_nothing(101))) == []


def test_with_the_switch_on_something_else_is_wrong() -> None:
    host = in_wsl(environ={"HSA_ENABLE_DXG_DETECTION": "1", "WSL_DISTRO_NAME": "Ubuntu"})

    assert causes(findings(host, rocm_finds_nothing(101))) == []
