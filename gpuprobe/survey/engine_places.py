"""Engines that other programs bring: node's packages of llama.cpp, and those that LM Studio keeps in the home directory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from gpuprobe.facts import FoundSoftware
from gpuprobe.survey import code_files, needed
from gpuprobe.survey.frameworks import LM_STUDIO, NODE, Framework
from gpuprobe.survey.needed import Pending
from gpuprobe.survey.tree import Tree

_GLOBAL_NODE = ("/usr/local/lib/node_modules", "/usr/lib/node_modules")
_LM_STUDIOS = (".lmstudio/extensions/backends", ".cache/lm-studio/extensions/backends")
_VERSION_IN_NAME = re.compile(r"-([0-9]+(?:\.[0-9]+){1,3})$")


def engines(tree: Tree, environ: Mapping[str, str], named: Sequence[str]) -> Iterator[Pending]:
    """Those below the named directories, then the machine's, then the user's."""
    home = environ.get("HOME", "")
    homes = [home.rstrip("/")] if home.startswith("/") else []
    node = [*(f"{path}/node_modules" for path in named), *_GLOBAL_NODE, *(f"{home}/node_modules" for home in homes)]
    for folder in node:
        yield from _below(tree, NODE, folder)
    for folder in (f"{home}/{below}" for home in homes for below in _LM_STUDIOS):
        yield from _below(tree, LM_STUDIO, folder)


def _below(tree: Tree, row: Framework, folder: str) -> Iterator[Pending]:
    for part in row.parts:
        for path in code_files.first_of_links(tree, code_files.matching(tree, folder, part.pattern)):
            read = code_files.read(tree, path)
            place = path.rpartition("/")[0]
            files = (read.file,) if read.file.architectures or read.file.unread else ()
            found = FoundSoftware(row.name, path, "engine", part.library, _version(tree, place), files=files)
            yield Pending(found, needed.wanted(tree, (path,)))


def _version(tree: Tree, place: str) -> str | None:
    """In the folder's own name, as LM Studio writes it; else in the package's description, as node's packages have it."""
    named = _VERSION_IN_NAME.search(place)
    if named:
        return named[1]
    for above in (place, place.rpartition("/")[0], place.rpartition("/bins")[0]):
        text = tree.read(f"{above}/package.json").text
        found = re.search(r'"version"\s*:\s*"([0-9A-Za-z.+-]{1,40})"', text or "")
        if found:
            return found[1]
    return None
