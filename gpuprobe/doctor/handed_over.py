"""What others need to be given the chosen cards: ids for Docker's driver, device files and their groups, names of resources."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gpuprobe import machine, vendors
from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.facts import Host
from gpuprobe.machine import Card
from gpuprobe.model import Device, Inventory
from gpuprobe.vendors import Vendor


class Handed(NamedTuple):
    """One chosen device with its card's vendor. Unknown is None: then it cannot be handed over in that way."""

    device: Device
    driver: str | None = None  # of Docker's, which takes `id`
    id: str | None = None
    nodes: tuple[str, ...] = ()  # for a container, where there is no such driver
    groups: tuple[int, ...] = ()  # those that own the nodes and may write to them
    resource: str | None = None  # of Kubernetes
    file: str | None = None  # for Slurm
    flag: str | None = None


def handed(devices: Iterable[Device], inventory: Inventory) -> tuple[Handed, ...]:
    """Each device with what is known of its card; of one whose card is not known there is nothing but itself."""
    statuses = card_statuses(inventory)
    found = ((device, next((each.card for each in statuses if device in each.devices), None)) for device in devices)
    return tuple(_handed(device, card, inventory.evidence.host) for device, card in found)


def _handed(device: Device, card: Card | None, host: Host) -> Handed:
    maker = vendors.vendor_of(card.vendor_id) if card else None
    if card is None or maker is None:
        return Handed(device)
    driver = maker.docker_driver if device.uuid else None
    nodes = () if maker.docker_driver else _nodes(card, maker)
    return Handed(
        device,
        driver=driver,
        id=device.uuid if driver else None,
        nodes=nodes,
        groups=_groups(nodes, host),
        resource=maker.pod_resources.get(card.driver or "", maker.pod_resources.get("")),
        file=_file(card, maker, host),
        flag=maker.slurm_flag,
    )


def _nodes(card: Card, maker: Vendor) -> tuple[str, ...]:
    if card.render_node is None:
        return ()
    return (*(node for node in maker.container_nodes if not card.render_node.startswith(f"{node}/")), card.render_node)


def _file(card: Card, maker: Vendor, host: Host) -> str | None:
    if card.driver in maker.node_of:
        return machine.device_file(host, card.pci_id) if card.pci_id else None
    return card.render_node


def _groups(nodes: Sequence[str], host: Host) -> tuple[int, ...]:
    """Only numbers count in a container; what everybody may write to needs none."""
    owned = (node for node in host.nodes if node.path in nodes)
    return tuple(dict.fromkeys(node.gid for node in owned if node.mode & 0o020 and not node.mode & 0o002))
