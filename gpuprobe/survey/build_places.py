"""Where builds of Ollama and llama.cpp are looked for, in order: as the user says, as Ollama says, then where they install."""

from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename, dirname, normpath

from gpuprobe.record_classes import NamedTuple
from gpuprobe.survey.tree import Tree

BY_OPTION, BY_VARIABLE, OLLAMA, LLAMA_CPP = "--lib-dir", "OLLAMA_LIBRARY_PATH", "Ollama", "llama.cpp"

_BREW = {"darwin": "/opt/homebrew", "linux": "/home/linuxbrew/.linuxbrew"}
_OLLAMAS = {
    "linux": ("/usr/local/lib/ollama", "/usr/lib/ollama", "/usr/lib64/ollama", "/snap/ollama/current/lib/ollama"),
    "darwin": ("/Applications/Ollama.app/Contents/Resources", "/usr/local/lib/ollama"),
    "win32": (),
}
_GGMLS = ("/usr/lib/ggml", "/usr/lib64/ggml", "/usr/local/lib/ggml")  # and those of Debian, by architecture


_OF_PROCESSORS, _LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_"), frozenset("abcdefghijklmnopqrstuvwxyz")


class Place(NamedTuple):
    path: str
    where: str  # as in FoundBuild


def places(tree: Tree, environ: Mapping[str, str], platform: str, named: Sequence[str]) -> Iterator[Place]:
    """Each directory once, under the first of the reasons to look there. It need not exist."""
    met: set[str] = set()
    for place in _all(tree, environ, platform, named):
        path = place.path.replace("\\", "/") if platform == "win32" else tree.absolute(place.path)
        path = normpath(path)
        if path not in met:
            met.add(path)
            yield place._replace(path=path)


def _all(tree: Tree, environ: Mapping[str, str], platform: str, named: Sequence[str]) -> Iterator[Place]:
    for path in named:
        yield Place(path, BY_OPTION)
        # The directory that the whole of Ollama was unpacked to will do, too, and the one that llama.cpp was built in.
        whole = (f"{path}/lib/ollama", f"{path}/build/bin")
        yield from (Place(below, BY_OPTION) for below in whole if tree.names(below))
    told = environ.get("OLLAMA_LIBRARY_PATH", "").split(";" if platform == "win32" else ":")
    # An empty element would mean the working directory.
    yield from (Place(path, BY_VARIABLE) for path in told if path)
    yield from (Place(path, OLLAMA) for path in _ollama(tree, environ, platform))
    yield from (Place(path, LLAMA_CPP) for path in _llama_cpp(tree, environ, platform))


def _ollama(tree: Tree, environ: Mapping[str, str], platform: str) -> Iterator[str]:
    for folder in _programs(tree, environ, platform, ("ollama",)):
        yield from (f"{dirname(folder)}/lib/ollama", f"{folder}/lib/ollama", f"{folder}/build/lib/ollama")
        if platform == "darwin":
            yield folder
    yield from _OLLAMAS.get(platform, ())
    if platform in _BREW:
        yield f"{_BREW[platform]}/lib/ollama"
    if platform == "win32" and environ.get("LOCALAPPDATA"):
        yield f"{environ['LOCALAPPDATA']}/Programs/Ollama/lib/ollama"


def _llama_cpp(tree: Tree, environ: Mapping[str, str], platform: str) -> Iterator[str]:
    triplets = _triplets(tree) if platform == "linux" else []
    for folder in _programs(tree, environ, platform, ("llama-server", "llama-cli")):
        yield folder
        above = dirname(folder)
        if basename(folder) == "bin" and platform != "win32":
            yield from (f"{above}/lib", f"{above}/lib64", *(f"{above}/lib/{triplet}" for triplet in triplets))
    if platform == "linux":
        yield from (*_GGMLS, *(f"/usr/lib/{triplet}/ggml" for triplet in triplets))


def _triplets(tree: Tree) -> list[str]:
    return [name for name in tree.names("/usr/lib") if _is_triplet(name)]


def _is_triplet(name: str) -> bool:
    """`x86_64-linux-gnu`"""
    processor, _, system = name.partition("-linux-")
    return bool(processor and system) and _OF_PROCESSORS.issuperset(processor) and _LETTERS.issuperset(system)


def _programs(tree: Tree, environ: Mapping[str, str], platform: str, names: Sequence[str]) -> Iterator[str]:
    """The directories of these programs in `PATH`: as they are named there, and behind their links."""
    ending, separator = (".exe", ";") if platform == "win32" else ("", ":")
    told = (folder.replace("\\", "/").rstrip("/") for folder in environ.get("PATH", "").split(separator))
    # One that is relative is left out: it names the working directory, or what is below it.
    folders = [folder for folder in told if folder.startswith("/") or (platform == "win32" and folder)]
    for program in (f"{folder}/{name}{ending}" for folder in folders for name in names):
        if tree.status(program) is not None:
            yield from dict.fromkeys((dirname(tree.real_path(program)), dirname(program)))
