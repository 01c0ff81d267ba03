"""Which distributions a directory of Python packages names: by the names of their metadata, and never by running them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gpuprobe.survey.tree import Tree

_METADATA = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._]{0,98}[A-Za-z0-9])?)(?:-([0-9A-Za-z.!+_]{1,60}))?(?:-py3[0-9.]*)?\.(dist|egg)-info"
)
_VERSION = re.compile(r"(?m)^Version:[ \t]*([0-9A-Za-z.!+_-]{1,60})[ \t]*$")
_HEADERS = 16 * 1024  # bytes; the version stands in the first lines
MOST = 5000  # distributions in one directory; more are no ordinary environment


class Distribution(NamedTuple):
    name: str  # normalised: "onnxruntime-gpu"
    version: str | None
    metadata: str  # the path of its metadata


def distributions(tree: Tree, site: str, names: Iterable[str]) -> Iterator[Distribution]:
    """Those that the directory `site`, which holds `names`, has metadata of."""
    for _, found in zip(range(MOST), (match for name in names if (match := _METADATA.fullmatch(name))), strict=False):
        metadata = f"{site}/{found[0]}"
        yield Distribution(normalised(found[1]), found[2] or _version_in(tree, metadata, found[3]), metadata)


def normalised(name: str) -> str:
    """As PEP 503 has it, so that spellings can be compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _version_in(tree: Tree, metadata: str, kind: str) -> str | None:
    """What its own file says, where the name of the directory says none: distributions like Debian rename them."""
    for file in ("METADATA", "PKG-INFO") if kind == "dist" else ("PKG-INFO", "METADATA"):
        text = tree.read(f"{metadata}/{file}", most=_HEADERS).text
        if text is not None:
            found = _VERSION.search(text.partition("\n\n")[0])
            return found[1] if found else None
    return None
