"""Counts, limits and names in what is told of an AMD card: at the limit and beside it, with and without."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Certainty, Severity
from gpuprobe.facts import FoundBuild, FoundLibrary, FoundSoftware, Reading
from gpuprobe.facts.system_facts import DkmsModule, KernelModules, Standing, SystemFacts
from gpuprobe.model import Device, Outcome, Probe, Purpose, Status
from tests.doctor.sick_machines import (
    ADDRESS,
    ARCH,
    FEDORA,
    UBUNTU,
    a_radeon,
    causes,
    commands,
    findings,
    headline,
    kfd_nodes,
    knowing,
    not_installed,
    passed,
    rocm_finds_nothing,
    said,
    with_radeon,
)
from tests.doctor.test_amd_architectures import NEW, a_view, an_apu, an_integrated_view, beside_integrated, blas, crashed, died
from tests.records import a_device, a_host, an_outcome

VULKAN = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x1002)


def finding(found: Any, slug: str) -> Any:
    return next((each for each in found if each.id == slug), None)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        *((device, "radeon.si_support=0") for device in (0x6600, 0x663F, 0x6660, 0x679F, 0x6800, 0x683F)),
        *((device, "radeon.cik_support=0") for device in (0x1304, 0x131F, 0x6640, 0x665F, 0x67A0, 0x67BF, 0x9830, 0x985F)),
        *((device, None) for device in (0x65FF, 0x6670, 0x677F, 0x6840, 0x1303, 0x1320, 0x67C0, 0x982F, 0x9860, None)),
    ],
)
def test_the_generation_on_radeon_is_told_by_the_device_id(device: int | None, words: str | None) -> None:
    found = headline(findings(a_host(pci=(a_radeon(driver="radeon", device=device),), texts=UBUNTU)))

    assert [(words or "") in step.text for step in found.fix] == ([True] if words else [])


@pytest.mark.parametrize(
    ("kernel", "aside", "seen", "is_told"),
    [
        ("6.16.8", 8, 4, True),
        ("6.16.8", 8, 5, False),
        ("6.16.8", 4, 2, True),
        ("6.16.8", 3, 1, False),
        ("6.16.9", 8, 4, False),
        ("6.16", 8, 4, True),
        ("6.17", 8, 4, False),
        ("linux", 8, 4, False),
    ],
)
def test_half_of_four_gibibytes_set_aside_is_worth_telling(kernel: str, aside: int, seen: int, is_told: bool) -> None:
    view = an_integrated_view(seen)

    assert ("apu-carve-out-not-seen" in causes(findings(an_apu(kernel, aside), passed(view), devices=(view,)))) is is_told


@pytest.mark.parametrize(("seen", "shared", "is_told"), [(22, 22, True), (23, 15, False), (15, 23, False), (15, 15, True)])
@pytest.mark.parametrize("pages", [None, "3932160"])
def test_seven_tenths_of_the_memory_are_enough(seen: int, shared: int, is_told: bool, pages: str | None) -> None:
    view = an_integrated_view(seen)
    host = knowing(an_apu(aside=2, shared=shared), texts={"/sys/module/ttm/parameters/pages_limit": Reading(pages, None)})
    found = finding(findings(host, passed(view), devices=(view,)), "apu-memory-carveout-small")

    assert (found is not None) is is_told


def test_no_memory_is_told_of_a_card_without_figures() -> None:
    nameless, partition = an_integrated_view()._replace(total_memory=None), a_view(type=None)
    bare = with_radeon(texts=kfd_nodes(110501))

    for host in (an_apu(), bare):
        for view in (nameless, partition, an_integrated_view()):
            found = causes(findings(host, passed(view), devices=(view,)))
            assert "apu-carve-out-not-seen" not in found or (host is not bare and view.total_memory is not None)


def no_code(view: Device, code: int | None) -> Outcome:
    probe = Probe("ROCm", Purpose.VALIDATE, device=view.key)
    return Outcome(probe, Status.CALL_FAILED, code=code, message="failed", seconds=0.1, failure="unsupported")


@pytest.mark.parametrize("code", [98, 99, 209, 210, None])
@pytest.mark.parametrize("others", [(), (VULKAN,)], ids=("alone", "Vulkan"))
def test_hips_two_numbers_for_missing_code_are_believed(code: int | None, others: tuple[Device, ...]) -> None:
    view = a_view()
    outcomes = (no_code(view, code), *map(passed, others))
    found = finding(findings(with_radeon(texts=kfd_nodes(90006)), *outcomes, devices=(view, *others)), "gfx-not-in-rocm-build")

    assert (found is not None) is (code in (98, 209))
    assert found is None or found.severity is (Severity.DEGRADED if others else Severity.BLOCKER)


@pytest.mark.parametrize("release", ["6.4.0", None])
@pytest.mark.parametrize("gfx", ["gfx906:sramecc+:xnack-", "gfx1031"])
def test_a_rocblas_of_no_known_release_is_told_without_one(release: str | None, gfx: str) -> None:
    software = tuple(each._replace(release=release) for each in blas(*NEW))
    view = a_view(gfx_target=None, capabilities={"gcn_arch_name": gfx})
    found = headline(findings(with_radeon(software=software), died(view), devices=(view,)))

    assert found.because.startswith("rocBLAS of ROCm 6.4.0 in" if release else "rocBLAS in")


@pytest.mark.parametrize("place", ["/opt/llama", "/opt/other"])
def test_a_build_uses_the_kernels_beside_it(place: str) -> None:
    build = FoundBuild("rocm", "ROCm", "/opt/llama/libggml-hip.so", (), ("/opt/llama",), "llama.cpp", product="llama.cpp")
    software = FoundSoftware("rocBLAS", f"{place}/rocblas/library", "build", "ROCm", architectures=NEW)
    view = a_view(build="rocm")
    outcome = died(view)._replace(probe=Probe("ROCm", Purpose.VALIDATE, build="rocm", device=view.key))
    found = finding(
        findings(with_radeon(texts=kfd_nodes(90006), software=(software,), builds=(build,)), outcome, devices=(view,)),
        "rocblas-no-kernels",
    )

    assert (found.build if found else None) == ("rocm" if place == "/opt/llama" else None)


@pytest.mark.parametrize("unique", ["8b5ac29c9e8f1a2b", None])
@pytest.mark.parametrize("vulkan", [True, False])
def test_the_card_alone_is_shown_by_its_id_or_by_its_number(unique: str | None, vulkan: bool) -> None:
    host = beside_integrated()
    path = f"/sys/bus/pci/devices/{ADDRESS}/unique_id"
    host = host._replace(texts={**host.texts, path: Reading(unique, None if unique else "absent")})
    found = headline(findings(host, crashed(), *([passed(VULKAN)] if vulkan else []), devices=(VULKAN,) * vulkan, at=ADDRESS))

    assert commands(found) == f"export ROCR_VISIBLE_DEVICES={'GPU-' + unique if unique else '0'}"


def two_radeons(gfx: int, other: int) -> dict[str, Any]:
    second = {path: text for path, text in kfd_nodes(other, bus=9, number=2).items() if "/2/" in path}
    cards = (a_radeon(), a_radeon("0000:09:00.0", drm=("card1", "renderD129")))
    return {"pci": cards, "texts": {**kfd_nodes(gfx), **second}}


@pytest.mark.parametrize("name", ["HSA_OVERRIDE_GFX_VERSION", "HSA_OVERRIDE_GFX_VERSION_1", "HSA_OVERRIDE_GFX_VERSION_2"])
@pytest.mark.parametrize(("gfx", "native"), [(110000, True), (110001, False)])
def test_an_override_that_is_right_for_another_card_is_set_for_that_alone(name: str, gfx: int, native: bool) -> None:
    view = a_view(gfx_target="gfx1030")
    host = with_radeon(**two_radeons(gfx, 100301), environ={name: "10.3.0"}, software=blas(*NEW))
    found = finding(findings(host, passed(view), devices=(view,), at=ADDRESS), "hsa-override-wrong")

    assert (found is None) is name.endswith("_2")
    assert found is None or (", which ROCm supports as it is" in found.because) is native
    assert found is None or "export HSA_OVERRIDE_GFX_VERSION_2=10.3.0" in commands(found)


@pytest.mark.parametrize(("value", "works"), [("11.0.0", True), ("11.0.0", False), ("11.0.1", True), ("", True)])
def test_an_override_of_a_chip_with_code_is_certain_where_the_card_works(value: str, works: bool) -> None:
    view = a_view(gfx_target="gfx1100")
    host = with_radeon(
        texts=kfd_nodes(110001), environ={"HSA_OVERRIDE_GFX_VERSION": value}, software=blas(*NEW, "gfx1101", release="7.2.0")
    )
    outcomes, devices = ((passed(view),), (view,)) if works else ((rocm_finds_nothing(),), ())
    found = finding(findings(host, *outcomes, devices=devices), "hsa-override-not-needed")

    assert (found is not None) is (value == "11.0.0")
    assert found is None or found.certainty is (Certainty.CERTAIN if works else Certainty.LIKELY)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("works", [True, False])
def test_a_chip_that_kfd_does_not_support_is_named_where_it_can_be_no_other(count: int, works: bool) -> None:
    cards = (a_radeon(), a_radeon("0000:09:00.0", drm=("card1", "renderD129")))[:count]
    host = with_radeon(pci=cards)
    host = host._replace(texts={path: text for path, text in host.texts.items() if "/1/" not in path})
    host = knowing(host, log=said("kfd kfd: amdgpu: TONGA  not supported in kfd"))
    devices = (VULKAN,) if works else ()
    found = finding(
        findings(host, rocm_finds_nothing(), *map(passed, devices), devices=devices, at=ADDRESS), "amd-kfd-node-missing"
    )

    assert ("does not support this chip" in found.because) is (count == 1)
    assert found.severity is (Severity.DEGRADED if works else Severity.BLOCKER)


@pytest.mark.parametrize("lines", [("744c", "494<509"), ("73bf", "494<509"), ("744c", "")])
@pytest.mark.parametrize("works", [True, False])
def test_the_atomics_that_kfd_misses_are_those_of_the_card_that_it_names(lines: tuple[str, str], works: bool) -> None:
    host = with_radeon()
    host = host._replace(texts={path: text for path, text in host.texts.items() if "/1/" not in path})
    host = knowing(host, log=said(f"kfd kfd: amdgpu: skipped device 1002:{lines[0]}, PCI rejects atomics {lines[1]}".strip()))
    devices = (VULKAN,) if works else ()
    found = causes(findings(host, rocm_finds_nothing(), *map(passed, devices), devices=devices))

    expected = (
        "amd-kfd-node-missing" if lines[0] != "744c" else "amd-mec-firmware-too-old" if lines[1] else "pci-atomics-missing"
    )
    assert found == [expected]


@pytest.mark.parametrize(
    ("log", "severity"), [(None, Severity.BLOCKER), ("", Severity.BLOCKER), ("gcc\nerror: 'x' undeclared\n", Severity.BLOCKER)]
)
def test_a_build_of_dkms_that_failed_shows_the_last_line_of_its_log(log: str | None, severity: Severity) -> None:
    module = DkmsModule("amdgpu", "6.12.12", (), Reading(log) if log is not None else None)
    host = a_host(pci=(a_radeon(driver=None, drm=()),), texts=UBUNTU, system=SystemFacts(dkms=(module,)))
    found = finding(findings(host), "amd-dkms-build-failed")

    assert (found.severity, found.evidence[-1].what) == (severity, "error: 'x' undeclared" if log else "no build")


@pytest.mark.parametrize("version", ["5.18.13", "6.8.5", "7.0.1", None])
@pytest.mark.parametrize("driver", ["amdgpu", "vfio-pci"])
def test_a_kernel_driver_of_the_sixth_series_may_be_too_old_for_rocm(version: str | None, driver: str) -> None:
    host = with_radeon(pci=(a_radeon(driver=driver),), texts={"/sys/module/amdgpu/version": Reading(version)})
    late = Outcome(Probe("ROCm", Purpose.LIST), Status.TIMED_OUT, seconds=30.0, message="no answer within 30 s")

    is_old = version is not None and version[0] in "56" and driver == "amdgpu"
    assert ("amd-rocm-kmd-too-old" in causes(findings(host, late))) is is_old


OLLAMA = FoundBuild(
    "vulkan", "Vulkan", "/usr/lib/ollama/vulkan/libggml-vulkan.so", (), ("/usr/lib/ollama",), "Ollama", product="ollama"
)


@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_an_image_of_ollamas_without_rocm_is_told_its_other_tag(works: bool, inside: bool) -> None:
    host = with_radeon(builds=(OLLAMA,), texts={"/.dockerenv": Reading("")} if inside else {})
    devices = (VULKAN,) if works else ()
    found = finding(findings(host, not_installed("ROCm"), *map(passed, devices), devices=devices), "ctr-wrong-image-variant")

    assert (found.severity if found else None) is ((Severity.INFO if works else Severity.BLOCKER) if inside else None)


@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("names", [("amdhip64_6.dll",), ("amdhip64_6.dll", "amdhip64_7.dll"), ("amdhip64_7.dll",)])
def test_a_driver_of_windows_that_brings_hip_6_is_too_old_for_ollama(names: tuple[str, ...], works: bool) -> None:
    libraries = tuple(FoundLibrary(name, f"C:/Windows/{name}", f"C:/Windows/{name}", "system") for name in names)
    devices = (VULKAN,) if works else ()
    found = finding(
        findings(with_radeon(libraries=libraries), *map(passed, devices), devices=devices), "amd-windows-hip-too-old"
    )

    expected = Severity.DEGRADED if works else Severity.BLOCKER
    assert (found.severity if found else None) is (expected if names == ("amdhip64_6.dll",) else None)


@pytest.mark.parametrize("files", [ARCH, FEDORA, {"/etc/os-release": Reading("ID=debian\nVERSION_CODENAME=bookworm\n")}])
def test_a_newer_kernel_comes_as_the_distribution_has_it(files: dict[str, Reading]) -> None:
    modules = (KernelModules("6.1.0-18-amd64", ("kernel/drivers/gpu/drm/amd/amdgpu/amdgpu.ko.zst",), ()),)
    host = a_host(pci=(a_radeon(driver=None, drm=(), device=0x744C),), texts=files)
    found = headline(findings(knowing(host, modules=modules, claims={ADDRESS: ()})))

    assert ("bookworm-backports" in found.fix[0].text) is ("debian" in str(files))


@pytest.mark.parametrize(
    "message", ["wrong ELF class: ELFCLASS32", "version `GLIBC_2.38' not found", "Error relocating /l: __strdup"]
)
@pytest.mark.parametrize("library", ["Vulkan", "ROCm", "CUDA"])
def test_a_library_of_another_system_is_told_of_the_cards_that_it_serves(message: str, library: str) -> None:
    outcome = an_outcome(library=library, status=Status.NOT_LOADABLE, message=f"`lib` did not load: {message}")

    told = {"libc-mismatch", "process-arch-mismatch"} & set(causes(findings(with_radeon(), outcome)))
    assert bool(told) is (library != "CUDA")


@pytest.mark.parametrize("value", ["", "3", "1"])
@pytest.mark.parametrize("unit", [None, "ollama.service"])
def test_ggmls_variable_is_told_with_what_it_leaves(value: str, unit: str | None) -> None:
    servers = (Standing("process", "1"), Standing("process", "2", unit=unit, environ={"GGML_VK_VISIBLE_DEVICES": value}))
    views = (VULKAN, a_device("Vulkan", pci_id="0000:09:00.0", vendor_id=0x1002, number=1))
    host = knowing(with_radeon(environ={"GGML_VK_VISIBLE_DEVICES": value}), servers=servers)
    found = finding(findings(host, *map(passed, views), devices=views, at=ADDRESS), "env-vk-visible")

    assert ("systemctl edit" in commands(found)) is (unit is not None)
