"""What a shell proposes for a DEVICE at a TAB: a small text beside the saved discovery, which its script reads by itself.

The first line names the start of the machine and the root directory that it was written in (nothing where the system has no
such names), each further one a selector and, behind a tab, the device's name. Scripts take it only where it is the user's own,
of this start and of this container: another one with the same home directory may have other devices.
"""

# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from gpuprobe.saved.key import BOOT_ID, root_mount
from gpuprobe.strings import printable
from gpuprobe.survey.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.model import Device

NAME = "devices"
# What no shell gives a meaning to within a word: the scripts leave out whatever else stands in the file.
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:.#_/-")


def text(devices: Iterable[Device], root: str = "/") -> bytes:
    """The whole file for these devices of this machine."""
    return "".join(f"{line}\n" for line in (where_it_holds(root), *_lines(devices))).encode()


def where_it_holds(root: str = "/") -> str:
    """The first line, as the scripts make it up by themselves to compare."""
    tree = Tree(root)
    return f"{tree.line(BOOT_ID) or ''} {root_mount(tree) or ''}"


def beside(discovery: str) -> str:
    """Where it lies, by the path of the saved discovery."""
    return os.path.join(os.path.dirname(discovery), NAME)


def _lines(devices: Iterable[Device]) -> Iterator[str]:
    for device in devices:
        numbered = f"{device.library}:{device.ordinal}".replace(" ", "-") if device.ordinal is not None else None
        name = printable(device.name or "").encode("ascii", "replace").decode()
        for word in dict.fromkeys((numbered, device.id, device.pci_id)):
            if word and _PLAIN.issuperset(word):
                yield f"{word}\t{name}"
