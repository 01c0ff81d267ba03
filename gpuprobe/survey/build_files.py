"""Which files of a directory are a build of ggml's: its backends, and the libraries that are loaded before them."""

from collections.abc import Iterable, Iterator

from gpuprobe import patterns as re
from gpuprobe.libraries import ENGINES, LIBRARIES, Engine
from gpuprobe.record_classes import NamedTuple
from gpuprobe.strings import build_key

_BACKENDS = {library.ggml: library.name for library in LIBRARIES if library.ggml}

# How libraries are named: what stands before the name, and the ends that it may have. A plug-in on macOS ends in `.so`.
_FORMS = {
    "linux": ("lib", r"\.so((?:\.[0-9]+)*)"),
    "darwin": ("lib", r"(?:\.[0-9.]+)?\.(?:dylib|so)()"),
    "win32": ("", r"\.dll()"),
}
_HASH = r"(?:-[0-9a-f]{8})?"  # Python wheels carry libraries whose names have a part of their checksum in them
_RELEASE = r"(?:\.[a-z][\w.]*?)?"  # node-llama-cpp names the registry `libggml.vulkan.v0.5.0.so`


class Backend(NamedTuple):
    kind: str  # as ggml calls it: "cuda"
    library: str  # whose devices it lists, as in libraries.py
    file: str


def backends(names: Iterable[str], platform: str) -> Iterator[Backend]:
    """The backends for GPUs among these file names, one of each kind, in the order of the libraries' ranks."""
    there = list(names)
    for kind, library in _BACKENDS.items():
        file = _best(there, f"ggml-{kind}{_HASH}", platform)
        if file is not None:
            yield Backend(kind, library, file)


def others(names: Iterable[str], platform: str) -> Iterator[tuple[Engine, str]]:
    """The backends among these file names that this version does not ask, each with its file."""
    there = [name for name in names if "ggml-" in name]
    for engine in ENGINES if there else ():
        file = _best(there, f"ggml-{engine.kind}{_HASH}", platform)
        if file is not None:
            yield engine, file


def is_for_cpu(name: str) -> bool:
    """Whether this file is a backend of ggml for the processor: `libggml-cpu-haswell.so`."""
    return name.removeprefix("lib").startswith(("ggml-cpu-", "ggml-cpu."))


def loaded_first(names: Iterable[str], platform: str) -> list[str]:
    """ggml's base library and its registry, in the order in which they are loaded; empty where the first is missing."""
    there = list(names)
    base = _best(there, f"ggml-base{_HASH}", platform)
    registry = _best(there, f"ggml{_RELEASE}{_HASH}", platform)
    return [] if base is None else [file for file in (base, registry) if file is not None]


def _best(names: Iterable[str], stem: str, platform: str) -> str | None:
    """The name without a version behind it, as a program asks for it; else the one with the highest version."""
    before, end = _FORMS.get(platform, _FORMS["linux"])
    begin = stem.partition("(")[0]
    names = [name for name in names if begin in name]
    if not names:
        return None
    form = re.compile(f"{before}{stem}{end}")
    fitting = [(found[1] != "", name) for name in names if (found := form.fullmatch(name))]
    plain = [name for versioned, name in fitting if not versioned]
    return min(plain, key=len) if plain else max((name for _, name in fitting), key=build_key, default=None)
