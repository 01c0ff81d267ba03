"""The programs of llama.cpp beside the builds that the survey found: what can say itself how much memory a model takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from posixpath import dirname
from typing import NamedTuple

from gpuprobe.facts import FoundBuild
from gpuprobe.survey.tree import Tree
from gpuprobe.survey.trust import ROOT, why_others

FIT_PARAMS, SERVER = "llama-fit-params", "llama-server"
_NAMES = (FIT_PARAMS, SERVER)


class EngineProgram(NamedTuple):
    """`problem`: why it is not asked, a clause. `directories` are for the loader: a wheel's program finds nothing without."""

    path: str
    name: str
    library: str  # whose devices its build shows
    directories: tuple[str, ...] = ()
    problem: str | None = None


def engine_programs(builds: Sequence[FoundBuild], libraries: Sequence[str], platform: str) -> Iterator[EngineProgram]:
    """One per build and library, the smaller program first; nothing is started."""
    tree = Tree()
    for build in (each for library in libraries for each in builds if each.library == library):
        for folder in _folders(build):
            program = _in(tree, folder, platform)
            if program is not None:
                yield _checked(tree, program, build)
                break


def _folders(build: FoundBuild) -> Iterator[str]:
    """The build's own directory, the `bin` beside its `lib`, and those of the libraries that it loads first."""
    homes = dict.fromkeys((dirname(build.path), *build.directories, *(dirname(path) for path in build.before)))
    for home in homes:
        yield home
        yield f"{dirname(home)}/bin"
        yield f"{dirname(dirname(home))}/bin"


def _in(tree: Tree, folder: str, platform: str) -> str | None:
    ending = ".exe" if platform == "win32" else ""
    there = set(tree.names(folder))
    return next((f"{folder}/{name}{ending}" for name in _NAMES if f"{name}{ending}" in there), None)


def _checked(tree: Tree, path: str, build: FoundBuild) -> EngineProgram:
    name = path.rpartition("/")[2].removesuffix(".exe")
    program = EngineProgram(path, name, build.library, tuple(dict.fromkeys((dirname(path), *build.directories))))
    if build.problem is not None:
        return program._replace(problem=build.problem)
    if not os.access(path, os.X_OK):
        return program._replace(problem=f"`{path}` may not be run")
    # As root, a program that another account could replace runs that account's code.
    others = why_others(tree, path) if hasattr(os, "geteuid") and os.geteuid() == ROOT else None
    return program if others is None else program._replace(problem=f"as root it is not run, because {others}")
