"""The devices with nodes under /dev/dri that are no PCI functions: GPUs and screens of a processor's own."""

from __future__ import annotations

from gpuprobe import patterns as re
from gpuprobe.facts import DrmDevice
from gpuprobe.survey.pci import driver_of, is_address
from gpuprobe.survey.tree import ABSENT, Tree

DRM = "/sys/class/drm"

_MOST = 64  # a processor has one or two; every software display of a virtual machine is one more


def devices_off_the_bus(tree: Tree) -> tuple[DrmDevice, ...]:
    """By the number of their first node."""
    nodes: dict[str, list[str]] = {}
    for node in sorted(filter(is_drm_node, tree.names(DRM)), key=_order):
        link = tree.link(f"{DRM}/{node}/device")
        if link.problem is not None and link.problem != ABSENT:
            tree.unread_below(DRM, f"{DRM}/{node}/device", link.problem)
        name = (link.text or "").rpartition("/")[2]
        if name and not is_address(name):
            nodes.setdefault(name, []).append(node)
    return tuple(_read(tree, name, found) for name, found in list(nodes.items())[:_MOST])


def is_drm_node(name: str) -> bool:
    """Whether it is a node, and not one of a card's connectors."""
    return re.is_numbered(name, "card", 9) or re.is_numbered(name, "renderD", 9)


def _order(node: str) -> tuple[bool, int]:
    return node.startswith("render"), int(node.removeprefix("card").removeprefix("renderD"))


def _read(tree: Tree, name: str, nodes: list[str]) -> DrmDevice:
    place = f"{DRM}/{nodes[0]}/device"
    described = tree.read(f"{place}/uevent").text or ""
    return DrmDevice(
        name=name,
        driver=driver_of(tree, place),
        drm=tuple(nodes),
        compatible=tuple(re.findall(r"(?m)^OF_COMPATIBLE_[0-9]+=(.+)$", described)[:16]),
    )
