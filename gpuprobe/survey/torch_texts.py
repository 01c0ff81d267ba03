"""What torch says of itself in its files: the release it was built for, and in a text of constants its architectures."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.facts import FoundSoftware
from gpuprobe.survey import elf
from gpuprobe.survey.cuda_libraries import WHEEL
from gpuprobe.survey.tree import Tree, problem_of

# torch.cuda.get_arch_list() answers from a text in this file; 1 MB of constants in torch 2.15.
_TEXTS, _MOST_CONSTANTS = "lib/libtorch_python.so", 16 * 1024 * 1024
_NAME = rb"(?:(?:sm|compute)_[0-9]{2,3}[af]?|gfx[0-9a-f]{3,5}(?::[a-z]+[+-]){0,2}|gfx[0-9]{1,2}(?:-[0-9])?-generic)"
_NAMES = re.compile(rb"\0(%b(?: %b){0,63})\0" % (_NAME, _NAME))
_BEGINNINGS = (b"\0sm_", b"\0compute_", b"\0gfx")
_VERSION = re.compile(r"""(?m)^(__version__|cuda|hip|xpu)(?:\s*:[^=\n]*)?\s*=\s*['"]([^'"\n]{1,60})['"]""")
_LIBRARIES = (("cuda", "CUDA"), ("hip", "ROCm"), ("xpu", "Level Zero"))


def torch(tree: Tree, site: str) -> FoundSoftware | None:
    """By `version.py`, without its code."""
    text = tree.read(f"{site}/torch/version.py").text
    if text is None:
        return None
    said = dict(_VERSION.findall(text))
    key, library = next(((key, library) for key, library in _LIBRARIES if key in said), (None, None))
    release = said.get(key) if key else None
    return FoundSoftware("torch", f"{site}/torch", WHEEL, library, said.get("__version__"), release, site=site)


def with_architectures(tree: Tree, found: FoundSoftware) -> FoundSoftware:
    """With what `torch.cuda.get_arch_list()` would answer: for a torch whose code could not be read."""
    path = f"{found.path}/{_TEXTS}"
    try:
        constants = elf.section(tree, path, b".rodata", _MOST_CONSTANTS)
    except (OSError, ValueError) as error:
        return found._replace(problem=f"`{path}` cannot be read: {problem_of(error)}")
    architectures = architectures_in(constants or b"")
    problem = None if architectures else f"`{path}` does not say in a readable way what it was compiled for"
    return found._replace(architectures=architectures, problem=problem)


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
