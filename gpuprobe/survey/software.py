"""Which runtime libraries and frameworks are installed for the cards, by their files alone: nothing is loaded or imported.

Files may be another user's: they are read as bytes, to a bound, and a name or version in them is nothing but a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gpuprobe.facts import FoundSoftware
from gpuprobe.survey import elf, installed
from gpuprobe.survey.packages import site_directories
from gpuprobe.survey.tree import Tree, problem_of

TOOLKIT, WHEEL, ROCM = "toolkit", "wheel", "ROCm"

_NVIDIA_LIBRARY = re.compile(r"(libcudart|libcublas|libnccl)\.so((?:\.[0-9]{1,9}){1,5})")
_SONAMES = (
    *("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"),
    *("libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "libnccl.so.2"),
)
_DISTRIBUTION = re.compile(r"nvidia_(cuda_runtime|cublas|nccl)(?:_cu([0-9]{2}))?-([0-9][0-9.]{0,30})\.dist-info")
_FILES = {"cuda_runtime": "libcudart", "cublas": "libcublas", "nccl": "libnccl"}

_TENSILE = re.compile(r"(?:TensileLibrary|Kernels)\S*?[_-](gfx[0-9a-f]{3,5})((?:-[a-z]+[+-]){0,2})\.(?:dat|co|hsaco)")
_LAZY = "TensileLibrary_lazy_"
_RELEASE_OF_ROCM = re.compile(r"/rocm-([0-9]{1,3}(?:\.[0-9]{1,3}){1,2})(?:/|$)")

# torch.cuda.get_arch_list() answers from a text in this file; 1 MB of constants in torch 2.15.
_TORCH_TEXTS, _MOST_CONSTANTS = "lib/libtorch_python.so", 16 * 1024 * 1024
_NAME = rb"(?:(?:sm|compute)_[0-9]{2,3}[af]?|gfx[0-9a-f]{3,5}(?::[a-z]+[+-]){0,2}|gfx[0-9]{1,2}(?:-[0-9])?-generic)"
_NAMES = re.compile(rb"\0(%b(?: %b){0,63})\0" % (_NAME, _NAME))
_BEGINNINGS = (b"\0sm_", b"\0compute_", b"\0gfx")
_VERSION = re.compile(r"""(?m)^(__version__|cuda|hip)(?:\s*:[^=\n]*)?\s*=\s*['"]([^'"\n]{1,60})['"]""")


def software(tree: Tree, environ: Mapping[str, str], machine: str) -> tuple[FoundSoftware, ...]:
    """Everything found on Linux, each file once."""
    sites = site_directories(tree, environ)
    everything = (
        *_toolkits(tree),
        *_of_the_loader(tree, environ, machine),
        *(each for site in sites for each in (*_wheels(tree, site), *_torch(tree, site))),
        *_rocblas(tree, [f"{site}/torch/lib" for site in sites]),
    )
    first: dict[tuple[str, str], FoundSoftware] = {}
    for each in everything:
        first.setdefault((each.name, tree.real_path(each.path)), each)
    return tuple(first.values())


def _toolkits(tree: Tree) -> Iterator[FoundSoftware]:
    """/usr/local/cuda is mostly a link to one of the others: it comes first, and the file counts once."""
    for name in tree.names("/usr/local"):
        if re.fullmatch(r"cuda(?:-[0-9.]+)?", name):
            for folder in ("lib64", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib", "targets/aarch64-linux/lib"):
                yield from _nvidia_libraries(tree, f"/usr/local/{name}/{folder}", TOOLKIT)


def _nvidia_libraries(tree: Tree, folder: str, where: str) -> Iterator[FoundSoftware]:
    """The libraries of a folder, each release of them by the name that says most."""
    best: dict[tuple[str, str], tuple[int, str, str]] = {}
    for name in tree.names(folder):
        matched = _NVIDIA_LIBRARY.fullmatch(name)
        if matched:
            numbers = matched[2].strip(".")
            key = matched[1], numbers.partition(".")[0]
            best[key] = max(best.get(key, (0, "", "")), (len(numbers.split(".")), numbers, name))
    for (library, _), (_, numbers, name) in best.items():
        yield _nvidia_library(library, numbers, f"{folder}/{name}", where)


def _nvidia_library(library: str, numbers: str, path: str, where: str) -> FoundSoftware:
    """What the numbers behind `.so.` tell: cudart counts as its toolkit, cuBLAS by its major alone, NCCL by neither."""
    parts = numbers.split(".")
    release = {"libcudart": ".".join(parts[:2]) if len(parts) > 2 else parts[0], "libcublas": parts[0]}.get(library)
    version = numbers if len(parts) > 2 else None
    return FoundSoftware(library, path, where, "CUDA", version, release)


def _of_the_loader(tree: Tree, environ: Mapping[str, str], machine: str) -> Iterator[FoundSoftware]:
    for hit in installed.named(_SONAMES, tree, environ, "linux", machine):
        matched = _NVIDIA_LIBRARY.fullmatch(hit.real_path.rpartition("/")[2]) or _NVIDIA_LIBRARY.fullmatch(hit.name)
        if matched:
            yield _nvidia_library(matched[1], matched[2].strip("."), hit.path, hit.where)


def _wheels(tree: Tree, site: str) -> Iterator[FoundSoftware]:
    """NVIDIA's wheels, by the metadata of their distributions, which knows more than the file's name."""
    for name in tree.names(site):
        matched = _DISTRIBUTION.fullmatch(name)
        if matched:
            kind, suffix, version = matched.groups()
            yield _wheel(tree, site, kind, suffix or version.partition(".")[0], version)


def _wheel(tree: Tree, site: str, kind: str, major: str, version: str) -> FoundSoftware:
    library = _FILES[kind]
    release = ".".join(version.split(".")[:2]) if kind == "cuda_runtime" else major
    for folder in (f"{site}/nvidia/cu{major}/lib", f"{site}/nvidia/{kind}/lib"):
        for found in _nvidia_libraries(tree, folder, WHEEL):
            if found.name == library:
                return found._replace(version=version, release=release)
    problem = "its metadata is there, and the library is not: the wheel is damaged; install it again"
    return FoundSoftware(library, f"{site}/nvidia", WHEEL, "CUDA", version, release, problem=problem)


def _torch(tree: Tree, site: str) -> Iterator[FoundSoftware]:
    text = tree.read(f"{site}/torch/version.py").text
    if text is None:
        return
    said = dict(_VERSION.findall(text))
    library = "CUDA" if "cuda" in said else "ROCm" if "hip" in said else None
    release = said.get("cuda") or said.get("hip")
    torch = FoundSoftware("torch", f"{site}/torch", WHEEL, library, said.get("__version__"), release)
    yield torch if library is None else _with_architectures(tree, torch)


def _with_architectures(tree: Tree, torch: FoundSoftware) -> FoundSoftware:
    path = f"{torch.path}/{_TORCH_TEXTS}"
    try:
        constants = elf.section(tree, path, b".rodata", _MOST_CONSTANTS)
    except (OSError, ValueError) as error:
        return torch._replace(problem=f"`{path}` cannot be read: {problem_of(error)}")
    architectures = architectures_in(constants or b"")
    problem = None if architectures else f"`{path}` does not say in a readable way what it was compiled for"
    return torch._replace(architectures=architectures, problem=problem)


def architectures_in(constants: bytes) -> tuple[str, ...]:
    """The longest text among a library's constants that is nothing but names of architectures, a blank between two."""
    found = (_NAMES.match(constants, at) for beginning in _BEGINNINGS for at in _places(constants, beginning))
    lists = [tuple(match[1].decode("ascii").split(" ")) for match in found if match]
    return max(lists, key=len, default=())


