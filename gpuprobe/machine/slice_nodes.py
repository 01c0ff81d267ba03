"""Through which device nodes the slices of a cut NVIDIA card are opened, and whether this process has them."""

from __future__ import annotations

import re
from typing import NamedTuple

from gpuprobe.facts import Host

_ACCESS = re.compile(r"/proc/driver/nvidia/capabilities/(gpu[0-9]{1,4})/mig/(gi[0-9]{1,4}(?:/ci[0-9]{1,4})?)/access")
_MINOR = re.compile(r"(?m)^DeviceFileMinor:\s{0,9}([0-9]{1,6})$")


class SliceNode(NamedTuple):
    """A slice, or a computing part of one, and the node that stands for it."""

    card: str  # "gpu0", by the minor number of its node
    instance: str  # "gi1", "gi1/ci0"
    node: str  # "/dev/nvidia-caps/nvidia-cap12"
    is_there: bool
    accessible: bool


def slice_nodes(host: Host) -> tuple[SliceNode, ...]:
    """Of each card and slice; nothing where no card is cut, or nobody asked."""
    nodes = {node.path: node for node in host.nodes}
    found = []
    for path, reading in ((host.system.texts if host.system else None) or {}).items():
        named, minor = _ACCESS.fullmatch(path), _MINOR.search(reading.text or "")
        if named and minor:
            node = f"/dev/nvidia-caps/nvidia-cap{minor[1]}"
            here = nodes.get(node)
            found.append(SliceNode(named[1], named[2], node, here is not None, here is not None and here.accessible))
    return tuple(sorted(found))
