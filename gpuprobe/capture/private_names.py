"""Which names in paths and in values of variables are a person's or a customer's own: all that are not commonly known.

A path's directories stay where the distribution or a vendor named them: everything below /usr (but /usr/local), /opt/rocm and
the like, and elsewhere the names that installers make (`lib64`, `ollama`, `cuda_v13`, `site-packages`, versions). So do names
of library and manifest files, and of builds, because those are judged. Every other directory has a pseudonym, the same one in
every text. A word of a variable stays where it is a number, a UUID, a switch or a name of this vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

_OF_THE_SYSTEM = re.compile(
    r"/(?:usr/(?!local(?:/|$))|(?:lib|lib32|lib64|libx32|bin|sbin|etc|sys|proc|dev|snap|System|Library|nix/store|gnu/store)(?:/|$)"
    r"|run/(?!user(?:/|$))|opt/(?:rocm|cuda|intel|amdgpu)[^/]{0,32}(?:/|$))|[A-Za-z]:[/\\](?:Windows|Program Files)",
    re.IGNORECASE,
)
# Words in the names that installers give, without the numbers behind them.
_WORDS = """
home homes users root data mnt media srv opt tmp var local share lib bin libexec include src build release debug ollama
llama cpp ggml cuda rocm vulkan hip sycl oneapi metal level zero cpu jetpack torch tensorflow jax vllm nvidia amd intel
mesa radeon radv lvp lavapipe anv hasvk nvk icd icds d implicit explicit layer layers driver drivers loader site dist
packages python conda miniconda anaconda miniforge mambaforge envs env venv cache config stubs targets linux gnu x arm
aarch sbsa usr run user cublas cudart runtime cudnn nccl rocblas library backends backend dynamic gpu install installed
app apps workspace v cu cp gfx all none void nodevfiles true false yes no on off auto f bf q fp windows program files
appdata programs toolkit toolkits system spirv wsl discrete integrated fastest first pci bus id fifo default max enable
disable enabled disabled t json so egl physical device select
"""
_KNOWN = frozenset(_WORDS.split())
_PSEUDONYM = re.compile(r"(?:[0-9]*(?:dir|user|host|value|id|key|serial|mac|ip)-[0-9a-f]{4})")
_FILE = re.compile(r"[\w.+-]{1,200}\.(?:so(?:\.[0-9.]{1,40})?|dll|dylib|json|exe|py)", re.IGNORECASE)
# Control groups that systemd and container engines name by numbers: which engine it is, is judged.
_GROUP = re.compile(
    r"(?:(?:user|session|user-runtime-dir|app|init|machine|system|background)(?:[-@][0-9]{1,10})?\.(?:slice|scope|service)"
    r"|(?:docker|libpod|crio|cri-containerd)-(?:[0-9a-f]{12,64}|id-[0-9a-f]{4})\.scope|kubepods(?:-[\w-]{0,80})?(?:\.slice)?"
    r"|besteffort|burstable)"
)
_IS_A_PATH = re.compile(r"(?:[A-Za-z]:[/\\]|/(?!.{0,4096}\s/))[^:;\n]{0,4096}")
_OF_A_PACKAGE = re.compile(r"(?<=[/\\](?:site|dist)-packages)[/\\].{0,4096}")  # published names, which are judged
_MAY_BE_A_PATH = re.compile(r"[\w.+@~ -]{0,255}[/\\][\w.+@~/\\ -]{0,4096}")
_ABSOLUTE = re.compile(r"(?<![\w/.~-])(?<!:/)/[\w.+@~-]{1,255}(?:/[\w.+@~-]{1,255})+")
_WORD = re.compile(r"[^\s,;:=/\\*?\"'\[\](){}|]+")
_PLAIN = re.compile(
    r"[+-]?[0-9][0-9.]*|0x[0-9a-f]{1,16}|[0-9]+(?:[kmgt]i?b?)|(?:gpu-|mig-|mig-gpu-)?[0-9a-f]{2,8}(?:-[0-9a-f]{1,12}){0,5}",
    re.I,
)
_UUID_BEGINNING = re.compile(r"(?:gpu|mig|mig-gpu)-[0-9a-f-]{0,40}", re.IGNORECASE)
_MOST = 2000  # names that are looked for

Pseudonym = Callable[[str, str], str]


def is_known(element: str) -> bool:
    """Whether a directory or a file is named as installers name theirs: `cuda_v13`, `llama.cpp`, `libcuda.so.1`."""
    if len(element) > 255:
        return False
    words = [word.strip("0123456789") for word in re.split(r"[-_.+ ~()]", element.casefold())]
    named = _FILE.fullmatch(element) or _PSEUDONYM.fullmatch(element) or _GROUP.fullmatch(element)
    return all(word in _KNOWN or not word for word in words) or named is not None


def names_in_paths(value: Any, environ: Mapping[str, str], kept: Iterable[str]) -> tuple[str, ...]:
    """The private elements of every path in a capture, the longest first; `kept`: what is judged, or replaced elsewhere."""
    known, found = set(kept), dict[str, None]()
    parts = dict.fromkeys(part for text in environ.values() for part in re.split(r"[:;,]", text))
    named = (path for path in parts if _MAY_BE_A_PATH.fullmatch(path))
    for path in dict.fromkeys((*_paths(value), *named)):
        if not _OF_THE_SYSTEM.match(path):
            elements = dict.fromkeys(re.split(r"[/\\]", _OF_A_PACKAGE.sub("", path)))
            found.update(dict.fromkeys(each for each in elements if each not in known and not is_known(each)))
        if len(found) > _MOST:
            break
    return tuple(sorted((name for name in found if len(name) > 1 and not name.endswith(":")), key=len, reverse=True))[:_MOST]


def _paths(value: Any) -> Iterator[str]:
    """Texts that are a path, and paths inside of other texts."""
    if isinstance(value, str):
        if _IS_A_PATH.fullmatch(value):
            yield value
        elif "/" in value:
            yield from _ABSOLUTE.findall(value)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _paths(item)


def finder(names: Iterable[str]) -> Callable[[str], Iterator[tuple[int, int]]] | None:
    """Where these stand as an element of a path; None: there are none."""
    either = "|".join(map(re.escape, names))
    if not either:
        return None
    behind = r"(?=[/\\:;,\s\"'`)\]]|$)"
    pattern = re.compile(rf"(?<=[/\\])(?:{either}){behind}|(?<![^:;,=])(?:{either})(?=[/\\])")
    return lambda text: (found.span() for found in (pattern.finditer(text) if "/" in text or "\\" in text else ()))


def value_of_variable(text: str, pseudonym: Pseudonym, kept: frozenset[str]) -> str:
    """A variable's value with every word replaced that is no number, UUID, switch or known name. Numbers in front stay:
    libraries read `3x` as 3."""

    seen: dict[str, str] = {}

    def replaced(found: re.Match[str]) -> str:
        word = found[0]
        if word not in seen:
            seen[word] = instead_of(word)
        return seen[word]

    def instead_of(word: str) -> str:
        if word in kept or _PLAIN.fullmatch(word) or _UUID_BEGINNING.fullmatch(word) or is_known(word):
            return word
        front = word[: len(word) - len(word.lstrip("+-0123456789"))]
        return front + pseudonym("value", word[len(front) :])

    return ",".join(entry if entry in kept else _WORD.sub(replaced, entry) for entry in text.split(","))