def _places(constants: bytes, beginning: bytes) -> Iterator[int]:
    at = constants.find(beginning)
    while at >= 0:
        yield at
        at = constants.find(beginning, at + 1)


def _rocblas(tree: Tree, others: Sequence[str]) -> Iterator[FoundSoftware]:
    """rocBLAS by its kernel files and with the library beside them, wherever a library folder of AMD, of the distribution or of
    torch has them."""
    releases = [f"/opt/{name}/lib" for name in tree.names("/opt") if re.fullmatch(r"rocm(?:-[0-9.]+)?", name)]
    for folder in (*releases, "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", *others):
        kernels = f"{folder}/rocblas/library"
        names = tree.names(kernels)
        targets = kernel_targets(names)
        if names:
            release = _RELEASE_OF_ROCM.search(tree.real_path(kernels))
            problem = None if targets else f"no file in `{kernels}` is named for an architecture"
            version, path = _rocblas_version(tree, folder), _rocblas_library(tree, folder) or kernels
            yield FoundSoftware("rocBLAS", path, ROCM, "ROCm", version, release and release[1], targets, problem)


def _rocblas_library(tree: Tree, folder: str) -> str | None:
    """The file by the name that programs load it by, `librocblas.so.4`; a wheel has it without a number."""
    names = [name for name in tree.names(folder) if re.fullmatch(r"librocblas\.so(?:\.[0-9]{1,9})?", name)]
    return f"{folder}/{max(names, key=len)}" if names else None


def _rocblas_version(tree: Tree, folder: str) -> str | None:
    real = tree.real_path(f"{folder}/librocblas.so").rpartition("/")[2]
    matched = re.fullmatch(r"librocblas\.so\.([0-9]{1,9}(?:\.[0-9]{1,9}){1,3})", real)
    return matched[1] if matched else None


def kernel_targets(names: Iterable[str]) -> tuple[str, ...]:
    """The architectures of rocBLAS's kernel files. Where it has an index for each, only those count: it opens them first."""
    known = [name for name in names if "gfx" in name]
    lazy = [name for name in known if name.startswith(_LAZY)]
    found = (_TENSILE.fullmatch(name) for name in lazy or known)
    return tuple(sorted({match[1] + re.sub(r"-([a-z]+[+-])", r":\1", match[2]) for match in found if match}))
