"""What to do where a container has not the card's nodes, or may not open them: each kind of container has its own way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gpuprobe.facts import DeviceNode
from gpuprobe.machine import Card
from gpuprobe.vendors import Vendor, vendor_of

_FOLDER, _FIRST = "/dev/dri", "/dev/dri/renderD128"
_NOBODY = 65534  # the group that stands for all that a user namespace has no number for


def for_nodes(kind: str, card: Card) -> str:
    """How a container of this kind is given the card's nodes."""
    maker = vendor_of(card.vendor_id)
    own = maker.container_advice.get(kind) if maker else None
    return own or _GIVING.get(kind, _given)(_files(kind, maker, card))


def _files(kind: str, maker: Vendor | None, card: Card) -> Sequence[str]:
    """What is handed over; LXC takes nodes one by one and no directory."""
    nodes = maker.container_nodes if maker else (_FOLDER,)
    return [(card.render_node or _FIRST) if node == _FOLDER and kind == "lxc" else node for node in nodes]


def _options(nodes: Sequence[str]) -> str:
    return f"start the container with `{' '.join(f'--device {node}' for node in nodes)}`"


def _requested(nodes: Sequence[str]) -> str:
    return "request it for the pod in `resources.limits`, by the name that its vendor's device plugin on the node gives it"


def _configured(nodes: Sequence[str]) -> str:
    entries = ", ".join(f"`dev{number}: {node}`" for number, node in enumerate(nodes))
    return f"give it to the container in its configuration on the host (Proxmox: {entries}), and restart the container"


def _connected(nodes: Sequence[str]) -> str:
    return "connect the snap to the card with `sudo snap connect NAME:opengl`, or install the program without snap"


def _opened(nodes: Sequence[str]) -> str:
    return "let the program open devices: `flatpak override --user --device=all APP`"


def _given(nodes: Sequence[str]) -> str:
    return f"start the container with {' and '.join(f'`{node}`' for node in nodes)} passed through to it"


_GIVING: dict[str, Callable[[Sequence[str]], str]] = {
    "docker": _options,
    "podman": _options,
    "kubernetes": _requested,
    "lxc": _configured,
    "snap": _connected,
    "flatpak": _opened,
}


def for_group(kind: str, node: DeviceNode) -> str:
    """How a container of this kind gets the group that owns the node: by its number, because names are each container's own."""
    if kind == "podman" and node.gid == _NOBODY:
        return "start the container with `--group-add keep-groups`, as a user of the host who is in that group"
    if node.gid == _NOBODY:
        rule = f'`KERNEL=="{node.path.rpartition("/")[2]}", MODE="0666"`'
        return f"the container has no number for that group: let everybody open the node, by a udev rule on the host: {rule}"
    return _JOINING.get(kind, "start the container with the group {gid} among those of its user").format(
        gid=node.gid, path=node.path
    )


_JOINING = {
    "docker": "start the container with `--group-add {gid}`",
    "podman": "start the container with `--group-add {gid}`",
    "kubernetes": "give the pod that group: `securityContext.supplementalGroups: [{gid}]`",
    "lxc": "give the node to a group of this user, in the container's configuration on the host (Proxmox: "
    "`dev0: {path},gid=GROUP`, by its number in here), and restart the container",
    "apptainer": 'run `sudo usermod -aG render,video "$USER"` on the host, then log out and in again',
    "snap": "connect the snap to the card with `sudo snap connect NAME:opengl`, or install the program without snap",
    "flatpak": "let the program open devices: `flatpak override --user --device=all APP`",
}
