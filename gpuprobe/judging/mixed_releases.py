"""Whether one environment mixes two major versions of CUDA where that can hurt, in plain sentences.

Two frameworks for two versions side by side are ordinary: each loads its own libraries, whose names carry the version. What
hurts is what two of them share: an extension shares torch's memory and streams, and cuDNN has one name for every CUDA.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from posixpath import dirname

from gpuprobe.facts import FoundSoftware, Need
from gpuprobe.libraries import library_named

# Those whose libraries are linked to torch's own; named as in survey/frameworks.py.
EXTENSIONS_OF_TORCH = frozenset(
    {"bitsandbytes", "vLLM", "SGLang's kernels", "flash-attn", "xformers", "ExLlama", "Mamba's kernels"}
)
_OF_CUDA = ("libcudart.so.", "libcublas.so.", "libcublasLt.so.")
_DNN = "libcudnn"


def of_environments(software: Iterable[FoundSoftware]) -> Iterator[str]:
    """One sentence for each program that would meet another major version of CUDA than its own."""
    environments: dict[str, list[FoundSoftware]] = {}
    for each in software:
        if each.site is not None and each.library is not None and library_named(each.library).by_release:
            environments.setdefault(each.site, []).append(each)
    for site, members in environments.items():
        yield from _extensions(site, members)
        yield from _dnn(site, members)


def _extensions(site: str, members: list[FoundSoftware]) -> Iterator[str]:
    torch = next((each for each in members if each.name == "torch"), None)
    release = _major(torch) if torch is not None else None
    if torch is None or release is None:
        return
    for each in members:
        other = _major(each)
        if each.name in EXTENSIONS_OF_TORCH and other not in (None, release):
            torchs = f"{_titled(torch)} is for CUDA {release}{_takes(torch)}"
            other_one = f"{_titled(each)}, which runs inside it, for CUDA {other}{_takes(each)}"
            remedy = each.problem or f"install the one for CUDA {release}"
            yield f"in `{site}` {torchs}, and {other_one}: that can fail; {remedy}"


def _dnn(site: str, members: list[FoundSoftware]) -> Iterator[str]:
    """Two packages of cuDNN in one place are told as damage."""
    for library in members:
        for each in members if library.name == _DNN and library.distribution and library.damage is None else ():
            need, release = _taken(each, library), _major(each)
            if need is not None and release not in (None, _major(library)):
                takes = f"{_titled(each)} is for CUDA {release} and takes {need.name} from {library.distribution}"
                yield f"in `{site}` {takes}, which is for CUDA {_major(library)}: what needs it can fail"


def _taken(each: FoundSoftware, library: FoundSoftware) -> Need | None:
    place = dirname(library.path)
    return next((need for need in each.needs if need.name.startswith(_DNN) and dirname(need.path or "") == place), None)


def _major(found: FoundSoftware) -> str | None:
    """As its libraries are linked, else as it says itself."""
    need = _of_cuda(found)
    release = need.name.partition(".so.")[2] if need else found.release or ""
    return release.partition(".")[0] or None


def _of_cuda(found: FoundSoftware) -> Need | None:
    return next((need for need in found.needs if need.name.startswith(_OF_CUDA)), None)


def _takes(found: FoundSoftware) -> str:
    need = _of_cuda(found)
    return f" ({need.name})" if need else ""


def _titled(found: FoundSoftware) -> str:
    return f"{found.name} {found.version}" if found.version else found.name
