"""What the machine code in a framework's files was compiled for: the reading is machinecode's, the choice of files ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from gpuprobe.facts import CodeFile, CodeSet
from gpuprobe.libraries import LIBRARIES
from gpuprobe.machinecode import Targets, targets_of
from gpuprobe.survey.tree import Tree

MOST_FILES = 64  # of one framework
_MOST_SETS = 16  # of one file: more differences than these nobody reads

# The most preferred library of each vendor comes last, and stays.
_LIBRARIES = {vendor.name: library.name for library in LIBRARIES[::-1] if library.frameworks for vendor in library.vendors}


class Read(NamedTuple):
    """A file, and through which library its code computes: None where it has none."""

    file: CodeFile
    library: str | None


def read(tree: Tree, path: str, *, main: bool = True) -> Read:
    """What one file holds; a file that cannot be read is one with a reason."""
    targets = targets_of(tree.at(path))
    library = next((_LIBRARIES.get(target.vendor.value) for target in targets.targets), None)
    ptx = None if targets.ptx is None else ".".join(map(str, targets.ptx))
    file = CodeFile(path, targets.names, targets.unread, targets.compressions, _sets(targets), ptx, main)
    return Read(file, library)


def _sets(targets: Targets) -> tuple[CodeSet, ...]:
    """Only where the file's modules differ."""
    modules = targets.modules if len(targets.modules) > 1 else ()
    return tuple(CodeSet(tuple(each.name for each in module.targets), module.times) for module in modules[:_MOST_SETS])


def matching(tree: Tree, folder: str, pattern: str) -> Iterator[str]:
    """The files below `folder` that a pattern means, sorted; `*` stands for anything within one name."""
    above, _, last = pattern.rpartition("/")
    for place in folders_matching(tree, folder, above) if above else (folder,):
        yield from (f"{place}/{name}" for name in _named(tree, place, last) if tree.is_file(f"{place}/{name}"))


def folders_matching(tree: Tree, folder: str, pattern: str) -> list[str]:
    """Likewise, whatever is there."""
    places = [folder]
    for element in pattern.split("/"):
        places = [f"{place}/{name}" for place in places for name in _named(tree, place, element)][:MOST_FILES]
    return places


def _named(tree: Tree, place: str, pattern: str) -> tuple[str, ...]:
    if "*" not in pattern:
        return (pattern,) if tree.status(f"{place}/{pattern}") is not None else ()
    form = as_form(pattern)
    return tuple(name for name in tree.names(place) if form.fullmatch(name))


@cache
def as_form(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)


def first_of_links(tree: Tree, paths: Iterator[str]) -> tuple[str, ...]:
    """Each file once, by the first of its names: `libx.so`, `libx.so.1` and `libx.so.1.2` are often one."""
    first: dict[str, str] = {}
    for path in paths:
        first.setdefault(tree.real_path(path), path)
    return tuple(first.values())[:MOST_FILES]
