"""Cards that the machine has and does not show: gone since its start, in a dock that waits, switched off, behind WSL."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe import machine
from gpuprobe.doctor.card_status import card_statuses
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.libraries import CUDA
from gpuprobe.machine import kernel_log
from gpuprobe.machine.turned_off import turned_off, waiting_docks
from gpuprobe.model import DeviceType, Inventory
from gpuprobe.strings import printable

# "nvidia 0000:41:00.0: enabling device", "amdgpu 0000:03:00.0: …": the driver had the card.
_HAD = re.compile(r"^(nvidia|amdgpu|i915|xe) ([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]):")
_MOST = 4


def gone_since_the_start(inventory: Inventory) -> Iterator[Finding]:
    """The kernel's driver spoke of a card at an address where there is none any more."""
    host = inventory.evidence.host
    if machine.unread(host) or not host.pci or machine.container(host) != machine.NONE:
        return
    here = {function.address for function in host.pci}
    spoken = ((line, found) for line in kernel_log.lines(host, _HAD) if (found := _HAD.search(line.message)))
    gone = {found[2]: line.message for line, found in spoken if found[2] not in here}
    for address, message in list(gone.items())[:_MOST]:
        yield cause(
            "pci-device-vanished",
            rung=Rung.HARDWARE,
            severity=Severity.DEGRADED if _some_work(inventory) else Severity.BLOCKER,
            because=f"a card at {address} was there when the machine started, and is not on the bus any more",
            brief=f"{address} is gone",
            reason=CardReason.CARD_FAILED,
            evidence=(Observed("kernel log", printable(message[:300])), Observed("/sys/bus/pci/devices", f"no {address}")),
            fix=(
                run("look for it again with", "echo 1 | sudo tee /sys/bus/pci/rescan", root=True),
                Step("if it stays away, power off, and look at its seat, riser and power leads"),
            ),
        )


def _some_work(inventory: Inventory) -> bool:
    return any(status.why is None for status in card_statuses(inventory))


def in_a_dock_that_waits(inventory: Inventory) -> Iterator[Finding]:
    """A Thunderbolt or USB4 device is let onto the bus when somebody has authorised it."""
    docks = waiting_docks(inventory.evidence.host)
    if not docks:
        return
    yield cause(
        "egpu-not-authorized",
        rung=Rung.HARDWARE,
        severity=Severity.INFO if card_statuses(inventory) else Severity.BLOCKER,
        because=f"the Thunderbolt device `{printable(docks[0])}` is not authorised: a GPU in it is not on the bus",
        brief="a dock is not authorised",
        reason=CardReason.NOT_LISTED,
        evidence=tuple(Observed("/sys/bus/thunderbolt/devices", f"{printable(dock)}: authorized 0") for dock in docks[:_MOST]),
        fix=(run("see its number with", "boltctl list"), run("and let it in with", "sudo boltctl enroll NUMBER")),
    )


def switched_off(inventory: Inventory) -> Iterator[Finding]:
    """A laptop's setting says that its discrete card is off, and the bus shows none."""
    found = turned_off(inventory.evidence.host)
    shown = [status.card for status in card_statuses(inventory) if status.card.vendor_id in CUDA.vendor_ids]
    if not found or shown or machine.container(inventory.evidence.host) != machine.NONE:
        return
    yield cause(
        "gpu-disabled-by-mux",
        rung=Rung.HARDWARE,
        severity=Severity.INFO,
        because=f"`{found[0].path}` says that the discrete card is switched off to save power",
        brief="the discrete card is switched off",
        reason=CardReason.NOT_LISTED,
        evidence=tuple(Observed(each.path, printable(each.said)) for each in found[:_MOST]),
        fix=(
            Step(
                "switch it on with the tool that did it: `sudo prime-select on-demand`, `supergfxctl -m Hybrid` or "
                "`sudo envycontrol -s hybrid`",
                needs_root=True,
                needs_reboot="the switch takes effect at a start",
            ),
        ),
    )


def behind_windows(inventory: Inventory) -> Iterator[Finding]:
    """WSL 1 has no kernel of its own and no way to a GPU; WSL 2 has one where Windows gives it."""
    host = inventory.evidence.host
    which = machine.wsl(host)
    if which == 1:
        yield _of_wsl(
            "wsl1",
            "WSL 1 has no way to a GPU",
            "WSL 1 has no GPU",
            Observed("/proc/sys/kernel/osrelease", printable(host.kernel)),
            run("in Windows change it to WSL 2 with", "wsl --set-version DISTRIBUTION 2", where=Place.HOST),
        )
    elif which == 2 and not _has_adapter(inventory) and machine.container(host) == machine.NONE:
        yield _of_wsl(
            "wsl-no-dxg",
            "Windows gives this WSL no GPU (`/dev/dxg` does not exist)",
            "Windows gives it no GPU",
            Observed("/dev/dxg", "absent"),
            Step("update the GPU's driver in Windows, and take `gpuSupport=false` out of `.wslconfig`", where=Place.HOST),
            run("then in Windows", "wsl --update && wsl --shutdown", where=Place.HOST),
        )


def _has_adapter(inventory: Inventory) -> bool:
    host = inventory.evidence.host
    return any(node.path == "/dev/dxg" for node in host.nodes) or machine.why_no_node(host, "/dev/dxg") is not None


def _of_wsl(slug: str, because: str, brief: str, seen: Observed, *fix: Step) -> Finding:
    return cause(
        slug,
        rung=Rung.KERNEL_DRIVER,
        severity=Severity.BLOCKER,
        because=because,
        brief=brief,
        reason=CardReason.NOT_LISTED,
        evidence=(seen,),
        fix=fix,
    )


def numbered_in_two_ways(inventory: Inventory) -> Iterator[Finding]:
    """CUDA counts the fastest card first, `nvidia-smi` by place on the bus: a number means another card in each."""
    host = inventory.evidence.host
    mine = [device for device in inventory.kept if device.library == CUDA.name and device.type is not DeviceType.SOFTWARE]
    places = [device.pci_id for device in sorted(mine, key=lambda device: device.number)]
    if len(set(places)) < 2 or None in places or "CUDA_DEVICE_ORDER" in host.environ or places == sorted(map(str, places)):
        return
    yield cause(
        "env-cuda-order-confusion",
        rung=Rung.BUILD,
        severity=Severity.INFO,
        because=f"CUDA's number 0 is {places[0]}, and that of `nvidia-smi` is {min(map(str, places))}",
        brief="CUDA and nvidia-smi count differently",
        reason=CardReason.NOT_LISTED,
        evidence=(Observed("CUDA_DEVICE_ORDER", "not set"), Observed("CUDA", ", ".join(map(str, places)))),
        fix=(run("count as `nvidia-smi` does with", "export CUDA_DEVICE_ORDER=PCI_BUS_ID"),),
        library=CUDA,
    )


CHECKS = (behind_windows, gone_since_the_start, in_a_dock_that_waits, switched_off, numbered_in_two_ways)
