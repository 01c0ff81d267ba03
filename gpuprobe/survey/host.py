"""What the machine says of itself before any GPU library is loaded: read verbatim, judged elsewhere (machine).

Nothing here opens a device node, reads a card's `config` or does anything else that would wake a sleeping card.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence

from gpuprobe import contexts as contextlib
from gpuprobe import environment, vendors
from gpuprobe.facts import DeviceNode, FoundBuild, FoundSoftware, Host, NamedPlace, PciFunction, Reading
from gpuprobe.survey.amd import KFD_NODES, amd_files
from gpuprobe.survey.builds import builds
from gpuprobe.survey.device_nodes import CARD_NODES, groups_of_this_process
from gpuprobe.survey.device_nodes import nodes as nodes_of
from gpuprobe.survey.drm import DRM, devices_off_the_bus
from gpuprobe.survey.installed import libraries, manifests
from gpuprobe.survey.intel import intel_files
from gpuprobe.survey.memory_limits import memory_limits
from gpuprobe.survey.nvidia import nvidia_files
from gpuprobe.survey.pci import DEVICES, pci_functions
from gpuprobe.survey.tree import Tree

CGROUP, MEMINFO, CPUINFO = "/proc/self/cgroup", "/proc/meminfo", "/proc/cpuinfo"
CPUS = "/sys/devices/system/cpu"
WSL_DRIVERS = "/usr/lib/wsl/drivers"

_MODULES = tuple(module for vendor in vendors.VENDORS for module in vendor.modules)
_TEXTS = (
    "/etc/os-release",
    MEMINFO,
    "/proc/version",
    "/proc/sys/kernel/osrelease",
    "/proc/devices",
    CGROUP,
    "/sys/class/dmi/id/sys_vendor",
    "/sys/class/dmi/id/product_name",
    "/sys/hypervisor/type",
    "/.dockerenv",
    "/run/.containerenv",
    "/run/systemd/container",
    "/.flatpak-info",
    "/proc/device-tree/model",
    "/proc/device-tree/compatible",
    f"{CPUS}/online",
    f"{CPUS}/cpu0/topology/thread_siblings_list",
    *(f"/sys/module/{module}/{file}" for module in _MODULES for file in ("version", "initstate")),
)
_CHANGING = frozenset({MEMINFO, "/proc/devices", CGROUP, *(path for path in _TEXTS if path.startswith("/sys/module/"))})
# Directories whose emptiness would say something of the machine; see machine/unread.py.
_LISTED = (
    ("sys_problem", "/sys/bus"),
    ("pci_problem", DEVICES),
    ("drm_problem", DRM),
    ("kfd_problem", KFD_NODES),
    ("dev_problem", "/dev"),
    ("dri_problem", "/dev/dri"),
    ("proc_problem", "/proc/self"),
)
_OTHER_OS_RELEASE = "/usr/lib/os-release"
_LASTING = frozenset({*_TEXTS, CPUINFO, _OTHER_OS_RELEASE}) - _CHANGING
_LINKS = ("/usr/local/cuda", "/opt/rocm")

_DISPLAY = 0x03  # the class of what can show a picture
_CACHE_FILES = ("level", "type", "size")


def read_host(
    root: str = "/",
    environ: Mapping[str, str] | None = None,
    platform: str | None = None,
    machine: str | None = None,
    lib_dirs: Sequence[str] = (),
    *,
    software: bool = True,
    software_dirs: Sequence[str] = (),
) -> Host:
    """The survey of this machine, or of one whose files lie below `root`. Never raises for what it finds there.

    Paths in the answer are without the root; `lib_dirs` are further directories that hold builds. `platform` and `machine`
    are as in sys.platform and `uname -m`. What only a system call knows (users, allowed CPUs) is always this process's own.
    `software`: also look for toolkits and frameworks, which a saved discovery is not keyed by; there can be many packages.
    `software_dirs` are environments that are looked through first, and where there is no card too.
    """
    tree = Tree(root.rstrip("/") or "/")
    environ = os.environ if environ is None else environ
    platform = platform or sys.platform
    machine = machine or _machine()
    texts = _texts(tree) if platform == "linux" else {}
    functions = pci_functions(tree) if platform == "linux" else ()
    uid = os.geteuid() if hasattr(os, "geteuid") else None
    found = builds(tree, environ, platform, machine, named=lib_dirs, uid=uid)
    nodes = tuple(nodes_of(tree)) if platform == "linux" else ()
    if functions or nodes:
        from gpuprobe.survey.boot_files import boot_files

        texts.update(boot_files(tree))
    return Host(
        platform=platform,
        machine=machine,
        kernel=_kernel(tree, texts),
        uid=uid,
        gids=groups_of_this_process(),
        cpus_allowed=_cpus_allowed(),
        environ=environment.known(environ),
        texts={**texts, **dict((*amd_files(tree, functions), *intel_files(tree, functions)))} if platform == "linux" else texts,
        links={path: target for path in _LINKS if (target := tree.target(path))} if platform == "linux" else {},
        pci=functions,
        nodes=nodes,
        libraries=tuple(libraries(tree, environ, platform, machine)),
        manifests=tuple(manifests(tree, environ, platform)),
        builds=found.builds,
        empty_places=(*found.empty, *_without_packages(tree, software_dirs)),
        software=(
            _software(tree, environ, machine, software_dirs, found.builds)
            if software and platform == "linux" and (software_dirs or _computes(functions, nodes))
            else None
        ),
        engines=found.engines,
        off_the_bus=devices_off_the_bus(tree) if platform == "linux" else (),
        facts=_facts(tree, platform),
    )


def survey_again(earlier: Host, lib_dirs: Sequence[str] = ()) -> Host:
    """This machine a moment after `earlier`: its cards, nodes, drivers and memory are read, and the rest is taken over.

    What is installed, what the processor is and what the system is called take two thirds of a survey's time.
    """
    if earlier.platform != "linux":
        return read_host(lib_dirs=lib_dirs, software=False)
    tree = Tree()
    functions = pci_functions(tree, earlier.pci)
    lasting = {path: reading for path, reading in earlier.texts.items() if path in _LASTING or path.startswith(CPUS)}
    changing = {path: tree.read(path) for path in _CHANGING}
    limits = memory_limits(tree, changing[CGROUP].text or "")
    of_drivers = (*nvidia_files(tree), *amd_files(tree, functions), *intel_files(tree, functions))
    return earlier._replace(
        texts={**lasting, **changing, **dict((*limits, *of_drivers))},
        pci=functions,
        nodes=tuple(nodes_of(tree)),
        off_the_bus=devices_off_the_bus(tree),
        facts=_facts(tree, earlier.platform),
    )


def _computes(functions: tuple[PciFunction, ...], nodes: tuple[DeviceNode, ...]) -> bool:
    """Whether a card that frameworks are made for is on the bus or as a node: without one nobody asks what would compute on
    it, and the packages of a machine without are not looked through."""
    return any(map(_serves_frameworks, functions)) or any(node.path.startswith(CARD_NODES) for node in nodes)


def _serves_frameworks(function: PciFunction) -> bool:
    """The graphics inside a processor are left out: half of all laptops have some, and compute on the CPU."""
    vendor = vendors.vendor_of(function.vendor)
    if vendor is None or not vendor.has_toolkits:
        return False
    is_display = function.class_code is not None and function.class_code >> 16 == _DISPLAY
    return vendor.integrated_at is None or (is_display and not function.address.endswith(vendor.integrated_at))


def _software(
    tree: Tree, environ: Mapping[str, str], machine: str, named: Sequence[str], found: tuple[FoundBuild, ...]
) -> tuple[FoundSoftware, ...]:
    from gpuprobe.survey import software

    return software.software(tree, environ, machine, [tree.absolute(path) for path in named], found)


def _without_packages(tree: Tree, named: Sequence[str]) -> Iterator[NamedPlace]:
    """Directories that the user named for software and that hold none that could be found."""
    if not named:
        return
    from gpuprobe.survey.packages import BY_OPTION, named_places

    for path in named:
        whole = tree.absolute(path)
        if not named_places(tree, whole) and not tree.folders(f"{whole}/node_modules"):
            yield NamedPlace(path, BY_OPTION, "holds no packages of Python or node")


def _machine() -> str:
    try:
        return os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "")
    except OSError:
        return ""


def _kernel(tree: Tree, texts: Mapping[str, Reading]) -> str:
    written = texts.get("/proc/sys/kernel/osrelease", Reading(None)).text
    if written is None and tree.is_this_machine and hasattr(os, "uname"):
        with contextlib.suppress(OSError):
            return os.uname().release
    return (written or "").strip()


def _cpus_allowed() -> int | None:
    """None: the system has no such notion, or a profile (seccomp) forbids to ask."""
    try:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    except OSError:
        return None


def _texts(tree: Tree) -> dict[str, Reading]:
    texts = {path: tree.read(path) for path in _TEXTS}
    texts[CPUINFO] = _first_processor(tree)
    if texts["/etc/os-release"].text is None:
        texts[_OTHER_OS_RELEASE] = tree.read(_OTHER_OS_RELEASE)
    for path in _cache_files(tree):
        texts[path] = tree.read(path)
    texts.update(nvidia_files(tree))
    texts.update(memory_limits(tree, texts[CGROUP].text or ""))
    return texts


def _first_processor(tree: Tree) -> Reading:
    """The first block of /proc/cpuinfo: the kernel writes it as it is read, and 256 processors are half a megabyte."""
    reading = tree.read(CPUINFO, most=8192)
    return reading._replace(text=reading.text.partition("\n\n")[0] + "\n") if reading.text else reading


def _cache_files(tree: Tree) -> Iterator[str]:
    place = f"{CPUS}/cpu0/cache"
    return (f"{place}/{name}/{file}" for name in tree.names(place) if name.startswith("index") for file in _CACHE_FILES)


def _facts(tree: Tree, platform: str) -> dict[str, int | str | None]:
    """Behind all else: what could not be listed when it was asked for is said here."""
    if platform == "linux":
        return {
            "cpu_count": os.cpu_count() if tree.is_this_machine else None,
            **{fact: tree.why_unlisted(place) for fact, place in _LISTED},
            "wsl_drivers": " ".join(tree.names(WSL_DRIVERS)) or None,
        }
    from gpuprobe.survey import other_systems

    return other_systems.facts(platform) if tree.is_this_machine else {}
