"""What a process has mapped, in the words of the records: drivers of vendors, backends of ggml, parts of frameworks."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gpuprobe.libraries import ENGINES, LIBRARIES
from gpuprobe.survey.frameworks import FRAMEWORKS

GGML = "ggml"
_KIND = re.compile(r"/libggml-([a-z]+)[^/]{0,60}\.so[^/]{0,20}$")
_GGML = re.compile(r"/(?:libggml|libllama)[^/]{0,60}\.so[^/]{0,20}$")
_TORCH_ON_THE_CPU = re.compile(r"/libtorch_cpu\.so[^/]{0,20}$")


class Part(NamedTuple):
    """One mapped file that computes. `library`: whose devices it computes on, as a record of libraries.py calls it."""

    engine: str  # "ggml", "torch", "CUDA" for the driver's own library
    library: str
    path: str


class Mapped(NamedTuple):
    drivers: tuple[Part, ...] = ()  # vendors' own libraries
    backends: tuple[Part, ...] = ()  # what computes through them
    engines: tuple[str, ...] = ()  # ggml and frameworks, whatever they compute on

    @property
    def engine(self) -> str | None:
        return self.engines[0] if self.engines else None


def mapped(paths: Iterable[str]) -> Mapped:
    known = tuple(paths)
    return Mapped(
        drivers=_once(part for path in known if (part := _driver(path))),
        backends=_once(part for path in known for part in parts_in(path)),
        engines=tuple(dict.fromkeys(engine for path in known for engine in _engines(path))),
    )


def _once(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The first file of each engine and library."""
    found: dict[tuple[str, str], Part] = {}
    for part in parts:
        found.setdefault((part.engine, part.library), part)
    return tuple(found.values())


def _driver(path: str) -> Part | None:
    return next((Part(name, name, path) for start, name in _drivers() if start in path), None)


@functools.cache
def _drivers() -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"/{stem}.so", library.name)
        for library in LIBRARIES
        if not library.witness
        for stem in dict.fromkeys(name.partition(".so")[0] for name in library.sonames.get("linux", ()))
    )


@functools.cache
def _kinds() -> dict[str, str]:
    own = {library.ggml: library.name for library in LIBRARIES if library.ggml}
    return own | {engine.kind: engine.name for engine in ENGINES if engine.is_gpu and not engine.remote}


@functools.cache
def _framework_parts() -> tuple[tuple[re.Pattern[str], str, str], ...]:
    return tuple(
        (_pattern(part.pattern), row.name, part.library)
        for row in FRAMEWORKS
        for part in row.parts
        if part.library is not None and part.main
    )


def _pattern(glob: str) -> re.Pattern[str]:
    """`*` stands for anything within one name."""
    return re.compile("/" + re.escape(glob).replace(r"\*", "[^/]{0,100}") + "$")


@functools.lru_cache(4096)
def parts_in(path: str) -> tuple[Part, ...]:
    """The backend that a file is; nothing for what computes on the CPU. Processes map the same files, and are read again."""
    found = _KIND.search(path)
    if found is not None:
        return (Part(GGML, _kinds()[found[1]], path),) if found[1] in _kinds() else ()
    parts = (Part(engine, library, path) for pattern, engine, library in _framework_parts() if pattern.search(path))
    return tuple(parts)[:1]


@functools.lru_cache(4096)
def _engines(path: str) -> tuple[str, ...]:
    ggml = (GGML,) if _GGML.search(path) else ()
    torch = (FRAMEWORKS[0].name,) if _TORCH_ON_THE_CPU.search(path) else ()
    frameworks = (row.name for row in FRAMEWORKS if row.folder and f"/{row.folder}/" in path and ".so" in path)
    return (*ggml, *torch, *frameworks)


def gpu_parts(paths: Sequence[str]) -> tuple[Part, ...]:
    """Of files that lie beside what is mapped: those that would compute on a GPU."""
    return _once(part for path in paths for part in parts_in(path))
