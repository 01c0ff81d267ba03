"""What NVIDIA's kernel driver says in small files: its release and settings, the names of its cards, how they are cut."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe import patterns as re
from gpuprobe.facts import Reading
from gpuprobe.survey.tree import Tree

DRIVER = "/proc/driver/nvidia"
VERSION = f"{DRIVER}/version"
JETSON_RELEASE = "/etc/nv_tegra_release"

_CARDS, _CAPABILITIES = f"{DRIVER}/gpus", f"{DRIVER}/capabilities"


def nvidia_files(tree: Tree) -> Iterator[tuple[str, Reading]]:
    """(path, content) of each such file, also where there is none: its absence is evidence."""
    cards = (f"{_CARDS}/{name}/information" for name in tree.names(_CARDS))
    for path in (JETSON_RELEASE, VERSION, f"{DRIVER}/params", *cards):
        yield path, tree.read(path)


def mig_instances(tree: Tree) -> Iterator[tuple[str, list[str]]]:
    """(card, its compute instances) of each card that is cut: ("gpu0", ["gi1/ci0", "gi2/ci0"])."""
    for card in _numbered(tree, _CAPABILITIES, "gpu"):
        place = f"{_CAPABILITIES}/{card}/mig"
        instances = _numbered(tree, place, "gi")
        cut = [f"{gpu}/{one}" for gpu in instances for one in _numbered(tree, f"{place}/{gpu}", "ci")]
        if cut:
            yield card, cut


def _numbered(tree: Tree, directory: str, stem: str) -> list[str]:
    return [name for name in tree.names(directory) if re.is_numbered(name, stem)]
