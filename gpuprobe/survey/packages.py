"""Where the packages of the Pythons lie that a user of this shell would run: directories that exist, and no Python is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gpuprobe.survey.tree import Tree

BY_OPTION = "--software"

_PYTHONS = ("python3", "python")
_MOST = 32  # directories; more are no ordinary machine


class Place(NamedTuple):
    """A directory of packages, and the environment that it is of; empty where it was named itself."""

    path: str
    prefix: str


def places(tree: Tree, environ: Mapping[str, str], named: Sequence[str] = ()) -> tuple[Place, ...]:
    """Those that the user names first, then of the active environment, of the first Python on the path, and of the user."""
    found = [each for path in named for each in named_places(tree, path)]
    found += [Place(site, prefix) for prefix in _prefixes(tree, environ) for site in _below(tree, prefix)]
    first: dict[str, Place] = {}
    for each in found:
        first.setdefault(tree.real_path(each.path), each)
    return tuple(first.values())[:_MOST]


def named_places(tree: Tree, path: str) -> tuple[Place, ...]:
    """What a directory that the user names holds: an environment, or packages themselves."""
    below = tuple(Place(site, path) for site in _below(tree, path))
    if below or not any(name.endswith((".dist-info", ".egg-info")) for name in tree.names(path)):
        return below
    return (Place(path, ""),)


def _prefixes(tree: Tree, environ: Mapping[str, str]) -> Iterator[str]:
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if environ.get(name, "").startswith("/"):
            yield environ[name].rstrip("/")
    # An element that is not absolute is a directory that anybody may have filled.
    folders = [folder.rstrip("/") for folder in environ.get("PATH", "").split(":") if folder.startswith("/")]
    python = next((folder for folder in folders for name in _PYTHONS if tree.status(f"{folder}/{name}")), None)
    if python is not None:
        yield python.rpartition("/")[0]
        if python in ("/usr/bin", "/bin"):
            yield from ("/usr", "/usr/local")
    if environ.get("HOME", "").startswith("/"):
        yield f"{environ['HOME'].rstrip('/')}/.local"


def _below(tree: Tree, prefix: str) -> Iterator[str]:
    for lib in ("lib", "lib64"):
        for name in tree.names(f"{prefix}/{lib}"):
            if re.fullmatch(r"python3(?:\.[0-9]{1,2}t?)?", name):
                for packages in ("site-packages", "dist-packages"):
                    path = f"{prefix}/{lib}/{name}/{packages}"
                    if tree.status(path) is not None:
                        yield path
