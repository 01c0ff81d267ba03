"""Which libraries of the GPU's vendors a framework loads, and whether its environment has them in the version it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from posixpath import dirname, normpath
from typing import NamedTuple

from gpuprobe.facts import FoundSoftware, Need
from gpuprobe.survey import elf, installed
from gpuprobe.survey.code_files import folders_matching
from gpuprobe.survey.tree import Tree

# Of CUDA, ROCm, oneAPI and what stands on them. The driver's own (libcuda, libnvidia-*) come with the driver.
_STEMS = (
    "cudart|cublas|cublasLt|cudnn|cufft|curand|cusolver|cusolverMg|cusparse|cusparseLt|cupti|cufile|nccl|nvrtc|nvJitLink|"
    "nvinfer|nvinfer_plugin|nvonnxparser|nvshmem_host|nvToolsExt|amdhip64|hiprtc|hipblas|hipblaslt|hipfft|hiprand|hipsolver|"
    "hipsparse|hipsparselt|hsa-runtime64|rocblas|rocsolver|rocsparse|rocfft|rocrand|MIOpen|migraphx|migraphx_c|rccl|"
    "roctx64|ze_loader|sycl|OpenCL|openvino|openvino_c|mkl_sycl_blas|dnnl"
)
_LIBRARY = re.compile(rf"lib({_STEMS})\.so(?:\.([0-9]{{1,4}}))?(?:\.[0-9]{{1,9}}){{0,4}}")
# What a program looks for when it needs it, and cannot do without: NCCL is for several cards only.
_LATER = b"cudart|cublas|cublasLt|cudnn|cufft|curand|cusolver|cusparse|nvrtc|rocblas|hipblas|hipblaslt|MIOpen|amdhip64"
_IN_TEXTS = re.compile(rb"\0(lib(?:%b)\.so\.[0-9]{1,4})(?=\0)" % _LATER)
_MOST_TEXTS = 64 * 1024 * 1024  # bytes of constants that are searched: those of TensorFlow take 40 MB
_MOST_NEEDS = 64

_BESIDE = ("nvidia/*/lib", "*.libs", "tensorrt_libs", "_rocm_sdk*/lib", "torch/lib", "intel/*/lib")


class Wanted(NamedTuple):
    names: tuple[str, ...]
    folders: tuple[str, ...]  # where the library that names them has the loader look first


def wanted(tree: Tree, paths: Iterable[str], *, in_texts: bool = False) -> Wanted:
    """What these libraries name for the loader; `in_texts`: also what stands in their constants to be loaded later."""
    names: dict[str, None] = {}
    folders: dict[str, None] = {}
    for path in paths:
        try:
            links = elf.links(tree, path)
            texts = _in_texts(tree, path) if in_texts else ()
        except (OSError, ValueError):
            continue
        names.update(dict.fromkeys(name for name in (*links.needed, *texts) if _LIBRARY.fullmatch(name)))
        folders[dirname(path)] = None
        folders.update(dict.fromkeys(_from(dirname(path), place) for place in links.places))
    return Wanted(tuple(names)[:_MOST_NEEDS], tuple(folders))


def _in_texts(tree: Tree, path: str) -> tuple[str, ...]:
    found = elf.find_all(tree, path, b".rodata", _IN_TEXTS, _MOST_TEXTS)
    return tuple(name.decode("ascii") for name in found[:_MOST_NEEDS])


def _from(folder: str, place: str) -> str:
    return normpath(re.sub(r"\$(?:ORIGIN|\{ORIGIN\})", lambda _: folder, place))


class Shelf:
    """The libraries in the directories of one environment, listed once: by stem and major version."""

    def __init__(self, tree: Tree, site: str) -> None:
        self._tree = tree
        self._known: dict[str, dict[str, dict[str, str]]] = {}
        prefix = site.rpartition("/lib")[0]
        found = (folder for pattern in _BESIDE for folder in folders_matching(tree, site, pattern))
        self._folders = (*found, *((f"{prefix}/lib",) if prefix else ()))

    def need(self, name: str, first: Iterable[str], loader: Mapping[str, str]) -> Need:
        """Where it is: as its library says, in the environment, or where the loader looks."""
        matched = _LIBRARY.fullmatch(name)
        stem, major = (matched[1], matched[2] or "") if matched else (name, "")
        there: dict[str, str] = {}
        for folder in dict.fromkeys((*first, *self._folders)):
            for number, path in self._in(folder).get(stem, {}).items():
                there.setdefault(number, path)
        found = there.get(major) or loader.get(name)
        others = sorted((number for number in there if number not in ("", major)), key=int)
        return Need(name, found, tuple(others))

    def _in(self, folder: str) -> dict[str, dict[str, str]]:
        """Of a directory: stem → major version → path."""
        if folder not in self._known:
            known: dict[str, dict[str, str]] = {}
            for name in self._tree.names(folder):
                matched = _LIBRARY.fullmatch(name)
                if matched:
                    known.setdefault(matched[1], {}).setdefault(matched[2] or "", f"{folder}/{name}")
            self._known[folder] = known
        return self._known[folder]


class Pending(NamedTuple):
    """A framework whose needs are known and not yet looked for."""

    software: FoundSoftware
    wanted: Wanted


def with_needs(pending: Iterable[Pending], tree: Tree, environ: Mapping[str, str], machine: str) -> Iterator[FoundSoftware]:
    """With where each needed library is. The loader's cache is read once for all."""
    waiting = list(pending)
    names = tuple(dict.fromkeys(name for each in waiting for name in each.wanted.names))
    loader = {hit.name: hit.path for hit in installed.named(names, tree, environ, "linux", machine)} if names else {}
    shelves: dict[str, Shelf] = {}
    for software, wants in waiting:
        if not wants.names:
            yield software
            continue
        site = software.site or ""
        if site not in shelves:
            shelves[site] = Shelf(tree, site)
        yield software._replace(needs=tuple(shelves[site].need(name, wants.folders, loader) for name in wants.names))
