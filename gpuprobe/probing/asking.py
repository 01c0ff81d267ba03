"""How one probe becomes a child: the request it reads and the environment it starts in."""

# pathlib loads urllib and ipaddress (CPython 3.11): a twelfth of what a start imports.
# ruff: noqa: PTH119, PTH120

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from os import pathsep

from gpuprobe import patterns as re
from gpuprobe.facts import Host
from gpuprobe.libraries import Library, library_named
from gpuprobe.model import SYSTEM, Device, Json, Outcome, Probe, Purpose
from gpuprobe.probing.start import MARK
from gpuprobe.survey.tree import Tree
from gpuprobe.survey.trust import ROOT, why_others

_PACKAGES = ("site-packages", "dist-packages")

_SEARCH_PATHS = {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH"}
_SEARCHES = {"darwin": "DYLD_LIBRARY_PATH", "win32": "PATH"}  # where the loader searches first; elsewhere the first above

# Settings that make a vendor's library ask the user, start a debugger or wait for one where it would otherwise fail.
_QUIET = {"GGML_NO_BACKTRACE": "1"}


def child_request(probe: Probe, host: Host, known: Sequence[Outcome]) -> Json:
    """What the child reads: see runner.py. A validation carries the identity of the device that was listed."""
    library = library_named(probe.library)
    return {
        **(_of_the_system(library, host) if probe.build == SYSTEM else _of_the_build(probe, host)),
        "purpose": probe.purpose.value if probe.purpose.is_validation else "list",
        "device": _identity(probe, known),
        **(_proof(probe, library, host) if probe.purpose is Purpose.PROVE else {}),
    }


def _of_the_system(library: Library, host: Host) -> Json:
    return {
        "backend": library.backend,
        "candidates": candidates(library, host) or [str(library.binding)],
        "paths": [path] if (path := binding_path(library.binding)) else [],
    }


def _of_the_build(probe: Probe, host: Host) -> Json:
    """`directories` is for the parent, who puts them on the search path before the child is started."""
    build = host.build_named(probe.build)
    if build is None:  # it was there at the discovery: the loader shall say that it is gone
        return {"backend": "ggml", "candidates": [probe.build], "paths": [], "before": [], "library": probe.library}
    return {
        "backend": "ggml",
        "candidates": [build.path],
        "paths": [],
        "before": list(build.before),
        "library": build.library,
        "directories": list(build.directories),
    }


def _proof(probe: Probe, library: Library, host: Host) -> Json:
    named = (software for software in host.software or () if software.name == library.blas and software.problem is None)
    found = [software.path for software in named if ".so" in software.path.rpartition("/")[2]]
    found = list(dict.fromkeys((*found, *_of_builds(library, host))))
    if hasattr(os, "geteuid") and os.geteuid() == ROOT:
        found = [path for path in found if why_others(Tree(), path) is None]
    return {"until": probe.until, "toolkits": found, "turns": True}


def _of_builds(library: Library, host: Host) -> Iterator[str]:
    """The BLAS that builds bring along: on many machines there is no other."""
    form = re.compile(rf"(?:lib)?{(library.blas or '-').lower()}\.so\.[0-9]{{1,9}}")
    builds = [build for build in host.builds if build.library == library.name and build.problem is None]
    for folder in dict.fromkeys(folder for build in builds for folder in build.directories):
        yield from (f"{folder}/{name}" for name in Tree().names(folder) if form.fullmatch(name))


def candidates(library: Library, host: Host) -> list[str]:
    """The names to load, in order: as every program would, by name first, then where only we looked.

    A library that lies in a known place outside the loader's search (NixOS, WSL, a container's mount) is given by its path.
    """
    names = library.sonames.get(host.platform, ())
    found = {library.name: library for library in host.libraries if library.name in names}
    outside = [library.path for library in found.values() if library.where == "known place"]
    present = [name for name in names if name in found] or list(names)
    return [*present, *outside]


def binding_path(module: str | None) -> str | None:
    """The directory to import a vendor's Python binding from, found without importing it; None: none, or not installed.

    Only where packages are installed: the working directory and `PYTHONPATH` are anybody's.
    """
    if module is None:
        return None
    from _frozen_importlib_external import PathFinder  # as `importlib.machinery` has it, which loads two more modules

    told = {_resolved(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    installed = [
        entry for entry in sys.path if os.path.basename(os.path.normpath(entry)) in _PACKAGES and _resolved(entry) not in told
    ]
    spec = PathFinder.find_spec(module, installed)
    if spec is None or spec.origin is None:
        return None
    is_package = spec.submodule_search_locations is not None
    folder = os.path.dirname(spec.origin)
    return os.path.dirname(folder) if is_package else folder


def _resolved(entry: str) -> str:
    try:
        return os.path.realpath(entry)
    except (OSError, ValueError):  # a link that may not be read
        return entry


def child_environment(
    environ: Mapping[str, str], probe: Probe, mark: str, directories: Sequence[str] = (), platform: str = sys.platform
) -> dict[str, str]:
    """The user's own environment, plus what this probe changes, the mark, and settings that keep libraries from waiting.

    `directories` of a build come first where the loader searches, as the program that it belongs to has it.
    """
    child = {**environ, **_QUIET, MARK: mark}
    for name in _SEARCH_PATHS & child.keys():
        # An empty element means the working directory, where anybody may have put a library.
        child[name] = pathsep.join(filter(None, _elements(name, child[name])))
    if directories:
        name = _SEARCHES.get(platform, "LD_LIBRARY_PATH")
        child[name] = pathsep.join(filter(None, (*directories, child.get(name, ""))))
    for name, value in probe.variables:
        if value is None:
            child.pop(name, None)
        else:
            child[name] = value
    return child


def _elements(name: str, value: str) -> list[str]:
    """glibc's loader takes a semicolon for a separator too (ld.so(8))."""
    return (value.replace(";", pathsep) if name == "LD_LIBRARY_PATH" else value).split(pathsep)


def _identity(probe: Probe, known: Sequence[Outcome]) -> Json | None:
    if not probe.purpose.is_validation:
        return None
    device = _listed(probe, known)
    identity = {"uuid": device.uuid, "pci_id": device.pci_id, "number": device.number, "copy": device.copy}
    if library_named(probe.library).validated_alone and probe.variables:
        return {**identity, "number": 0, "copy": 0, "alone": True}
    return identity


def _listed(probe: Probe, known: Sequence[Outcome]) -> Device:
    """The device as the library itself listed it: a field completed from elsewhere would never match."""
    return next(
        device
        for outcome in known
        for device in outcome.devices
        if (device.library, device.build, device.manifest, device.key)
        == (probe.library, probe.build, probe.manifest, probe.device)
    )
