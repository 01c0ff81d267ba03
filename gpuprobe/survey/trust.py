"""Which libraries another user could replace: a program that loads one of those runs that user's code, as root above all."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from posixpath import dirname, join, normpath

from gpuprobe import environment
from gpuprobe import patterns as re
from gpuprobe.record_classes import NamedTuple
from gpuprobe.survey.tree import Tree

ROOT = 0
LIBRARY, SEARCHED, PARENT = "library", "searched", "parent"


class Entry(NamedTuple):
    """A file or a directory on the way to a library, with the permission bits and owners of what is behind its links."""

    path: str
    kind: str  # LIBRARY; SEARCHED: libraries are looked for in it by name; PARENT: it only leads to those
    mode: int
    uid: int
    gid: int


def why_others(tree: Tree, library: str) -> str | None:
    """Who else than root and the account that runs this could put another library in the place of this one, as a clause."""
    ours = {ROOT, os.geteuid()} if hasattr(os, "geteuid") else {ROOT}
    return why_replaceable(on_the_way(tree, (library,), ()), ours)


_MOST_PATHS, _MOST_INSIDE = 64, 10_000


def untrusted(tree: Tree, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Those of another process's variables that would have us load what somebody else than root and this account chose.

    A path that is not there counts: it may be there a moment later.
    """
    return tuple(name for name, value in environ.items() if environment.names_files(name) and _is_others(tree, name, value))


def _is_others(tree: Tree, name: str, value: str) -> bool:
    # The separators of the loader's lists, of Vulkan's and of Level Zero's: a path with a blank in it is not taken, either.
    paths = [path for path in re.split(r"[:;,\s]", value) if path]
    if environment.may_be_searched(name):
        paths = [path for path in paths if "/" in path or "$" in path]
    return len(paths) > _MOST_PATHS or not all(_is_ours(tree, path) for path in paths)


def _is_ours(tree: Tree, path: str) -> bool:
    """The loader puts something else in the place of `$`, and the working directory before a path that is not whole. What lies
    in a directory counts whatever its name is: Vulkan's loader takes manifests, and looks into folders."""
    status = tree.status(path)
    if status is None or not path.startswith("/") or "$" in path or ".." in path.split("/"):
        return False
    ours = {ROOT, os.geteuid()} if hasattr(os, "geteuid") else {ROOT}
    if not stat.S_ISDIR(status.st_mode):
        return why_replaceable(on_the_way(tree, (path,), ()), ours) is None
    inside = tree.names(path)
    taken = (f"{path.rstrip('/')}/{name}" for name in inside)
    return len(inside) <= _MOST_INSIDE and why_replaceable(on_the_way(tree, taken, (path,)), ours) is None


def why_replaceable(entries: Iterable[Entry], ours: Collection[int] = (ROOT,)) -> str | None:
    """Who else than root (or `ours`) could put another library in the place of one of these, as a clause; None: nobody.

    Their own groups may write, which have their number. In a directory with the sticky bit others cannot replace what is not
    theirs, but they can add to it: that does no harm on the way, and does where the loader looks for whatever a library needs.
    """
    for entry in entries:
        if entry.uid not in ours:
            return f"`{entry.path}` belongs to user {entry.uid}"
        if entry.kind == PARENT and entry.mode & stat.S_ISVTX:
            continue
        if entry.mode & stat.S_IWOTH:
            return f"everybody may write to `{entry.path}`"
        if entry.mode & stat.S_IWGRP and entry.gid not in ours:
            return f"group {entry.gid} may write to `{entry.path}`"
    return None


def on_the_way(tree: Tree, libraries: Iterable[str], searched: Iterable[str]) -> Iterator[Entry]:
    """Everything that decides what is loaded for these libraries, and from these directories: each once."""
    seen: dict[str, None] = {}
    folders = dict.fromkeys(searched)
    for path in (*libraries, *_libraries_in(tree, folders)):
        yield from _steps(tree, path, LIBRARY, seen)
        folders.setdefault(dirname(path))
    for folder in folders:
        # A searched directory has been met on the way to its libraries, as what leads to them.
        for path in {folder: None, tree.real_path(folder): None}:
            yield from _entry(tree, path, SEARCHED)
        yield from _steps(tree, folder, PARENT, seen)


def _libraries_in(tree: Tree, folders: Iterable[str]) -> Iterator[str]:
    return (f"{folder}/{name}" for folder in folders for name in tree.names(folder) if ".so" in name or ".dylib" in name)


def _steps(tree: Tree, path: str, kind: str, seen: dict[str, None]) -> Iterator[Entry]:
    """The path, all that is above it, and the same of every link among these."""
    place = path
    while place not in seen:
        seen[place] = None
        yield from _entry(tree, place, kind)
        target = tree.target(place)
        if target is not None:
            yield from _steps(tree, normpath(join(dirname(place), target)), kind, seen)
            yield from _steps(tree, tree.real_path(place), kind, seen)
        place, kind = dirname(place), PARENT


def _entry(tree: Tree, path: str, kind: str) -> Iterator[Entry]:
    status = tree.status(path)
    if status is not None:
        yield Entry(path, kind, status.st_mode, status.st_uid, status.st_gid)
