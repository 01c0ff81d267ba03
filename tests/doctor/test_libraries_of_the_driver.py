"""The driver's libraries: one is missing, a stub or a compatibility package hides it, WSL has another's."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Severity
from gpuprobe.facts import DeviceNode, FoundLibrary, Host, Listing, Reading
from gpuprobe.facts.system_facts import SystemFacts
from gpuprobe.model import Outcome, Status
from tests.doctor.nvidia_machines import (
    BOTH,
    DOCKER,
    OPEN,
    VERSION,
    absent,
    card,
    commands,
    cuda,
    findings,
    headline,
    ids,
    is_certain,
    library,
    no_context,
    nvidia_host,
    nvml,
    passed,
    refused,
    texts,
)
from tests.records import a_device, a_host, a_manifest, an_outcome

NO_CUDA, NO_NVML = absent("libcuda.so.1"), absent("libnvidia-ml.so.1")
WORKS = an_outcome(nvml())
LOADED = SystemFacts(listings={"/sys/module": Listing(("nvidia", "nvidia_vgpu_vfio"))})
STUB = "/usr/local/cuda/lib64/stubs/libcuda.so"


@pytest.mark.parametrize(
    ("distribution", "command"),
    [
        ("ubuntu", "sudo apt install libnvidia-compute-580"),
        ("debian", "sudo apt install libcuda1"),
        ("fedora", "sudo dnf install xorg-x11-drv-nvidia-cuda"),
        ("rocky", "sudo dnf install nvidia-driver-cuda"),
        ("arch", "sudo pacman -S nvidia-utils"),
    ],
)
def test_the_part_for_cuda_is_added_to_the_driver_that_is_there(distribution: str, command: str) -> None:
    found = headline(nvidia_host(libraries=BOTH[1:], texts=texts({}, distribution)), NO_CUDA, WORKS)

    assert (found.id, is_certain(found)) == ("nv-libcuda-missing", True)
    assert VERSION in found.because
    assert command in commands(found)


def test_a_library_that_the_loader_finds_is_not_missing() -> None:
    assert "nv-libcuda-missing" not in ids(findings(nvidia_host(), refused(999), WORKS))


def test_a_host_of_virtual_gpus_keeps_its_driver() -> None:
    host = nvidia_host(
        libraries=BOTH[1:], system=SystemFacts(listings={"/sys/module": Listing(("nvidia", "nvidia_vgpu_vfio"))})
    )
    found = headline(host, NO_CUDA, WORKS)

    assert (found.id, is_certain(found)) == ("vgpu-host-driver", True)
    assert "install" not in commands(found)
    assert "nv-libcuda-missing" not in ids(findings(host, NO_CUDA, WORKS))


def test_a_closed_module_that_started_a_blackwell_card_is_likely_such_a_hosts() -> None:
    host = nvidia_host(libraries=BOTH[1:], pci=card(device=0x2BB5))
    opened = nvidia_host(libraries=BOTH[1:], pci=card(device=0x2BB5), texts=texts({"/proc/driver/nvidia/version": OPEN}))

    assert (headline(host, NO_CUDA, WORKS).id, is_certain(headline(host, NO_CUDA, WORKS))) == ("vgpu-host-driver", False)
    assert headline(opened, NO_CUDA, WORKS).id == "nv-libcuda-missing"


def stubbed(where: str) -> Host:
    return nvidia_host(libraries=(FoundLibrary("libcuda.so.1", f"{STUB}.1", STUB, where), BOTH[1]))


@pytest.mark.parametrize(
    ("where", "cure"), [("LD_LIBRARY_PATH", "out of `LD_LIBRARY_PATH`"), ("linker cache", "sudo ldconfig")]
)
def test_a_stub_is_taken_out_of_where_it_was_found(where: str, cure: str) -> None:
    found = headline(stubbed(where), refused(34), WORKS)

    assert (found.id, is_certain(found)) == ("nv-stub-library", True)
    assert STUB in found.because and cure in commands(found)


@pytest.mark.parametrize("listed", [(), (an_outcome(a_device("CUDA", pci_id="0000:99:00.0")),)])
def test_a_stub_of_which_cuda_says_nothing_is_why_the_card_does_not_start(listed: tuple[Outcome, ...]) -> None:
    found = next(each for each in findings(stubbed("linker cache"), *listed, WORKS) if each.id == "nv-stub-library")

    assert found.reason is Status.INIT_FAILED


def test_cudas_number_for_a_stub_is_enough() -> None:
    assert headline(nvidia_host(), refused(34), WORKS).id == "nv-stub-library"


def shadowed(version: str) -> Host:
    path = "/usr/local/cuda-12.9/compat/libcuda.so.1"
    shadow = FoundLibrary("libcuda.so.1", path, f"{path[:-1]}{version}", "LD_LIBRARY_PATH")
    return nvidia_host(libraries=(shadow, BOTH[1]))


@pytest.mark.parametrize("code", [803, 804])
def test_a_compatibility_library_that_hides_the_drivers_is_named_and_not_the_update(code: int) -> None:
    found = headline(shadowed("575.57.08"), refused(code), WORKS)

    assert (found.id, is_certain(found)) == ("nv-compat-shadow", True)
    assert "575.57.08" in found.because and VERSION in found.because
    assert "nv-kmod-userspace-mismatch" not in ids(findings(shadowed("575.57.08"), refused(code), WORKS))


def test_one_that_works_is_not_in_the_way() -> None:
    assert findings(shadowed("575.57.08"), an_outcome(cuda()), WORKS, passed(cuda())) == ()


def test_the_drivers_own_library_is_no_shadow() -> None:
    assert "nv-compat-shadow" not in ids(findings(nvidia_host(), refused(803), WORKS))


def test_a_missing_compiler_is_installed_or_given() -> None:
    here = headline(nvidia_host(), refused(221), WORKS)
    inside = headline(nvidia_host(texts=texts(DOCKER)), refused(221), WORKS)

    assert here.id == inside.id == "nv-ptxjit-missing"
    assert "libnvidia-compute-580" in commands(here)
    assert "NVIDIA_DRIVER_CAPABILITIES" in commands(inside)


def test_without_nvml_a_card_that_computes_is_only_watched_less() -> None:
    found = findings(nvidia_host(libraries=BOTH[:1]), an_outcome(cuda()), NO_NVML, passed(cuda()))

    assert [(each.id, each.severity) for each in found] == [("nv-libnvidia-ml-missing", Severity.DEGRADED)]


def in_wsl(*libraries: FoundLibrary) -> Host:
    return a_host(
        kernel="5.15.167.4-microsoft-standard-WSL2",
        nodes=(DeviceNode("/dev/dxg", 0o666, 0, 0, 10, 125, True),),
        facts={"wsl_drivers": "nv_dispi.inf_amd64_0"},
        texts={"/etc/os-release": Reading("ID=ubuntu\n")},
        libraries=libraries,
    )


NONE = refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)
WINDOWS = FoundLibrary("libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1", "linker cache")


def test_a_linux_driver_in_wsl_is_removed() -> None:
    found = findings(in_wsl(library("libcuda.so.1", "550.144")), NONE, address=None)

    assert found[0].id == "wsl-linux-driver-installed"
    assert "sudo apt purge" in commands(found[0])
    assert "CUDA_VISIBLE_DEVICES" not in f"{found[0].because}{commands(found[0])}"


def test_windows_own_library_hides_nothing() -> None:
    assert "wsl-linux-driver-installed" not in ids(findings(in_wsl(WINDOWS), NONE, address=None))


def test_a_loader_that_skips_windows_libraries_is_told_of_them() -> None:
    unsearched = in_wsl(WINDOWS._replace(where="known place"))
    works = cuda(pci_id=None)
    found = findings(unsearched, an_outcome(works), passed(works), address=None)

    assert [(each.id, each.severity) for each in found] == [("wsl-lib-path-missing", Severity.DEGRADED)]
    assert "ld.wsl.conf" in commands(found[0])
    assert findings(in_wsl(WINDOWS), an_outcome(works), passed(works), address=None) == ()


def test_a_card_that_vulkan_does_not_see_lacks_its_manifest() -> None:
    renderer = an_outcome(a_device("Vulkan", name="llvmpipe", vendor_id=0x10005, pci_id=None))
    loader = library("libvulkan.so.1", "1.3", real_path="/usr/lib/x86_64-linux-gnu/libvulkan.so.1.3")
    host = nvidia_host(libraries=(*BOTH, loader), manifests=(a_manifest("/usr/share/vulkan/icd.d/lvp_icd.json"),))
    told = host._replace(manifests=(a_manifest("/etc/vulkan/icd.d/nvidia_icd.json"),))
    working = (an_outcome(cuda()), WORKS, renderer, passed(cuda()))

    assert ("vk-nvidia-icd-missing", Severity.INFO) in [(each.id, each.severity) for each in findings(host, *working)]
    assert "vk-nvidia-icd-missing" not in ids(findings(told, *working))


def test_a_compiler_older_than_the_programs_ptx_asks_for_a_newer_driver() -> None:
    found = headline(nvidia_host(), *no_context(222, failure="no_compiler"), WORKS)

    assert (found.id, is_certain(found)) == ("ptx-newer-than-driver", True)
    assert VERSION in found.because and "newer driver" in commands(found)
    assert "ptx-newer-than-driver" not in ids(findings(nvidia_host(), refused(223), WORKS))
