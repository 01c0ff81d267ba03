"""A machine without a card that could compute: what it has instead, and what may be a GPU all the same."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe import machine
from gpuprobe.doctor import installing
from gpuprobe.doctor.card_status import card_statuses, unclaimed_render_nodes
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.libraries import VULKAN
from gpuprobe.machine import Bystander
from gpuprobe.model import Inventory

_BUS = "/sys/bus/pci/devices"
_GIVE = "give this virtual machine a GPU: passthrough or a vGPU on its host, or an instance type with one"


def nothing_to_use(inventory: Inventory) -> Iterator[Finding]:
    """Only where the bus could be read, and is the machine's own."""
    host = inventory.evidence.host
    if card_statuses(inventory) or unclaimed_render_nodes(host) or machine.unread(host) or host.platform != "linux":
        return
    beside = machine.bystanders(host)
    displays = [each for each in beside if "management display" in each.what]
    emulated = [each for each in beside if "virtual display" in each.what]
    if emulated and machine.virtualization(host) not in (None, machine.NONE):
        yield _emulated(emulated, machine.virtualization(host) or "virtual machine")
    elif displays:
        yield _none("bmc-vga-only", "its only display adapter is that of the management controller", displays)
    elif host.pci and machine.container(host) == machine.NONE and machine.wsl(host) is None:
        given = machine.virtualization(host) not in (None, machine.NONE)
        fix = Step(_GIVE if given else "if a card is in it: look at its slot and its power leads, and for it in the firmware")
        yield _none("hw-no-gpu-present", "the bus shows no GPU", [])._replace(fix=(fix,))


def in_a_mac(inventory: Inventory) -> Iterator[Finding]:
    """Docker's and OrbStack's own Linux on a Mac, into which Metal does not reach."""
    host = inventory.evidence.host
    is_macs = any(word in host.kernel.casefold() for word in ("linuxkit", "orbstack")) and host.machine == "aarch64"
    if card_statuses(inventory) or not is_macs or any(node.path.startswith("/dev/dri/renderD") for node in host.nodes):
        return
    step = Step("run the program on macOS itself, outside the container", where=Place.HOST)
    found = _none("ctr-macos", "Linux containers on a Mac have no GPU, because Metal is macOS's own", [])
    yield found._replace(fix=(step,), evidence=(Observed("uname -r", host.kernel),))


def _emulated(found: list[Bystander], hypervisor: str) -> Finding:
    fix = Step(_GIVE)
    return _none("vm-emulated-gpu", f"no GPU was given to this virtual machine ({hypervisor})", found)._replace(fix=(fix,))


def _none(slug: str, because: str, found: list[Bystander]) -> Finding:
    seen = tuple(Observed(f"{_BUS}/{each.pci_id}", each.what) for each in found[:4])
    return cause(
        slug,
        rung=Rung.HARDWARE,
        severity=Severity.INFO,
        because=f"{because}: models will run on the CPU",
        brief="no GPU",
        reason=CardReason.NOT_LISTED,
        evidence=seen or (Observed(_BUS, "no display and no accelerator"),),
    )


def beside_the_processor(inventory: Inventory) -> Iterator[Finding]:
    """A render node of no card that is known: a GPU that is no PCI function, or one whose folder in `/sys` is hidden."""
    host = inventory.evidence.host
    nodes = unclaimed_render_nodes(host)
    if not nodes or card_statuses(inventory):
        return
    lost = next((each for each in inventory.evidence.outcomes if each.probe.library == VULKAN.name), None)
    if lost is not None and not lost.status.not_there:
        return
    yield cause(
        "gpu-off-the-bus-without-library",
        rung=Rung.LIBRARY,
        severity=Severity.BLOCKER,
        because=f"`{nodes[0]}` belongs to a GPU that is no PCI card, and no library for it is installed",
        brief="no library for it is installed",
        reason=CardReason.NOT_LISTED,
        evidence=(Observed(nodes[0], "there"), Observed(VULKAN.sonames["linux"][0], "not found")),
        fix=(installing.vulkan_driver(host, None),),
        library=VULKAN,
        settle=f"cat /sys/class/drm/{nodes[0].rpartition('/')[2]}/device/uevent",
    )


CHECKS = (nothing_to_use, in_a_mac, beside_the_processor)
