"""CUDA's runtime libraries: in toolkits, where the loader finds them, and in NVIDIA's wheels, old layout and new."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gpuprobe.facts import CodeFile, FoundSoftware
from gpuprobe.survey import code_files, installed
from gpuprobe.survey.distributions import Distribution
from gpuprobe.survey.tree import Tree

TOOLKIT, WHEEL, CONDA = "toolkit", "wheel", "conda"

_NAMES = "libcudart|libcublas|libcudnn|libnccl"
_LIBRARY = re.compile(rf"({_NAMES})\.so((?:\.[0-9]{{1,9}}){{1,5}})")
_SONAMES = (
    *("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"),
    *("libcublas.so.13", "libcublas.so.12", "libcublas.so.11"),
    *("libcudnn.so.9", "libcudnn.so.8", "libnccl.so.2"),
)
_FOLDERS = ("lib64", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib", "targets/aarch64-linux/lib")


class Wheel(NamedTuple):
    """One of NVIDIA's packages; `{major}` in a folder is CUDA's."""

    distribution: re.Pattern[str]  # its group is CUDA's major version, where the name has it
    library: str
    folders: tuple[str, ...]  # the newest layout first
    code: tuple[str, ...] = ()  # the files in them that hold code for GPUs
    release: bool = False  # its version is CUDA's


_WHEELS = (
    Wheel(
        re.compile(r"nvidia-cuda-runtime(?:-cu([0-9]{2}))?"),
        "libcudart",
        ("nvidia/cu{major}/lib", "nvidia/cuda_runtime/lib"),
        release=True,
    ),
    Wheel(
        re.compile(r"nvidia-cublas(?:-cu([0-9]{2}))?"),
        "libcublas",
        ("nvidia/cu{major}/lib", "nvidia/cublas/lib"),
        ("libcublas.so.*", "libcublasLt.so.*"),
    ),
    Wheel(
        re.compile(r"nvidia-cudnn-cu([0-9]{2})"),
        "libcudnn",
        ("nvidia/cudnn/lib", "nvidia/cu{major}/lib"),
        ("libcudnn_*.so.*",),
    ),
    Wheel(re.compile(r"nvidia-nccl-cu([0-9]{2})"), "libnccl", ("nvidia/nccl/lib", "nvidia/cu{major}/lib"), ("libnccl.so.*",)),
)


def toolkits(tree: Tree) -> Iterator[FoundSoftware]:
    """/usr/local/cuda is mostly a link to one of the others: it comes first, and the file counts once."""
    for name in tree.names("/usr/local"):
        if re.fullmatch(r"cuda(?:-[0-9.]+)?", name):
            for folder in _FOLDERS:
                yield from in_folder(tree, f"/usr/local/{name}/{folder}", TOOLKIT)


def of_conda(tree: Tree, prefix: str) -> Iterator[FoundSoftware]:
    """A toolkit that conda installed lies among the other libraries of its environment."""
    if tree.status(f"{prefix}/conda-meta") is not None:
        yield from in_folder(tree, f"{prefix}/lib", CONDA)


def in_folder(tree: Tree, folder: str, where: str) -> Iterator[FoundSoftware]:
    """The libraries of a folder, each release of them by the name that says most."""
    best: dict[tuple[str, str], tuple[int, str, str]] = {}
    for name in tree.names(folder):
        matched = _LIBRARY.fullmatch(name)
        if matched:
            numbers = matched[2].strip(".")
            key = matched[1], numbers.partition(".")[0]
            best[key] = max(best.get(key, (0, "", "")), (len(numbers.split(".")), numbers, name))
    for (library, _), (_, numbers, name) in best.items():
        yield _library(library, numbers, f"{folder}/{name}", where)


def _library(library: str, numbers: str, path: str, where: str) -> FoundSoftware:
    """What the numbers behind `.so.` tell: cudart counts as its toolkit, cuBLAS by its major alone, the others by neither."""
    parts = numbers.split(".")
    release = {"libcudart": ".".join(parts[:2]) if len(parts) > 2 else parts[0], "libcublas": parts[0]}.get(library)
    version = numbers if len(parts) > 2 else None
    return FoundSoftware(library, path, where, "CUDA", version, release)


def of_the_loader(tree: Tree, environ: Mapping[str, str], machine: str) -> Iterator[FoundSoftware]:
    for hit in installed.named(_SONAMES, tree, environ, "linux", machine):
        matched = _LIBRARY.fullmatch(hit.real_path.rpartition("/")[2]) or _LIBRARY.fullmatch(hit.name)
        if matched:
            yield _library(matched[1], matched[2].strip("."), hit.path, hit.where)


def wheels(tree: Tree, site: str, distributions: Iterable[Distribution]) -> Iterator[FoundSoftware]:
    """NVIDIA's wheels, by the metadata of their distributions, which knows more than the file's name."""
    known = list(distributions)
    for row in _WHEELS:
        mine = [(each, match[1]) for each in known if (match := row.distribution.fullmatch(each.name)) and each.version]
        for each, major in mine:
            found = _wheel(tree, site, row, each, major or (each.version or "").partition(".")[0])
            rivals = [other.name for other, _ in mine if other is not each]
            yield _shared_with(found, rivals, [found.path] if ".so" in found.path else []) if rivals else found


def _wheel(tree: Tree, site: str, row: Wheel, distribution: Distribution, major: str) -> FoundSoftware:
    version = distribution.version or ""
    release = ".".join(version.split(".")[:2]) if row.release else major
    for folder in (f"{site}/{folder.format(major=major)}" for folder in row.folders):
        for found in in_folder(tree, folder, WHEEL):
            if found.name == row.library:
                files = tuple(_code(tree, folder, row.code))
                named = found._replace(distribution=distribution.name, site=site, files=files)
                return named._replace(version=version, release=release)
    damage = "its metadata is there, and the library is not: the wheel is damaged; install it again"
    missing = FoundSoftware(row.library, f"{site}/nvidia", WHEEL, "CUDA", version, release, damage=damage)
    return missing._replace(distribution=distribution.name, site=site)


def _code(tree: Tree, folder: str, patterns: Sequence[str]) -> Iterator[CodeFile]:
    paths = (path for pattern in patterns for path in code_files.matching(tree, folder, pattern))
    for path in code_files.first_of_links(tree, paths):
        file = code_files.read(tree, path).file
        if file.architectures or file.unread:
            yield file


def _shared_with(found: FoundSoftware, rivals: Sequence[str], files: Sequence[str]) -> FoundSoftware:
    """cuDNN and NCCL are one file whichever CUDA they are for, so that two such packages overwrite each other."""
    if not files or found.name not in ("libcudnn", "libnccl"):
        return found
    damage = f"{', '.join(rivals)} is installed too and writes the same files: the one that was installed last is there"
    return found._replace(damage=damage)
