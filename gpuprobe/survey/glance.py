"""Whether anything came or went on this machine, in a handful of system calls, and what the kernel itself counts anew.

A survey takes a hundred files; a reading every second looks at all of them only now and then.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.facts import Host, Reading
from gpuprobe.survey.drm import DRM
from gpuprobe.survey.host import MEMINFO
from gpuprobe.survey.memory_limits import CGROUPS
from gpuprobe.survey.nvidia import VERSION
from gpuprobe.survey.pci import DEVICES
from gpuprobe.survey.tree import Tree

_LISTED = (DEVICES, DRM)  # a directory of sysfs has the time at which it was first looked at
_DATED = ("/dev", "/dev/dri")
_COUNTED_BY_A_DRIVER = ("/mem_info_vram_used", "/mem_info_gtt_used")

Glance = tuple[tuple[tuple[str, ...], ...], tuple[tuple[int, int] | None, ...], Reading]


def glance(tree: Tree | None = None) -> Glance:
    """The functions on the bus, when the last device node came or went, NVIDIA's loaded driver."""
    tree = tree or Tree()
    return tuple(map(tree.names, _LISTED)), tuple(_changed(tree, place) for place in _DATED), tree.read(VERSION)


def _changed(tree: Tree, directory: str) -> tuple[int, int] | None:
    """Which directory it is and when a name in it changed last; None: there is none, or it may not be asked.

    That clock goes in steps of some milliseconds: a node that comes right behind one that was seen is left to the next look.
    """
    status = tree.status(directory)
    return None if status is None else (status.st_ino, status.st_mtime_ns)


def counts(host: Host, *, of_the_system: bool) -> tuple[str, ...]:
    """The files in which its drivers and, where that is asked, the system count memory."""
    return tuple(path for path in host.texts if _is_count(path, of_the_system=of_the_system))


def counted_again(earlier: Host, paths: Sequence[str], tree: Tree | None = None) -> Host:
    """`earlier` with what stands in these files now; the very same where there are none."""
    tree = tree or Tree()
    return earlier._replace(texts={**earlier.texts, **{path: tree.read(path) for path in paths}}) if paths else earlier


def _is_count(path: str, *, of_the_system: bool) -> bool:
    return path.endswith(_COUNTED_BY_A_DRIVER) or (of_the_system and (path == MEMINFO or path.startswith(CGROUPS)))
