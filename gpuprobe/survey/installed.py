"""Which GPU libraries and Vulkan drivers are installed: search.py's order applied to this machine's files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from gpuprobe.facts import FoundLibrary, Manifest
from gpuprobe.libraries import LIBRARIES
from gpuprobe.survey import search
from gpuprobe.survey.tree import ABSENT, Tree, problem_of

LINKER_CACHE = "/etc/ld.so.cache"
_MOST_CACHE = 16 * 1024 * 1024  # bytes; 500 libraries take 35 KB


def libraries(tree: Tree, environ: Mapping[str, str], platform: str, machine: str) -> Iterator[FoundLibrary]:
    """Every name in the registry of libraries that the loader would find, in the registry's order; drivers come behind."""
    own = [name for library in LIBRARIES for name in library.sonames.get(platform, ())]
    drivers = [name for library in LIBRARIES if library.drivers for name in library.drivers.names.get(platform, ())]
    yield from named((*own, *drivers), tree, environ, platform, machine)


def named(
    names: tuple[str, ...], tree: Tree, environ: Mapping[str, str], platform: str, machine: str
) -> Iterator[FoundLibrary]:
    """Each of these names that the loader would find, where it would find it first."""
    places = _places(tree, environ, platform, machine, names)
    for hit in search.find_library(names, places, lambda path: _loads(tree, path, machine)):
        framework = hit.where == search.BY_SYSTEM
        real = hit.path if framework else tree.real_path(hit.path)
        yield FoundLibrary(hit.name, hit.path, real, hit.where)


def _places(
    tree: Tree, environ: Mapping[str, str], platform: str, machine: str, names: tuple[str, ...]
) -> tuple[search.Place, ...]:
    if platform == "win32":
        return search.windows_places(environ)
    if platform == "darwin":
        return search.macos_places(environ)
    rocm = [f"/opt/{name}" for name in tree.names("/opt") if name.startswith("rocm-")]
    return search.linux_places(
        machine,
        environ,
        _linker_cache(tree, machine, names),
        rocm,
        _musl(tree, machine),
        own=_of_this_python(tree),
        from_store=tree.is_this_machine and search.is_from_store(tree.real_path(sys.executable)),
    )


def _of_this_python(tree: Tree) -> list[str]:
    """Where Conda installs loaders of Vulkan and Level Zero, and ROCm: programs of the same environment find them there."""
    conda = tree.is_this_machine and tree.status(f"{sys.base_prefix}/conda-meta") is not None
    return [f"{sys.base_prefix}/lib"] if conda else []


def _linker_cache(tree: Tree, machine: str, names: tuple[str, ...]) -> dict[str, str]:
    try:
        return search.parse_linker_cache(tree.content(LINKER_CACHE, _MOST_CACHE), machine, names)
    except OSError:  # musl, NixOS and small containers have none
        return {}


def _musl(tree: Tree, machine: str) -> tuple[str, ...] | None:
    """musl's directories, where that is the C library: its loader is there and glibc's cache is not."""
    loader = f"/lib/ld-musl-{machine}.so.1"
    if tree.status(loader) is None or tree.status(LINKER_CACHE) is not None:
        return None
    written = tree.read(f"/etc/ld-musl-{machine}.path").text
    return tuple(written.replace(":", "\n").split()) if written else ("/lib", "/usr/local/lib", "/usr/lib")


def _loads(tree: Tree, path: str, machine: str) -> bool:
    try:
        return search.fits(tree.content(path, 20), machine)
    except IsADirectoryError:
        return False
    except (OSError, ValueError) as error:
        return problem_of(error) != ABSENT  # there, and not to be read: the loader's own words will say why


def manifests(tree: Tree, environ: Mapping[str, str], platform: str) -> Iterator[Manifest]:
    """The driver manifests that the Vulkan loader would read, in its order of places and by name within each."""
    paths: dict[str, None] = {}
    for place in search.manifest_places(environ, platform):
        whole = tree.absolute(place) if platform != "win32" else place
        inside = [f"{whole.rstrip('/')}/{name}" for name in tree.names(whole)]
        paths.update(dict.fromkeys(inside or [whole]))
    for path in paths:
        if path.endswith(".json") and (reading := tree.read(path)).problem != ABSENT:
            yield Manifest(path, reading)
