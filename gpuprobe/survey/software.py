"""Which runtime libraries and frameworks are installed for the cards, by their files alone: nothing is loaded or imported.

Files may be another user's: they are read as bytes, to a bound, and a name or version in them is nothing but a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gpuprobe.facts import FoundBuild, FoundSoftware
from gpuprobe.survey import cuda_libraries, engine_places, rocblas, torch_texts
from gpuprobe.survey.distributions import distributions
from gpuprobe.survey.installed_builds import of_builds
from gpuprobe.survey.installed_frameworks import Site, frameworks
from gpuprobe.survey.needed import with_needs
from gpuprobe.survey.packages import Place, places
from gpuprobe.survey.tree import Tree


def software(
    tree: Tree,
    environ: Mapping[str, str],
    machine: str,
    named: Sequence[str] = (),
    builds: Sequence[FoundBuild] = (),
) -> tuple[FoundSoftware, ...]:
    """Everything found on Linux, each file once. `named`: environments that the user names, which come first."""
    found = places(tree, environ, named)
    sites = [_site(tree, place, environ) for place in found]
    libraries = (
        *cuda_libraries.toolkits(tree),
        *cuda_libraries.of_the_loader(tree, environ, machine),
        *(each for prefix in dict.fromkeys(place.prefix for place in found) for each in _of_prefix(tree, prefix)),
        *(each for site in sites for each in cuda_libraries.wheels(tree, site.path, site.distributions)),
    )
    pending = [each for site in sites for each in frameworks(tree, site)]
    pending += engine_places.engines(tree, environ, named)
    everything = (
        *libraries,
        *with_needs(pending, tree, environ, machine),
        *rocblas.rocblas(tree, list(_folders_of_amd(tree, sites))),
        *of_builds(tree, builds),
    )
    return tuple(_each_once(tree, everything))


def _site(tree: Tree, place: Place, environ: Mapping[str, str]) -> Site:
    names = tree.names(place.path)
    known = tuple(distributions(tree, place.path, names))
    torch = torch_texts.torch(tree, place.path) if "torch" in names else None
    return Site(place.path, frozenset(names), known, torch, environ)


def _of_prefix(tree: Tree, prefix: str) -> Iterator[FoundSoftware]:
    return cuda_libraries.of_conda(tree, prefix) if prefix else iter(())


def _folders_of_amd(tree: Tree, sites: Iterable[Site]) -> Iterator[str]:
    """Where wheels bring a rocBLAS of their own: torch's, and AMD's by family of cards."""
    for site in sites:
        yield f"{site.path}/torch/lib"
        yield from (f"{site.path}/{name}/lib" for name in sorted(site.names) if name.startswith("_rocm_sdk_libraries"))


def _each_once(tree: Tree, everything: Iterable[FoundSoftware]) -> Iterator[FoundSoftware]:
    met: set[tuple[str, str | None, str | None, str]] = set()
    for each in everything:
        key = each.name, each.library, each.through, tree.real_path(each.path)
        if key not in met:
            met.add(key)
            yield each
