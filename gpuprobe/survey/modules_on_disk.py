"""Which modules for GPUs lie on disk, for which kernels, whose cards they claim, and what DKMS built of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from posixpath import basename, join, normpath

from gpuprobe.facts import PciFunction, Reading
from gpuprobe.facts.system_facts import DkmsModule, KernelModules
from gpuprobe.survey.pci import DEVICES
from gpuprobe.survey.tree import ABSENT, Tree

GPU_MODULE = re.compile(
    r"nvidia(?:[-_][a-z_-]{1,32})?|nouveau|nova[-_](?:core|drm)|nvgpu|nvmap|amdgpu|amdkfd|amdkcl|amdttm|amdxcp|amd[-_]sched|radeon|ttm"
    r"|i915|xe|dxgkrnl|vfio[-_]pci(?:[-_]core)?|vgpu[-_]?[a-z_]{0,20}|mtgpu|v3d|panfrost|panthor|asahi|msm|virtio[-_]gpu|bbswitch"
)
_PLACES = ("/lib/modules", "/usr/lib/modules", "/run/booted-system/kernel-modules/lib/modules")
_BUILT_HERE = ("updates/dkms", "updates", "extra", "extra/nvidia", "extra/nvidia-open", "weak-updates/nvidia", "weak-updates")
_FILE = re.compile(r"[\w.+/-]{1,200}\.ko(?:\.(?:xz|zst|gz))?")
_MOST_KERNELS = 16
_MOST_FILES = 64
_LARGEST = 16 * 1024 * 1024  # bytes; modules.alias of a distribution's kernel has 1.5 MB, modules.dep 0.7
_DKMS = "/var/lib/dkms"
_DKMS_MODULE = re.compile(
    r"nvidia[\w.+-]{0,40}|amdgpu[\w.+-]{0,40}|(?:intel-)?i915[\w.+-]{0,40}|xe[\w.+-]{0,20}|mtgpu[\w.+-]{0,20}"
)
_MOST_VERSIONS = 16
_END_OF_LOG = 3000  # characters


def modules_on_disk(tree: Tree, kernel: str) -> tuple[KernelModules, ...]:
    """The running kernel's first, then the others by name; the running one also where it has no directory."""
    place = next((place for place in _PLACES if tree.folders(place)), _PLACES[0])
    others = [name for name in tree.folders(place) if name != kernel][: _MOST_KERNELS - 1]
    return tuple(_of_kernel(tree, place, name) for name in (kernel, *others) if name)


def _of_kernel(tree: Tree, root: str, kernel: str) -> KernelModules:
    place = f"{root}/{kernel}"
    problem = tree.why_unlisted(place)
    if problem is not None:
        return KernelModules(kernel, () if problem == ABSENT else None, problem=problem)
    listed = tree.read(f"{place}/modules.dep", _LARGEST)
    files = dict.fromkeys((*_named(listed.text or ""), *_built_here(tree, place)))
    built_in = tree.read(f"{place}/modules.builtin", _LARGEST)
    return KernelModules(
        kernel,
        files=None if listed.problem not in (None, ABSENT) else tuple(files)[:_MOST_FILES],
        built_in=tuple(_named(built_in.text))[:_MOST_FILES] if built_in.text is not None else None,
        build=_build(tree, place),
        problem=listed.problem,
    )


def _named(listed: str) -> Iterator[str]:
    """Of lines such as `kernel/drivers/gpu/drm/xe/xe.ko.zst: …` the files of modules for GPUs."""
    for line in listed.splitlines():
        file = line.partition(":")[0]
        if is_gpu_module(basename(file).partition(".ko")[0]) and _FILE.fullmatch(file):
            yield file


def is_gpu_module(name: str) -> bool:
    return len(name) <= 64 and GPU_MODULE.fullmatch(name) is not None


def _built_here(tree: Tree, place: str) -> Iterator[str]:
    """What was built on this machine, also where `depmod` has not run since."""
    for folder in _BUILT_HERE:
        names = (name for name in tree.names(f"{place}/{folder}") if _FILE.fullmatch(name))
        yield from (f"{folder}/{name}" for name in names if is_gpu_module(name.partition(".ko")[0]))


def _build(tree: Tree, place: str) -> str:
    target = tree.target(f"{place}/build")
    if target is None:
        return "there" if tree.status(f"{place}/build") is not None else "absent"
    return "there" if tree.status(normpath(join(place, target))) is not None else "dangling"


def claims(tree: Tree, kernel: str, functions: Sequence[PciFunction]) -> dict[str, tuple[str, ...]] | None:
    """PCI address → the modules of this kernel that say that they are for that card; None: they could not be read."""
    place = next((place for place in _PLACES if tree.folders(place)), _PLACES[0])
    listed = tree.read(f"{place}/{kernel}/modules.alias", _LARGEST)
    if listed.text is None:
        return None
    cards = {each.address: _alias(tree, each) for each in functions[:256] if each.vendor is not None}
    makers = tuple(f"alias pci:v{vendor:08X}" for vendor in {each.vendor for each in functions if each.vendor is not None})
    lines = [line.split() for line in listed.text.splitlines() if line.startswith((*makers, "alias pci:v*"))]
    rows = [(line[1], line[2]) for line in lines if len(line) == 3 and len(line[1]) < 200 and len(line[2]) < 64]
    return {address: _fitting(alias, rows) for address, alias in cards.items()}


def _fitting(alias: str, rows: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    fitting = (module.replace("-", "_") for pattern, module in rows if fnmatchcase(alias, pattern))
    return tuple(dict.fromkeys(fitting))[:16]


def _alias(tree: Tree, function: PciFunction) -> str:
    """As the kernel writes it; made up of its numbers where there is no such file."""
    written = tree.line(f"{DEVICES}/{function.address}/modalias")
    if written is not None:
        return written[:200]
    kind = function.class_code or 0
    numbers = f"v{function.vendor or 0:08X}d{function.device or 0:08X}sv00000000sd00000000"
    return f"pci:{numbers}bc{kind >> 16 & 0xFF:02X}sc{kind >> 8 & 0xFF:02X}i{kind & 0xFF:02X}"


def dkms_modules(tree: Tree) -> tuple[DkmsModule, ...] | None:
    """By name and version; None: DKMS' directory may not be read."""
    names = [name for name in tree.folders(_DKMS) if _DKMS_MODULE.fullmatch(name)][:_MOST_VERSIONS]
    if tree.why_unlisted(_DKMS) not in (None, ABSENT):
        return None
    return tuple(each for name in names for each in _versions(tree, name))


def _versions(tree: Tree, name: str) -> Iterator[DkmsModule]:
    for version in tree.folders(f"{_DKMS}/{name}")[: 4 * _MOST_VERSIONS]:
        place = f"{_DKMS}/{name}/{version}"
        if not version.startswith("kernel-"):
            built = (kernel for kernel in tree.folders(place) if _is_built(tree, f"{place}/{kernel}"))
            yield DkmsModule(name, version, tuple(built)[:_MOST_KERNELS], _end_of(tree, f"{place}/build/make.log"))


def _is_built(tree: Tree, place: str) -> bool:
    return any(tree.names(f"{place}/{machine}/module") for machine in tree.folders(place)[:8])


def _end_of(tree: Tree, path: str) -> Reading | None:
    reading = tree.read(path, _LARGEST)
    if reading.problem == ABSENT:
        return None
    return reading._replace(text=reading.text[-_END_OF_LOG:]) if reading.text is not None else reading
