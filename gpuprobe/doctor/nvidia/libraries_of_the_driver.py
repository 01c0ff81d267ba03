"""The driver's libraries for programs: one is missing, a stub stands in its place, or another release hides it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.about_nvidia import recipes, signs
from gpuprobe.doctor.about_nvidia.generations import chip_of
from gpuprobe.doctor.about_nvidia.saying import cause
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.situation import Situation
from gpuprobe.facts import FoundLibrary, Host
from gpuprobe.libraries import NVML, VULKAN
from gpuprobe.machine import asked, kernel_modules
from gpuprobe.machine.nvidia import foreign_to_wsl, module_version
from gpuprobe.machine.surroundings import wsl
from gpuprobe.model import Reason, Status

_HOST_MODULES = ("nvidia_vgpu_vfio", "nvidia_vgpu_mgr")
_MEDIATED = "/sys/class/mdev_bus"
_MANIFEST = re.compile("nvidia[^/]*$")
_BY_PATH = "LD_LIBRARY_PATH"
_GRAPHICS = "start the container with `-e NVIDIA_DRIVER_CAPABILITIES=all`, and install `libxext6 libegl1` in it"


def shadow_of(host: Host) -> FoundLibrary | None:
    """CUDA's library where the loader takes it from a forward-compatibility package."""
    found = signs.library(host, signs.CUDA_FILE)
    return found if found is not None and _is_compatibility(found) else None


def _is_compatibility(found: FoundLibrary) -> bool:
    return any("/compat/" in path or "cuda-compat" in path for path in (found.path, found.real_path))


def _is_stub(found: FoundLibrary) -> bool:
    return any("/stubs/" in path for path in (found.path, found.real_path))


def stub_in_its_place(situation: Situation) -> Iterator[Finding]:
    """What programs are linked with has all the driver's names, and none of its code."""
    known = (signs.library(situation.host, name) for name in (signs.CUDA_FILE, signs.NVML_FILE))
    found = next((each for each in known if each is not None and _is_stub(each)), None)
    if found is None and signs.cuda_code(situation) != 34:
        return
    place = found.path if found else "libcuda.so.1"
    yield cause(
        "nv-stub-library",
        Rung.LIBRARY,
        f"`{place}` is the stub that programs are built with, and hides the driver's own library",
        "a stub hides the driver's library",
        Observed(found.where, found.path) if found else Observed("cuInit", "error 34"),
        fix=tuple(_uncover(found.where if found else _BY_PATH, "the directory of the stub (`stubs`)")),
        reason=signs.how_cuda_ended(situation),
    )


def _uncover(where: str, what: str) -> Iterator[Step]:
    if where == _BY_PATH:
        yield Step(f"take {what} out of `{_BY_PATH}`")
    else:
        yield run(f"take {what} out of `/etc/ld.so.conf.d`, then", "sudo ldconfig")


def compatibility_in_its_place(situation: Situation) -> Iterator[Finding]:
    """A library of `cuda-compat` is for cards of data centers, and for a driver that is older than it."""
    host, found, code = situation.host, shadow_of(situation.host), signs.cuda_code(situation)
    if code not in (803, 804) or (found is None and code != 804):
        return
    module, own = module_version(host), signs.version_of_libraries(host)
    differs = f" ({own}, the driver is {module})" if own and module and own != module else ""
    place = f"`{found.path}`{differs}" if found else "a library of `cuda-compat`"
    yield cause(
        "nv-compat-shadow",
        Rung.LIBRARY,
        f"{place} is taken in place of the driver's own library, and this card or driver does not allow that",
        "`cuda-compat` hides the driver's library",
        Observed(found.where, found.path) if found else None,
        Observed("cuInit", f"error {code}"),
        fix=(
            *_uncover(found.where if found else _BY_PATH, "the directory of `cuda-compat`"),
            *(
                [Step("or use an image whose CUDA is no newer than the host's driver", where=Place.HOST)]
                if situation.container
                else []
            ),
        ),
        reason=signs.how_cuda_ended(situation),
    )


