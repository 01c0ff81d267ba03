"""`/dev/kfd`, through which ROCm computes: absent, denied, refused by the kernel, or without this card."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from gpuprobe import machine
from gpuprobe.doctor import container_advice, installing
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.node_access import denied
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.ways import weight_if_lost
from gpuprobe.facts import Host
from gpuprobe.libraries import ROCM
from gpuprobe.machine.amd import amd_cards
from gpuprobe.machine.kernel_log import first, lines
from gpuprobe.machine.permissions import error_of
from gpuprobe.vendors import AMD

NODE = "/dev/kfd"
_TOPOLOGY = "/sys/class/kfd/kfd/topology/nodes"
_LOOK = "sudo dmesg | grep -iE 'kfd|amdgpu'"
# "kfd kfd: amdgpu: skipped device 1002:67e3, PCI rejects atomics 730<0": the firmware that is loaded, and the first that does
# without atomics, 0 where none does; kernels before 5.16 name neither (kfd_device.c).
_ATOMICS = re.compile(r"kfd kfd: (?:amdgpu: )?skipped device 1002:([0-9a-f]{4}), PCI rejects atomics(?: ([0-9]+)<([0-9]+))?")
# "kfd kfd: amdgpu: PITCAIRN  not supported in kfd"; until 5.5 with the address before it, or with the chip's number alone.
_UNSUPPORTED = re.compile(
    r"not supported in kfd|kfd not supported on this ASIC|kfd: DID [0-9a-f]{4} is missing in supported_devices"
)
_cause = partial(cause, rung=Rung.DEVICE_NODE, library=ROCM)
_REFUSALS = ("EINVAL", "ENOMEM", "ENODEV", "ENXIO", "EIO")


def kfd_not_given(situation: Situation) -> Iterator[Finding]:
    severity, kind = _weight(situation), situation.container
    if severity is None or kind is None or situation.node(NODE) is not None or _is_unknown(situation.host):
        return
    because = f"this {kind} container was started without `{NODE}`, through which ROCm computes"
    yield _cause(
        "ctr-amd-devices-missing",
        severity=severity,
        because=because,
        brief=f"{kind} container started without `{NODE}`",
        reason=CardReason.NO_DEVICE_NODE,
        evidence=(Observed(NODE, "absent"),),
        fix=(Step(container_advice.for_nodes(kind, situation.card), where=Place.HOST),),
    )


def kfd_absent(situation: Situation) -> Iterator[Finding]:
    severity = _weight(situation)
    if severity is None or situation.container or situation.node(NODE) is not None or _is_unknown(situation.host):
        return
    because = f"`{NODE}` does not exist although `amdgpu` drives the card: the compute half of the driver (KFD) did not start"
    configured = "grep HSA_AMD /boot/config-$(uname -r)"
    yield _cause(
        "amd-kfd-node-missing",
        severity=severity,
        because=because,
        brief=f"`{NODE}` does not exist",
        reason=CardReason.NO_DEVICE_NODE,
        evidence=(Observed(NODE, "absent"), _bound(situation)),
        fix=(
            run("boot a kernel that has KFD; whether this one has, says", configured),
            run("look for what it said:", _LOOK),
            *_vulkan(situation),
        ),
    )


def kfd_denied(situation: Situation) -> Iterator[Finding]:
    severity, node = _weight(situation), situation.node(NODE)
    found = denied(situation, node, "amd-kfd-permission", severity, ROCM.name) if severity and node else None
    if found is not None:
        yield found


def kfd_refused(situation: Situation) -> Iterator[Finding]:
    """The node may be opened, and KFD answers with an error of its own."""
    severity, error = _weight(situation), error_of(situation.host, NODE)
    if severity is None or error not in _REFUSALS or any(_log_says(situation)):
        return
    number = next(each.number for each in (situation.host.system and situation.host.system.opened) or () if each.path == NODE)
    yield _cause(
        "amd-kfd-refused",
        severity=severity,
        because=f"`{NODE}` is there and allowed, and the kernel refuses to open it ({error}, errno {number})",
        brief=f"the kernel refuses `{NODE}`",
        reason=CardReason.DRIVER_FAULT,
        evidence=(Observed(f'open("{NODE}")', f"{error} ({number})"),),
        fix=(run("look for what KFD said:", _LOOK), installing.reboot("KFD starts with the kernel driver")),
    )


def kfd_skipped_the_card(situation: Situation) -> Iterator[Finding]:
    """`amdgpu` drives the card and KFD has no node for it. The kernel log says why."""
    severity = _weight(situation)
    if severity is None or not _has_no_node(situation):
        return
    told = tuple(_log_says(situation))
    yield told[0]._replace(severity=severity) if told else _skipped(situation, severity)


def _skipped(situation: Situation, severity: Severity) -> Finding:
    because = "KFD, the compute half of the driver, has no node for this card, so ROCm has none"
    return _cause(
        "amd-kfd-node-missing",
        severity=severity,
        because=because,
        brief="KFD has no node for it",
        reason=CardReason.NOT_LISTED,
        evidence=(Observed(_TOPOLOGY, "no node with this card's address"), _bound(situation)),
        fix=(run("see why KFD skipped it:", _LOOK), *_vulkan(situation)),
    )


def _log_says(situation: Situation) -> Iterator[Finding]:
    yield from _atomics(situation)
    line = first(situation.host, _UNSUPPORTED)
    if line is not None and _only_one(situation.host):
        yield _cause(
            "amd-kfd-node-missing",
            severity=Severity.BLOCKER,
            because="KFD, the compute half of the driver, does not support this chip, so ROCm has no device",
            brief="KFD does not support it",
            reason=CardReason.NOT_LISTED,
            evidence=(Observed("kernel log", line.message),),
            fix=tuple(_vulkan(situation)) or (Step("use Vulkan for this card, which does without KFD"),),
        )


def _atomics(situation: Situation) -> Iterator[Finding]:
    """Without PCIe atomics only newer chips compute, and those from some release of their firmware (MEC) on."""
    host, device = situation.host, f"{situation.card.device_id or 0:04x}"
    told = ((line, _ATOMICS.search(line.message)) for line in lines(host, _ATOMICS))
    mine = next(((line, found) for line, found in told if found and found[1] == device), None)
    if mine is None:
        return
    line, said = mine
    loaded, needed = said[2], int(said[3] or 0)
    evidence = (Observed("kernel log", line.message),)
    if needed:
        because = f"its firmware (MEC {loaded}) is older than {needed}, the first that computes in a slot without PCIe atomics"
        fix = installing.firmware(host, AMD)
        yield _cause(
            "amd-mec-firmware-too-old",
            severity=Severity.BLOCKER,
            because=because,
            brief="its firmware is too old",
            reason=CardReason.DRIVER_FAULT,
            evidence=evidence,
            fix=fix,
        )
        return
    slot = Step(
        "put the card into a slot that is connected to the processor itself, and not through the chipset or Thunderbolt"
    )
    yield _cause(
        "pci-atomics-missing",
        severity=Severity.BLOCKER,
        because="its slot does not pass on PCIe atomics, without which KFD leaves this chip out",
        brief="no PCIe atomics in its slot",
        reason=CardReason.NOT_LISTED,
        evidence=evidence,
        fix=(slot, *(_vulkan(situation) or (Step("or use Vulkan, which does without them"),))),
    )


def _weight(situation: Situation) -> Severity | None:
    """Only of a card that `amdgpu` drives; a card of WSL has no KFD."""
    driven = situation.card.kind == "pci" and situation.card.driver in AMD.drivers
    return weight_if_lost(situation, ROCM) if driven else None


def _is_unknown(host: Host) -> bool:
    return machine.why_no_node(host, NODE) is not None


def _has_no_node(situation: Situation) -> bool:
    host = situation.host
    mine = next((each for each in amd_cards(host) if each.pci_id == situation.card.pci_id), None)
    asked = any(path.startswith(f"{_TOPOLOGY}/") for path in host.texts) and host.facts.get("kfd_problem") is None
    # To a container KFD shows the cards alone that it was given.
    given = situation.container is None or situation.node(situation.card.render_node or "") is not None
    return situation.node(NODE) is not None and mine is not None and mine.node is None and asked and given


def _only_one(host: Host) -> bool:
    return sum(AMD.made(function.vendor) and function.driver in AMD.drivers for function in host.pci) == 1


def _bound(situation: Situation) -> Observed:
    return Observed(f"/sys/bus/pci/devices/{situation.card.pci_id}/driver", situation.card.driver or "none")


def _vulkan(situation: Situation) -> tuple[Step, ...]:
    """What helps meanwhile, where the card is not used through Vulkan already."""
    if situation.kept:
        return ()
    step = installing.vulkan_driver(situation.host, AMD)
    return (step._replace(text=f"meanwhile Vulkan works without it: {step.text}"),)


CHECKS = (kfd_not_given, kfd_absent, kfd_denied, kfd_skipped_the_card, kfd_refused)
