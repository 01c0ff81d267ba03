"""Which builds of Ollama and llama.cpp are installed: directories with a ggml backend, found without loading anything.

Every place is looked at itself and one level down. What a place is full of otherwise does not matter; a place that the user
named and that holds no build is told.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from posixpath import basename, dirname, normpath

from gpuprobe.facts import CPU_ONLY, FoundBuild, FoundEngine, NamedPlace
from gpuprobe.libraries import Engine
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import build_key
from gpuprobe.survey import trust
from gpuprobe.survey.build_files import Backend, backends, is_for_cpu, loaded_first
from gpuprobe.survey.build_files import others as others_of
from gpuprobe.survey.build_places import BY_OPTION, BY_VARIABLE, LLAMA_CPP, OLLAMA, Place, places
from gpuprobe.survey.search import fits
from gpuprobe.survey.tree import ABSENT, DENIED, Tree

_LEVELS_UP = 2  # Debian keeps backends in `ggml/backends0` below the directory with the base library

_WHY_EMPTY = {ABSENT: "does not exist", DENIED: "cannot be read"}


class Survey(NamedTuple):
    builds: tuple[FoundBuild, ...]
    empty: tuple[NamedPlace, ...]  # of those that the user named
    engines: tuple[FoundEngine, ...] = ()  # of ggml, that are not asked


def _why_empty(tree: Tree, path: str) -> str:
    problem = tree.why_unlisted(path)
    if problem == ABSENT and tree.status(path) is not None:
        return "is not a directory"
    return _WHY_EMPTY.get(problem or "", "holds no build of Ollama or llama.cpp")


class _Folder(NamedTuple):
    path: str
    names: tuple[str, ...]
    backends: tuple[Backend, ...]
    others: tuple[tuple[Engine, str], ...] = ()  # those that are not asked, each with its file


def builds(
    tree: Tree,
    environ: Mapping[str, str],
    platform: str,
    machine: str,
    *,
    named: Sequence[str] = (),
    uid: int | None = None,
) -> Survey:
    """Every build, each once, those in `named` directories first. Those that others than `uid` could replace are refused: all
    as root, else only where something above a named directory would be loaded."""
    found: dict[str, FoundBuild] = {}
    engines: dict[str, FoundEngine] = {}
    empty = []
    on_cpu: dict[str, NamedPlace] = {}
    for place in places(tree, environ, platform, named):
        folders = list(_folders(tree, place.path, platform))
        for folder in folders:
            for build in _in_folder(tree, folder, place, platform):
                found.setdefault(tree.real_path(build.path), build)
            for engine in _engines(folder, place):
                engines.setdefault(tree.real_path(engine.path), engine)
        if not folders and place.where in (BY_OPTION, BY_VARIABLE):
            empty.append(NamedPlace(place.path, place.where, _why_empty(tree, place.path)))
        elif not folders and any(map(is_for_cpu, tree.names(place.path))):
            real = tree.real_path(place.path)
            on_cpu.setdefault(real, NamedPlace(place.path, place.where, CPU_ONLY))
    known: list[FoundBuild | FoundEngine] = [*found.values(), *engines.values()]
    told = [each for each in empty if not any(_is_of(one, each) for one in known)]
    vouched = [normpath(tree.absolute(path)) for path in named]
    checked = (_checked(tree, build, machine, uid, vouched) for build in found.values())
    return Survey(tuple(_uniquely_named(checked)), (*told, *on_cpu.values()), tuple(engines.values()))


def _is_of(found: FoundBuild | FoundEngine, place: NamedPlace) -> bool:
    """Whether it was found in a place further down that is looked at for the sake of this one."""
    return found.where == place.where and found.path.startswith(f"{place.path}/")


def _folders(tree: Tree, path: str, platform: str) -> Iterator[_Folder]:
    """The place itself and the directories in it, as far as they hold a backend, the oldest version first."""
    below = (f"{path}/{name}" for name in sorted(tree.folders(path), key=build_key))
    for each in (path, *below):
        there = tree.names(each)
        found, others = tuple(backends(there, platform)), tuple(others_of(there, platform))
        if found or others:
            yield _Folder(each, there, found, others)


def _engines(folder: _Folder, place: Place) -> Iterator[FoundEngine]:
    product = "ollama" if place.where == OLLAMA else "llama.cpp"
    for engine, file in folder.others:
        yield FoundEngine(engine.name, f"{folder.path}/{file}", place.where, engine.serves, product)


def _in_folder(tree: Tree, folder: _Folder, place: Place, platform: str) -> Iterator[FoundBuild]:
    home, first = _base(tree, folder, platform)
    # Debian's backends of llama.cpp have a folder of their own, too.
    is_laid_out_so = folder.path != home and basename(home) == "ollama" and place.where != LLAMA_CPP
    product = "ollama" if place.where == OLLAMA or is_laid_out_so else "llama.cpp"
    for backend in folder.backends:
        yield FoundBuild(
            name=_name(folder, backend, place),
            library=backend.library,
            path=f"{folder.path}/{backend.file}",
            before=tuple(f"{home}/{file}" for file in first),
            # llama.cpp's programs find their libraries beside themselves, and tell the loader nothing.
            directories=() if place.where == LLAMA_CPP else tuple(dict.fromkeys((home, folder.path))),
            where=place.where,
            product=product,
        )


def _base(tree: Tree, folder: _Folder, platform: str) -> tuple[str, list[str]]:
    """The nearest directory with the base library, and what is loaded from it. None has one: a build that needs none."""
    place, names = folder.path, folder.names
    for _ in range(_LEVELS_UP + 1):
        first = loaded_first(names, platform)
        if first:
            return place, first
        place = dirname(place)
        names = tree.names(place)
    return folder.path, []


def _name(folder: _Folder, backend: Backend, place: Place) -> str:
    if place.where == LLAMA_CPP:
        return f"llama.cpp-{backend.kind}"
    name = basename(folder.path)
    several = len(folder.backends) > 1 or (place.where == OLLAMA and folder.path == place.path)
    return f"{name}-{backend.kind}" if several else name


def _uniquely_named(found: Iterable[FoundBuild]) -> Iterator[FoundBuild]:
    """Of two that have one name the later is called by its whole path, whose last element still tells the version."""
    taken: set[str] = set()
    for build in found:
        whole = build.path.rpartition("/")[0]
        name = next(name for name in (build.name, whole, build.path) if name not in taken)
        taken.add(name)
        yield build._replace(name=name)


def _checked(tree: Tree, build: FoundBuild, machine: str, uid: int | None, vouched: Sequence[str]) -> FoundBuild:
    """With the reason where it is not to be loaded.

    What the user names on the command line is the user's own risk, and not what lies above it: a base library that somebody
    left in /tmp is not loaded for the sake of a build in a folder there.
    """
    unfit = _unfit(tree, build.path, machine)
    if unfit is not None:
        return build._replace(problem=unfit)
    by_option = build.where == BY_OPTION
    if uid is None or not (by_option or uid == trust.ROOT):
        return build
    mine = vouched if by_option else ()
    libraries, folders = (
        [path for path in paths if not any(f"{path}/".startswith(f"{each}/") for each in mine)]
        for paths in ((build.path, *build.before), build.directories)
    )
    why = trust.why_replaceable(trust.on_the_way(tree, libraries, folders), (trust.ROOT, uid))
    if why is None:
        return build
    account = "as root " if uid == trust.ROOT else ""
    advice = f"have root own it and nobody else write to it, or name it with `--lib-dir {dirname(libraries[0])}`"
    return build._replace(problem=f"{account}it is not loaded, because {why}: {advice}", refused=True)


def _unfit(tree: Tree, path: str, machine: str) -> str | None:
    target = tree.target(path)
    if target is not None and tree.status(path) is None:
        return f"`{path}` is a link to `{target}`, which does not exist: the install is damaged, install it again"
    try:
        header = tree.content(path, 20)
    except IsADirectoryError:
        return f"`{path}` is a directory and no library"
    except OSError:
        return None  # the loader's own words will say why it cannot be read
    return None if fits(header, machine) else f"`{path}` is built for another kind of machine than this one ({machine})"
