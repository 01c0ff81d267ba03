"""Which frameworks of the table lie in a directory of packages, and what their files say they were compiled for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gpuprobe.facts import CodeFile, FoundSoftware
from gpuprobe.survey import code_files, needed, release_files, torch_texts
from gpuprobe.survey.cuda_libraries import WHEEL
from gpuprobe.survey.distributions import Distribution
from gpuprobe.survey.frameworks import FRAMEWORKS, TORCH, Framework, Part
from gpuprobe.survey.needed import Pending
from gpuprobe.survey.tree import Tree

_RELEASE_IN_NAME = re.compile(r"-(?:cuda|cu|rocm)-?([0-9]{1,2})(?:x|-?[0-9])?(?:-|$)")
_RUNTIME = re.compile(r"lib(?:cudart|cublas|amdhip64)\.so\.([0-9]{1,2})(?:\.[0-9]+)*")
_CALLS_ITSELF_GPU = re.compile(r"gpu|cuda|cu1[0-9]|rocm|migraphx|openvino|hip")


class Site(NamedTuple):
    """A directory of packages, listed once."""

    path: str
    names: Collection[str]
    distributions: tuple[Distribution, ...]
    torch: FoundSoftware | None = None
    environ: Mapping[str, str] = {}


class Group(NamedTuple):
    """The files of one framework that compute through one library."""

    library: str
    through: str | None
    compiles: bool
    files: tuple[CodeFile, ...]
    paths: tuple[str, ...]  # with those that hold no code of their own


def frameworks(tree: Tree, site: Site) -> Iterator[Pending]:
    for row in FRAMEWORKS:
        mine = [each for each in site.distributions if any(_form(name).fullmatch(each.name) for name in row.distributions)]
        if mine or (row.folder is not None and row.folder in site.names):
            yield from of_row(tree, row, site, mine)


_form = code_files.as_form


def of_row(tree: Tree, row: Framework, site: Site, mine: Sequence[Distribution]) -> Iterator[Pending]:
    """One for each library that it computes through; one for the CPU alone where it has no part for a GPU."""
    if row is TORCH and site.torch is None:
        return
    base = _base(row, site, mine)
    groups = list(_of_torch(base, _groups(tree, row, site)) if row is TORCH else _groups(tree, row, site))
    for group in groups:
        undecided = row.one_per_release and len(group.paths) > 1
        paths = () if undecided or row.optional else (*group.paths, *_linked(tree, row, site))
        wants = needed.wanted(tree, paths, in_texts=row.loads_later)
        release = base.release or _release(mine, wants.names)
        found = base._replace(
            library=group.library, through=group.through, compiles=group.compiles, release=release, loads_one=undecided
        )
        found = found._replace(path=_place(row, site, group), files=group.files)
        if row.one_per_release:
            found = found._replace(problem=release_files.chosen_because(site.torch, site.environ))
        yield Pending(_with_what_torch_says(tree, found) if row is TORCH else found, wants)
    if not groups and (row.for_the_cpu or base.damage):
        yield Pending(_without_a_part(tree, row, base, mine, site), needed.Wanted((), ()))


def _base(row: Framework, site: Site, mine: Sequence[Distribution]) -> FoundSoftware:
    if row is TORCH and site.torch is not None:
        return site.torch._replace(distribution=mine[0].name if mine else None)
    folder = f"{site.path}/{row.folder}" if row.folder and row.folder in site.names else site.path
    found = FoundSoftware(row.name, folder, WHEEL, None, mine[0].version if mine else None, site=site.path)
    found = found._replace(distribution=mine[0].name if mine else None)
    if row.rivals and len(mine) > 1:
        names = " and ".join(f"{each.name} {each.version or ''}".rstrip() for each in mine)
        remedy = "uninstall them all, then install the one you want"
        return found._replace(damage=f"{names} write the same files, and what was installed last is there: {remedy}")
    return found


def _groups(tree: Tree, row: Framework, site: Site) -> Iterator[Group]:
    found: dict[tuple[str, str | None], list[tuple[Part, code_files.Read]]] = {}
    seen: set[str] = set()
    for part in row.parts:
        paths = list(code_files.first_of_links(tree, code_files.matching(tree, site.path, part.pattern)))
        if row.one_per_release:
            paths = release_files.chosen(paths, part, site.torch, site.environ)
        for path in paths:
            if path not in seen:
                seen.add(path)
                read = code_files.read(tree, path, main=part.main)
                library = part.library or read.library
                if library is not None:
                    found.setdefault((library, part.through), []).append((part, read))
    for (library, through), parts in found.items():
        if any(part.main for part, _ in parts):
            files = tuple(read.file for _, read in parts if read.file.architectures or _is_library(read.file))
            compiles = any(part.compiles for part, _ in parts)
            yield Group(library, through, compiles, files, tuple(read.file.path for _, read in parts))


def _of_parts(tree: Tree, row: Framework, site: Site) -> Iterator[str]:
    return (path for part in row.parts for path in code_files.matching(tree, site.path, part.pattern))


def _is_library(file: CodeFile) -> bool:
    """Whether that it could not be read says something: a script holds no machine code."""
    return file.unread is not None and ".so" in file.path.rpartition("/")[2]


def _place(row: Framework, site: Site, group: Group) -> str:
    return f"{site.path}/{row.folder}" if row.folder else group.paths[0]


def _linked(tree: Tree, row: Framework, site: Site) -> Iterator[str]:
    return (path for pattern in row.linked for path in code_files.matching(tree, site.path, pattern))


def _of_torch(base: FoundSoftware, groups: Iterable[Group]) -> Iterator[Group]:
    """What torch's own file says it was built for decides, also where its libraries are elsewhere or missing."""
    if base.library is not None:
        mine = [group for group in groups if group.library == base.library]
        yield from mine or (Group(base.library, None, False, (), ()),)


def _with_what_torch_says(tree: Tree, found: FoundSoftware) -> FoundSoftware:
    """Its own list only where the code itself could not be read: that list is true of one of its libraries."""
    read = [file for file in found.files if file.main and file.architectures and file.unread is None]
    compiled_beforehand = found.library in ("CUDA", "ROCm")
    return found if read or not compiled_beforehand else torch_texts.with_architectures(tree, found)


def _release(mine: Sequence[Distribution], names: Iterable[str]) -> str | None:
    """The major version of CUDA or ROCm that its libraries name; else that in its distribution's name."""
    named = next((found[1] for name in names if (found := _RUNTIME.fullmatch(name))), None)
    return named or next((found[1] for each in mine if (found := _RELEASE_IN_NAME.search(each.name))), None)


def _without_a_part(tree: Tree, row: Framework, base: FoundSoftware, mine: Sequence[Distribution], site: Site) -> FoundSoftware:
    if row.one_per_release and any(_of_parts(tree, row, site)):
        return base._replace(damage=release_files.none_because(site.torch, site.environ))
    called = next((each.name for each in mine if _CALLS_ITSELF_GPU.search(each.name)), None)
    if base.damage is not None or called is None or not row.for_the_cpu:
        return base
    missing = f"`{called}` is installed, and its library for GPUs is not there: the install is damaged, install it again"
    return base._replace(damage=missing)