def cuda_part_missing(situation: Situation) -> Iterator[Finding]:
    """The driver works and its library for CUDA is nowhere. In a container that is what it was given; see there."""
    host = situation.host
    if not signs.has_no_cuda(situation) or not signs.is_bound(situation) or situation.container or wsl(host):
        return
    if _is_host_of_virtual_cards(situation):
        return
    version = signs.driver_version(host)
    driver = f"driver {version}" if version else "the driver"
    works = f"{driver} works" if signs.whole_view(situation) else f"{driver} is loaded"
    yield cause(
        "nv-libcuda-missing",
        Rung.LIBRARY,
        f"{works}, and its library for CUDA (`{signs.CUDA_FILE}`) is not installed",
        f"`{signs.CUDA_FILE}` is not installed",
        Observed(signs.CUDA_FILE, "in none of the loader's directories"),
        Observed("/sys/module/nvidia/version", version) if version else None,
        fix=(recipes.compute_part(situation, version),),
        reason=Status.NOT_LOADABLE,
    )


def _is_host_of_virtual_cards(situation: Situation) -> bool:
    host = situation.host
    loaded = any(kernel_modules.is_loaded(host, name) for name in _HOST_MODULES)
    return loaded or bool(asked.names_in(host, _MEDIATED)) or _has_only_a_host_driver(situation)


def _has_only_a_host_driver(situation: Situation) -> bool:
    """A closed module never starts such a chip but in NVIDIA's driver for hosts of virtual GPUs."""
    chip = chip_of(situation.card)
    works = signs.whole_view(situation) is not None and signs.virtual_machine(situation.host) is None
    is_closed = signs.is_open_module(situation.host) is False
    return works and is_closed and chip is not None and chip.module == "open"


def host_of_virtual_cards(situation: Situation) -> Iterator[Finding]:
    """NVIDIA's driver for hosts of virtual GPUs has NVML and no CUDA. Another driver would end the guests' GPUs."""
    host = situation.host
    if not signs.has_no_cuda(situation) or not signs.is_bound(situation) or situation.container:
        return
    if not _is_host_of_virtual_cards(situation):
        return
    loaded = [name for name in _HOST_MODULES if kernel_modules.is_loaded(host, name)]
    seen = Observed(f"/sys/module/{loaded[0]}", "loaded") if loaded else Observed(signs.VERSION, "closed module on this chip")
    yield cause(
        "vgpu-host-driver",
        Rung.LIBRARY,
        f"driver {signs.driver_version(host)} is that of a host of virtual GPUs: NVML works, and it has no `{signs.CUDA_FILE}`",
        "the vGPU host driver has no CUDA",
        seen,
        Observed(signs.CUDA_FILE, "in none of the loader's directories"),
        fix=(Step("compute in a virtual machine that is given a virtual GPU; leave this driver as it is", where=Place.HERE),),
        reason=Status.NOT_LOADABLE,
        settle=None if loaded else "nvidia-smi vgpu -q",
    )


def management_part_missing(situation: Situation) -> Iterator[Finding]:
    """CUDA works and NVML is nowhere: programs that ask it for free memory or names go without."""
    host, answer = situation.host, signs.nvml_answer(situation)
    if not situation.kept or not signs.is_bound(situation) or signs.library(host, signs.NVML_FILE) is not None:
        return
    if answer is None or not answer.status.not_there or signs.library(host, signs.CUDA_FILE) is None:
        return
    if situation.container:
        fix = Step("start the container with `-e NVIDIA_DRIVER_CAPABILITIES=compute,utility`", where=Place.HOST)
    else:
        fix = recipes.management_part(situation, signs.driver_version(host))
    yield cause(
        "nv-libnvidia-ml-missing",
        Rung.LIBRARY,
        f"NVML (`{signs.NVML_FILE}`) is not installed here: `nvidia-smi` and programs that ask it do not work",
        "NVML is not installed",
        Observed(signs.NVML_FILE, "in none of the loader's directories"),
        fix=(fix,),
        reason=Status.NOT_LOADABLE,
        severity=Severity.DEGRADED,
        library=NVML,
    )


def compiler_missing(situation: Situation) -> Iterator[Finding]:
    if signs.cuda_code(situation) != 221:
        return
    version = signs.driver_version(situation.host)
    in_container = Step("start the container with `-e NVIDIA_DRIVER_CAPABILITIES=compute,utility`", where=Place.HOST)
    yield cause(
        "nv-ptxjit-missing",
        Rung.LIBRARY,
        "the driver's compiler (`libnvidia-ptxjitcompiler.so.1`) is not installed here",
        "the driver's compiler is missing",
        Observed("libnvidia-ptxjitcompiler.so.1", "CUDA does not find it (error 221)"),
        fix=(in_container if situation.container else recipes.compute_part(situation, version),),
        reason=Reason.FAILED_VALIDATION,
    )


