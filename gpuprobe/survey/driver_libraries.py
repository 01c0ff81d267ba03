"""The library that each Vulkan manifest names: whether it and all that it needs are there. Nothing is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from posixpath import dirname, join, normpath

from gpuprobe.facts import Host, Manifest
from gpuprobe.facts.system_facts import DriverLibrary
from gpuprobe.survey import elf, installed
from gpuprobe.survey.tree import Tree

_MOST_LIBRARIES = 400  # of one driver, and of all that they need in turn
_MOST_MANIFESTS = 64
# What every C library answers for, by whichever file.
_ALWAYS_THERE = ("linux-vdso.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")


def driver_libraries(tree: Tree, host: Host, environ: Mapping[str, str]) -> tuple[DriverLibrary, ...]:
    """In the order of the manifests."""
    named = {manifest.path: _library(manifest) for manifest in host.manifests[:_MOST_MANIFESTS]}
    plain = tuple({name for name in named.values() if name is not None and "/" not in name})
    loader = _Loader(tree, environ, host.machine, plain)
    return tuple(_found(loader, manifest, named[manifest.path]) for manifest in host.manifests[:_MOST_MANIFESTS])


def _library(manifest: Manifest) -> str | None:
    try:
        said = json.loads(manifest.reading.text or "")["ICD"]["library_path"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return said[:4096] if isinstance(said, str) and said and "\0" not in said else None


class _Loader:
    """Where the dynamic loader finds libraries, each name looked for once."""

    def __init__(self, tree: Tree, environ: Mapping[str, str], machine: str, names: tuple[str, ...]) -> None:
        self._tree, self._environ, self._machine = tree, environ, machine
        self._known: dict[str, str | None] = {}
        self.look_for(names)

    def look_for(self, names: tuple[str, ...]) -> None:
        new = tuple(name for name in names if name not in self._known)
        if new:
            hits = {hit.name: hit.path for hit in installed.named(new, self._tree, self._environ, "linux", self._machine)}
            self._known |= {name: hits.get(name) for name in new}

    def path_of(self, name: str, first: tuple[str, ...] = ()) -> str | None:
        beside = (f"{folder}/{name}" for folder in first)
        return next((path for path in beside if self._tree.is_file(path)), None) or self._known.get(name)

    def is_file(self, path: str) -> bool:
        return self._tree.is_file(path)

    def links(self, path: str) -> elf.Links:
        return elf.links(self._tree, path)


def _found(loader: _Loader, manifest: Manifest, library: str | None) -> DriverLibrary:
    if library is None:
        return DriverLibrary(manifest.path, problem=manifest.reading.problem or "it names no library")
    whole = normpath(join(dirname(manifest.path), library)) if "/" in library else None
    path = loader.path_of(library) if whole is None else whole if loader.is_file(whole) else None
    if path is None:
        return DriverLibrary(manifest.path, library)
    try:
        return DriverLibrary(manifest.path, library, path, _missing(loader, path))
    except (OSError, ValueError) as problem:
        return DriverLibrary(manifest.path, library, path, problem=f"error: {problem}")


def _missing(loader: _Loader, path: str) -> tuple[str, ...]:
    """What it needs, and what those need, that is nowhere. One below it that cannot be read needs nothing that is known."""
    missing: dict[str, None] = {}
    waiting, seen = [path], {path}
    while waiting and len(seen) < _MOST_LIBRARIES:
        current = waiting.pop()
        try:
            links = loader.links(current)
        except (OSError, ValueError):
            if current == path:
                raise
            continue
        names = tuple(name for name in links.needed if name not in _ALWAYS_THERE)
        folders = tuple(_from(dirname(current), place) for place in links.places)
        loader.look_for(names)
        for name in names:
            there = loader.path_of(name, folders)
            if there is None:
                missing[name] = None
            elif there not in seen:
                seen.add(there)
                waiting.append(there)
    return tuple(missing)[:32]


def _from(folder: str, place: str) -> str:
    return normpath(place.replace("${ORIGIN}", folder).replace("$ORIGIN", folder))
