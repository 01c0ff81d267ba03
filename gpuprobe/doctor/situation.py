"""One card with everything that was gathered about it, as the checks look at it."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe import machine
from gpuprobe.facts import DeviceNode, Host
from gpuprobe.judging.belonging import REPLACED, is_of, serves
from gpuprobe.judging.rules import order
from gpuprobe.libraries import LIBRARIES, Library
from gpuprobe.machine import Card
from gpuprobe.model import SYSTEM, Device, Drop, Inventory, Outcome, Purpose
from gpuprobe.record_classes import NamedTuple


class Situation(NamedTuple):
    """A card, and what speaks for and against it. Nothing here is a judgement."""

    card: Card
    inventory: Inventory
    kept: tuple[Device, ...]  # through which it is usable; none: it is not
    drops: tuple[Drop, ...]  # its views that failed, that of the most preferred library first

    @property
    def host(self) -> Host:
        return self.inventory.evidence.host

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return self.inventory.evidence.outcomes

    @property
    def container(self) -> str | None:
        """The kind of container ("docker", "lxc"…); None: none, or it cannot be told."""
        inside = machine.container(self.host)
        return None if inside == machine.NONE else inside

    @property
    def own_libraries(self) -> tuple[Library, ...]:
        """The libraries that compute on cards of its vendor alone, the most preferred first."""
        return tuple(each for each in LIBRARIES if each.vendors and not each.witness and serves(each, self.card))

    def node(self, path: str) -> DeviceNode | None:
        """A file under /dev as it was seen; None: it is not there."""
        return next((node for node in self.host.nodes if node.path == path), None)

    def of_library(self, name: str) -> Iterator[Outcome]:
        """Everything that was asked of a library's own (not a build's), listings before validations of this card."""
        mine = [each for each in self.outcomes if each.probe.library == name and each.probe.build == SYSTEM]
        yield from (each for each in mine if not each.probe.purpose.is_validation)
        keys = {drop.device.key for drop in self.drops} | {device.key for device in self.kept}
        yield from (each for each in mine if each.probe.purpose.is_validation and each.probe.device in keys)

    def listing(self, name: str) -> Outcome | None:
        """How the library ended when it was asked for its devices."""
        return next((each for each in self.of_library(name) if each.probe.purpose is Purpose.LIST), None)

    def code(self, name: str) -> int | None:
        """The first error number that the library gave, for its listing or for this card; None: it gave none."""
        return next((each.code for each in self.of_library(name) if each.code is not None), None)

    def views(self, name: str) -> tuple[Device, ...]:
        """This card as a library (a witness too) lists it."""
        found = (device for each in self.of_library(name) for device in each.devices)
        return tuple(device for device in found if is_of(device, self.card))


def situation_of(card: Card, inventory: Inventory) -> Situation:
    failed = [drop for drop in inventory.drops if is_of(drop.device, card) and drop.reason not in REPLACED]
    return Situation(
        card,
        inventory,
        tuple(device for device in inventory.kept if is_of(device, card)),
        tuple(sorted(failed, key=lambda drop: order(drop.device))),
    )