def compiler_too_old(situation: Situation) -> Iterator[Finding]:
    """The driver runs machine code of newer toolkits of its major version; what is left to compile it does not know."""
    if signs.cuda_code(situation) != 222:
        return
    version = signs.driver_version(situation.host)
    yield cause(
        "ptx-newer-than-driver",
        Rung.CONTEXT,
        f"the compiler of driver {version or 'this release'} does not know PTX as new as the program's",
        "the driver's compiler is too old",
        Observed("CUDA", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222)"),
        fix=(recipes.newer(situation, None),),
        reason=Reason.NOT_DECIDED,
    )


def foreign_library_in_wsl(situation: Situation) -> Iterator[Finding]:
    """Inside WSL the driver is that of Windows; one for Linux hides it and never works."""
    path = foreign_to_wsl(situation.host, (signs.CUDA_FILE,)) or foreign_to_wsl(situation.host, (signs.NVML_FILE,))
    if path is None:
        return
    purge = "sudo apt purge 'nvidia-driver-*' 'libnvidia-compute-*' 'cuda-drivers*' && sudo ldconfig"
    remove = run("remove it:", purge) if recipes.family(situation.host) in (recipes.UBUNTU, recipes.DEBIAN, None) else None
    yield cause(
        "wsl-linux-driver-installed",
        Rung.LIBRARY,
        f"`{path}` is a driver for Linux, which never works in WSL and hides that of Windows in `/usr/lib/wsl/lib`",
        "a Linux driver hides that of Windows",
        Observed(path.rpartition("/")[2], path),
        fix=(remove or Step("remove the packages of NVIDIA's driver for Linux from this distribution", needs_root=True),),
        reason=signs.how_cuda_ended(situation),
    )


def windows_library_not_searched(situation: Situation) -> Iterator[Finding]:
    """gpuprobe looks into `/usr/lib/wsl/lib` by itself; the loader does so only where it is told to."""
    found = signs.library(situation.host, signs.CUDA_FILE)
    if wsl(situation.host) != 2 or found is None or found.where != "known place" or not found.path.startswith("/usr/lib/wsl/"):
        return
    tell = "echo /usr/lib/wsl/lib | sudo tee /etc/ld.so.conf.d/ld.wsl.conf && sudo ldconfig"
    yield cause(
        "wsl-lib-path-missing",
        Rung.LIBRARY,
        "Windows' libraries are in `/usr/lib/wsl/lib`, and the loader does not look there: other programs do not find them",
        "the loader skips `/usr/lib/wsl/lib`",
        Observed(found.path, "there"),
        Observed("/etc/ld.so.cache", "without it"),
        fix=(run("tell it with", tell),),
        reason=Status.NOT_LOADABLE,
        severity=Severity.DEGRADED if situation.kept else Severity.BLOCKER,
    )


def vulkan_part_missing(situation: Situation) -> Iterator[Finding]:
    """CUDA works, Vulkan's loader is there, and nothing tells it of NVIDIA's driver."""
    host = situation.host
    loader = situation.listing(VULKAN.name)
    told = any(_MANIFEST.search(manifest.path) for manifest in host.manifests)
    if not situation.kept or not signs.is_bound(situation) or told or loader is None or loader.status.not_there:
        return
    if signs.library(host, "libvulkan.so.1") is None or situation.views(VULKAN.name):
        return
    given = Step(_GRAPHICS, where=Place.HOST)
    own = Step("install the driver's part for graphics (Ubuntu: `libnvidia-gl-…` of the driver's branch)", needs_root=True)
    yield cause(
        "vk-nvidia-icd-missing",
        Rung.LIBRARY,
        "NVIDIA's driver for Vulkan is not installed here: programs that compute through Vulkan do not see the card",
        "NVIDIA's Vulkan driver is missing",
        Observed("Vulkan's driver manifests", f"{len(host.manifests)}, none of NVIDIA's"),
        fix=(given if situation.container else own,),
        reason=Status.NO_DEVICES,
        severity=Severity.INFO,
        library=VULKAN,
    )


CHECKS = (
    stub_in_its_place,
    compatibility_in_its_place,
    foreign_library_in_wsl,
    windows_library_not_searched,
    host_of_virtual_cards,
    cuda_part_missing,
    compiler_missing,
    compiler_too_old,
    management_part_missing,
    vulkan_part_missing,
)
