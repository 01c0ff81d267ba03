"""rocBLAS by its kernel files, which are named for their architectures: AMD's, a distribution's, torch's and of builds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from gpuprobe.facts import FoundSoftware
from gpuprobe.survey.tree import Tree

ROCM = "ROCm"

_TENSILE = re.compile(r"(?:TensileLibrary|Kernels)\S*?[_-](gfx[0-9a-f]{3,5})((?:-[a-z]+[+-]){0,2})\.(?:dat|co|hsaco)")
_LAZY = "TensileLibrary_lazy_"
_RELEASE_OF_ROCM = re.compile(r"/rocm-([0-9]{1,3}(?:\.[0-9]{1,3}){1,2})(?:/|$)")


def rocblas(tree: Tree, others: Sequence[str]) -> Iterator[FoundSoftware]:
    """With the library beside the kernels, wherever a library folder of AMD, of the distribution or of `others` has them."""
    releases = [f"/opt/{name}/lib" for name in tree.names("/opt") if re.fullmatch(r"rocm(?:-[0-9.]+)?", name)]
    for folder in (*releases, "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", *others):
        yield from in_folder(tree, folder)


def in_folder(tree: Tree, folder: str) -> Iterator[FoundSoftware]:
    kernels = f"{folder}/rocblas/library"
    names = tree.names(kernels)
    targets = kernel_targets(names)
    if names:
        release = _RELEASE_OF_ROCM.search(tree.real_path(kernels))
        problem = None if targets else f"no file in `{kernels}` is named for an architecture"
        version, path = _version(tree, folder), _library(tree, folder) or kernels
        yield FoundSoftware("rocBLAS", path, ROCM, "ROCm", version, release and release[1], targets, problem)


def _library(tree: Tree, folder: str) -> str | None:
    """The file by the name that programs load it by, `librocblas.so.4`; a wheel has it without a number."""
    names = [name for name in tree.names(folder) if re.fullmatch(r"librocblas\.so(?:\.[0-9]{1,9})?", name)]
    return f"{folder}/{max(names, key=len)}" if names else None


def _version(tree: Tree, folder: str) -> str | None:
    real = tree.real_path(f"{folder}/librocblas.so").rpartition("/")[2]
    matched = re.fullmatch(r"librocblas\.so\.([0-9]{1,9}(?:\.[0-9]{1,9}){1,3})", real)
    return matched[1] if matched else None


def kernel_targets(names: Iterable[str]) -> tuple[str, ...]:
    """The architectures of rocBLAS's kernel files. Where it has an index for each, only those count: it opens them first."""
    known = [name for name in names if "gfx" in name]
    lazy = [name for name in known if name.startswith(_LAZY)]
    found = (_TENSILE.fullmatch(name) for name in lazy or known)
    return tuple(sorted({match[1] + re.sub(r"-([a-z]+[+-])", r":\1", match[2]) for match in found if match}))
