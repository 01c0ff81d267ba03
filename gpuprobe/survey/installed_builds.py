"""What the builds of Ollama and llama.cpp say in their files: the code they hold, and the toolkit that lies beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gpuprobe.facts import FoundBuild, FoundSoftware
from gpuprobe.survey import code_files, rocblas
from gpuprobe.survey.tree import Tree

BUILD = "build"

_VERSION = r"(?:-[0-9a-f]{8})?\.so\.([0-9]{1,2}\.[0-9]{1,2})(?:\.[0-9]{1,9}){0,2}"
_RUNTIMES = {each: (stem, re.compile(stem + _VERSION)) for each, stem in (("CUDA", "libcudart"), ("ROCm", "libamdhip64"))}


def of_builds(tree: Tree, builds: Iterable[FoundBuild]) -> Iterator[FoundSoftware]:
    """Each that is compiled beforehand, and the rocBLAS that lies beside it: a card without its kernels computes no product,
    whatever code the build has. A build that is damaged, or for another kind of machine, is left out."""
    for build in builds:
        if build.library in _RUNTIMES and (build.problem is None or build.refused):
            read = code_files.read(tree, build.path).file
            files = (read,) if read.architectures or read.unread else ()
            release = next(_releases(tree, build), None)
            yield FoundSoftware(build.name, build.path, BUILD, build.library, None, release, files=files)
            for folder in _folders(build):
                yield from (each._replace(where=BUILD) for each in rocblas.in_folder(tree, folder))


def _folders(build: FoundBuild) -> dict[str, None]:
    return dict.fromkeys((build.path.rpartition("/")[0], *build.directories))


def _releases(tree: Tree, build: FoundBuild) -> Iterator[str]:
    """`libcudart.so.12.8.90` beside the build says what its folder's name only hints at."""
    stem, form = _RUNTIMES[build.library]
    for folder in _folders(build):
        for name in tree.names(folder):
            real = tree.real_path(f"{folder}/{name}").rpartition("/")[2] if name.startswith(stem) else ""
            if found := form.fullmatch(real):
                yield found[1]
