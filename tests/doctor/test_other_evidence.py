"""What must be there before something is said of an AMD or Intel card: where one fact is missing, the cause is too."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Severity
from gpuprobe.facts import Host, Reading
from gpuprobe.facts.system_facts import Package, SystemFacts
from gpuprobe.model import Device, Outcome, Probe, Purpose, Status
from tests.doctor.sick_machines import (
    ADDRESS,
    KFD,
    UBUNTU,
    a_node,
    a_radeon,
    an_arc,
    causes,
    findings,
    kfd_nodes,
    knowing,
    level_zero_finds_nothing,
    not_installed,
    opened,
    passed,
    rocm_finds_nothing,
    said,
    vulkan_fails,
    with_arc,
    with_radeon,
    without_kfd,
)
from tests.doctor.test_amd_architectures import NEW, a_view, beside_integrated, blas, crashed, died, in_wsl
from tests.doctor.test_hiding_variables import without
from tests.doctor.test_vulkan_reach import LAVAPIPE, LOADER, RADV
from tests.records import a_device, a_host, a_manifest, a_software_renderer, an_outcome

VULKAN = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x1002)
ROCM = a_device("ROCm", pci_id=ADDRESS)
OTHER = a_device("ROCm", pci_id="0000:09:00.0", number=1)
LATE = Outcome(Probe("ROCm", Purpose.LIST), Status.TIMED_OUT, seconds=30.0, message="no answer within 30 s")


@pytest.mark.parametrize("listed", [(), (ROCM,), (OTHER,)], ids=("nothing", "the card", "another"))
@pytest.mark.parametrize("value", ["0", ""])
def test_a_variable_hides_a_card_that_is_listed_without_it_alone(listed: tuple[Device, ...], value: str) -> None:
    name = "HIP_VISIBLE_DEVICES"
    outcomes = tuple(map(passed, listed)) or (rocm_finds_nothing(),)
    found = findings(with_radeon(environ={name: value}), *outcomes, without(name, view=ROCM), devices=listed)

    assert ("env-hip-visible-hides-all" in causes(found)) is (ROCM not in listed)


@pytest.mark.parametrize("rocr", ["1", "", "-1"])
@pytest.mark.parametrize("names", [("ROCR_VISIBLE_DEVICES",), ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")])
def test_two_filters_are_stacked_where_the_lower_leaves_a_card(names: tuple[str, ...], rocr: str) -> None:
    host = with_radeon(environ={**dict.fromkeys(names, "1"), "ROCR_VISIBLE_DEVICES": rocr})
    found = causes(findings(host, rocm_finds_nothing(), without(*names, view=ROCM)))

    assert found == ["env-double-filter" if rocr == "1" and len(names) == 2 else "env-hip-visible-hides-all"]


def fails(view: Device, status: Status, **fields: Any) -> Outcome:
    probe = Probe(view.library, Purpose.VALIDATE, device=view.key)
    return Outcome(probe, status, message="failed", seconds=0.1, **fields)


@pytest.mark.parametrize("library", ["ROCm", "Vulkan"])
def test_rocblas_is_to_blame_for_what_failed_through_rocm(library: str) -> None:
    view = a_view() if library == "ROCm" else VULKAN._replace(gfx_target="gfx906")
    host = with_radeon(texts=kfd_nodes(90006), software=blas(*NEW))

    found = findings(host, fails(view, Status.CRASHED, signal=6), rocm_finds_nothing(), devices=(view,))
    assert ("rocblas-no-kernels" in causes(found)) is (library == "ROCm")


@pytest.mark.parametrize("software", [(), blas(*NEW), blas()], ids=("none", "without the chip", "of no known chips"))
def test_a_rocblas_that_is_not_there_or_not_understood_lacks_nothing(software: tuple[Any, ...]) -> None:
    view = a_view()
    found = causes(findings(with_radeon(texts=kfd_nodes(90006), software=software), died(view), devices=(view,)))

    assert ("rocblas-no-kernels" in found) is (bool(software) and bool(software[0].architectures))


@pytest.mark.parametrize("gfx", [80003, 90006, 0])
@pytest.mark.parametrize("outcome", [rocm_finds_nothing(), LATE, not_installed("ROCm")], ids=("nothing", "late", "absent"))
def test_rocm_dropped_a_chip_of_the_eighth_generation_that_kfd_shows(gfx: int, outcome: Outcome) -> None:
    found = causes(findings(with_radeon(texts=kfd_nodes(gfx)), outcome))

    assert ("gfx-not-in-rocm-build" in found) is (gfx == 80003 and outcome.status is Status.NO_DEVICES)


@pytest.mark.parametrize("outcome", [crashed(), LATE, rocm_finds_nothing()], ids=("crashed", "late", "nothing"))
@pytest.mark.parametrize("at", [ADDRESS, "0000:0e:00.0"])
def test_a_crash_is_blamed_on_integrated_graphics_beside_a_discrete_card(outcome: Outcome, at: str) -> None:
    found = causes(findings(beside_integrated(), outcome, at=at))

    assert ("amd-igpu-poisons-rocm" in found) is (outcome.status is Status.CRASHED and at == ADDRESS)


@pytest.mark.parametrize("switch", [None, "", "0", "False", "no", "1", "true"])
def test_the_switch_of_wsl_is_off_by_each_of_its_words(switch: str | None) -> None:
    environ = {} if switch is None else {"HSA_ENABLE_DXG_DETECTION": switch}
    found = causes(findings(in_wsl(environ=environ), rocm_finds_nothing(101)))

    assert ("wsl-amd-not-enabled" in found) is (switch not in ("1", "true"))


@pytest.mark.parametrize("version", ["20251125-1", "20260110-1", None])
@pytest.mark.parametrize(
    "line", ["amdgpu: [gfxhub] page fault (src_id:0)", "amdgpu: MES failed to respond to msg=REMOVE_QUEUE"]
)
@pytest.mark.parametrize("works", [True, False])
def test_bad_firmware_is_known_by_its_package_or_by_its_scheduler(version: str | None, line: str, works: bool) -> None:
    packages = (Package("linux-firmware", version, "dpkg"),)
    system = SystemFacts(log=said(f"amdgpu {ADDRESS}: {line}"), packages=packages, package_lists={"dpkg": None})
    host = with_radeon(texts=kfd_nodes(110501), system=system)
    outcomes, devices = ((passed(VULKAN),), (VULKAN,)) if works else ((vulkan_fails(),), ())
    found = next((each for each in findings(host, *outcomes, devices=devices) if each.id == "amd-mes-firmware-bad"), None)

    assert (found is not None) is ("MES" in line or version == "20251125-1")
    assert found is None or found.severity is (Severity.DEGRADED if works else Severity.BLOCKER)


@pytest.mark.parametrize("error", ["EINVAL", "ENOMEM", "EPERM", ""])
@pytest.mark.parametrize("line", ["kfd kfd: amdgpu: TONGA  not supported in kfd", "amdgpu: all is well"])
def test_kfd_refuses_by_an_error_of_its_own_that_the_log_does_not_explain(error: str, line: str) -> None:
    host = knowing(with_radeon(), opened=opened(KFD, error, 22), log=said(line))
    found = causes(findings(host, rocm_finds_nothing()))

    assert ("amd-kfd-refused" in found) is (error in ("EINVAL", "ENOMEM") and "well" in line)


@pytest.mark.parametrize("driver", ["amdgpu", "vfio-pci", None])
@pytest.mark.parametrize("inside", [True, False])
def test_kfd_is_missed_of_a_card_that_amdgpu_drives(driver: str | None, inside: bool) -> None:
    host = without_kfd(pci=(a_radeon(driver=driver),), texts={"/.dockerenv": Reading("")} if inside else {})
    found = causes(findings(host, rocm_finds_nothing()))

    expected = "ctr-amd-devices-missing" if inside else "amd-kfd-node-missing"
    assert (expected in found) is (driver == "amdgpu")


BOTH = (not_installed("ROCm"), not_installed("Vulkan"))


@pytest.mark.parametrize(
    ("outcomes", "libraries", "is_told"),
    [
        (BOTH, (), True),
        ((not_installed("ROCm"), vulkan_fails()), (), False),
        ((rocm_finds_nothing(), not_installed("Vulkan")), (), False),
        (BOTH, (LOADER,), False),
        (BOTH[:1], (), False),
    ],
    ids=("both", "Vulkan fails", "ROCm answers", "loader there", "Vulkan not asked"),
)
@pytest.mark.parametrize("driver", ["amdgpu", None])
def test_nothing_is_installed_only_where_all_was_looked_for(
    outcomes: tuple[Outcome, ...], libraries: tuple[Any, ...], is_told: bool, driver: str | None
) -> None:
    host = with_radeon(pci=(a_radeon(driver=driver),), libraries=libraries)

    assert ("rocm-hsa-runtime-missing" in causes(findings(host, *outcomes))) is (is_told and driver is not None)


@pytest.mark.parametrize("denied", [True, False])
@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("manifest", [None, "libvulkan_radeon.so", "libvulkan_lvp.so", "libmine.so", "no text"])
def test_a_driver_of_vulkans_is_missing_where_none_could_be_the_cards(denied: bool, chosen: bool, manifest: str | None) -> None:
    text = "rubbish" if manifest == "no text" else f'{{"ICD": {{"library_path": "{manifest}"}}}}'
    host = with_radeon(
        nodes=(a_node(accessible=not denied), a_node(KFD)),
        gids=(1000,),
        libraries=(LOADER,),
        manifests=(a_manifest(RADV, text),) if manifest else (),
        environ={"VK_ADD_DRIVER_FILES": "/x.json"} if chosen else {},
    )
    found = causes(findings(host, not_installed("ROCm"), vulkan_fails()))

    assert ("vk-no-icd" in found) is (manifest in (None, "libvulkan_lvp.so") and not denied and not chosen)


def test_a_node_of_another_card_is_no_way_to_this_one() -> None:
    host = with_radeon(pci=(a_radeon(drm=("card0",)),), nodes=(a_node("/dev/dri/renderD129"),), libraries=(LOADER,))

    assert "vk-no-icd" not in causes(findings(host, not_installed("ROCm"), vulkan_fails()))


@pytest.mark.parametrize("shown", [(a_software_renderer(),), (a_software_renderer(), OTHER._replace(library="Vulkan")), ()])
def test_a_software_renderer_is_all_there_is_where_nothing_else_is_shown(shown: tuple[Device, ...]) -> None:
    host = with_radeon(manifests=(a_manifest(RADV), LAVAPIPE), libraries=(LOADER,))
    found = causes(findings(host, not_installed("ROCm"), devices=shown))

    assert ("vk-software-only" in found) is (len(shown) == 1)


@pytest.mark.parametrize("address", [None, ADDRESS])
@pytest.mark.parametrize(
    "card", [a_radeon(driver="vfio-pci", drm=()), a_radeon(driver=None, drm=(), driver_override="vfio-pci")]
)
@pytest.mark.parametrize("module", ["vfio-pci", "vfio_pci", "nouveau"])
def test_a_line_of_vfios_that_names_the_cards_ids_is_quoted(card: Any, module: str, address: str | None) -> None:
    files = {"/etc/modprobe.d/x.conf": Reading(f"options {module} ids={'1002:744C' if address else '1002:73bf'}\n")}
    (found, *_) = findings(a_host(pci=(card,), texts=UBUNTU, system=SystemFacts(files=files)))

    assert len(found.evidence) == (2 if address and module != "nouveau" else 1)


@pytest.mark.parametrize("stores", [(False,), (True,), (None,)])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("better", [True, False])
def test_16_bit_storage_is_missed_where_vulkan_is_the_only_way(stores: tuple[bool | None], named: bool, better: bool) -> None:
    names: dict[str, Any] = {"driver_name": "radv", "runtime_version": "24.0.9"} if named else {}
    view = VULKAN._replace(capabilities={"stores_16_bits": stores[0]}, **names)
    devices = (view, ROCM) if better else (view,)
    found = causes(findings(with_radeon(manifests=(a_manifest(),)), *map(passed, devices), devices=devices))

    assert ("vk-missing-feature" in found) is (stores == (False,) and not better)


@pytest.mark.parametrize("outcome", [level_zero_finds_nothing(), an_outcome(library="Level Zero", status=Status.CRASHED)])
@pytest.mark.parametrize("driver", ["xe", "i915", "vfio-pci"])
@pytest.mark.parametrize("drm", [("card0", "renderD128"), ("card0",)])
def test_a_driver_library_is_missed_where_level_zero_says_that_it_has_nothing(
    outcome: Outcome, driver: str, drm: tuple[str, ...]
) -> None:
    found = causes(findings(with_arc(pci=(an_arc(driver=driver, drm=drm),)), outcome))

    is_told = outcome.status is Status.NO_DEVICES and driver != "vfio-pci" and len(drm) == 2
    assert ("intel-l0-driver-missing" in found) is is_told


def flat(extension: str, version: str, driver: str = "nvidia") -> Host:
    files = {"/.flatpak-info": Reading(f"runtime-extensions={extension}"), f"/sys/module/{driver}/version": Reading(version)}
    return a_host(pci=(a_radeon(driver=driver, vendor=0x10DE),), texts=files)


@pytest.mark.parametrize("version", ["580.95.05", "580.95", "rubbish", ""])
def test_a_flatpak_is_compared_where_the_host_has_a_version(version: str) -> None:
    lacking, having = flat("", version), flat(f"org.freedesktop.Platform.GL.nvidia-{version.replace('.', '-')}", version)

    assert ("flatpak-missing-gl-extension" in causes(findings(lacking))) is version.startswith("580")
    assert "flatpak-missing-gl-extension" not in causes(findings(having))
