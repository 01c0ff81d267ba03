"""ROCm in WSL, partitions that a container was not given, and several cards that hang."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Severity, Step, run
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.system_changes import kernel_word
from gpuprobe.doctor.ways import is_lost, weight
from gpuprobe.facts import Host
from gpuprobe.libraries import ROCM
from gpuprobe.machine.amd import amd_cards
from gpuprobe.machine.boot_parameters import CMDLINE, is_known, value_of
from gpuprobe.model import DeviceType, Status

_SWITCH, _THROUGH = "HSA_ENABLE_DXG_DETECTION", "librocdxg"
_OFF = ("", "0", "false", "no")
_NOT_NEEDED_FROM = (7, 13)  # ROCm/librocdxg#34


def not_enabled_in_wsl(situation: Situation) -> Iterator[Finding]:
    host, severity = situation.host, weight(situation, ROCM)
    if situation.card.kind != "wsl" or severity is None or not is_lost(situation, ROCM):
        return
    release = _release(host)
    if host.environ.get(_SWITCH, "").casefold() not in _OFF or (release is not None and release >= _NOT_NEEDED_FROM):
        return
    because = f"ROCm in WSL reaches the card through `/dev/dxg` and {_THROUGH}, and only under `{_SWITCH}=1`, which is not set"
    service = f"for a service run `sudo systemctl edit ollama` and add `Environment={_SWITCH}=1` below `[Service]`"
    yield cause(
        "wsl-amd-not-enabled",
        rung=Rung.LIBRARY,
        severity=severity,
        because=because,
        brief=f"`{_SWITCH}` is not set",
        reason=Status.NO_DEVICES,
        evidence=(Observed(_SWITCH, host.environ.get(_SWITCH, "not set")), Observed("/dev/dxg", "there")),
        fix=(run("set it:", f"export {_SWITCH}=1"), Step(service)),
        library=ROCM,
    )


def _release(host: Host) -> tuple[int, ...] | None:
    """Of ROCm's runtime, as its file is called: `libamdhip64.so.7.2.53211` is 7.2."""
    paths = (each.real_path for each in host.libraries if each.name in ROCM.sonames["linux"])
    found = next((said for path in paths if (said := re.search(r"\.so\.([0-9]{1,3})\.([0-9]{1,3})", path))), None)
    return (int(found[1]), int(found[2])) if found else None


def partitions_not_given(situation: Situation) -> Iterator[Finding]:
    """A cut card in a container: `/sys` shows all of its parts, `/dev` those that were given."""
    parts = [each for each in amd_cards(situation.host) if each.pci_id == situation.card.pci_id and each.partition]
    missing = [part.render_node for part in parts if part.render_node and situation.node(part.render_node) is None]
    if situation.container is None or not situation.kept or not missing or len(missing) == len(parts):
        return
    first = " ".join(f"--device {path}" for path in missing[:8])
    given = f"{len(parts) - len(missing)} of its {len(parts)} partitions were given"
    yield cause(
        "amd-partition-not-given",
        rung=Rung.DEVICE_NODE,
        severity=Severity.DEGRADED,
        because=f"{given} to this {situation.container} container",
        brief=f"{len(missing)} partitions were not given",
        reason=CardReason.NOT_GIVEN,
        evidence=tuple(Observed(path, "absent") for path in missing[:8]),
        fix=(Step(f"to use the others too, start the container with `{first}`", where=Place.HOST),),
        library=ROCM,
    )


def several_cards_hang(situation: Situation) -> Iterator[Finding]:
    """AMD documents that several cards can need the IOMMU in passthrough: said only where ROCm does not come back."""
    host = situation.host
    several = sum(each.type is not DeviceType.INTEGRATED for each in amd_cards(host)) > 1
    hangs = any(each.status.overdue for each in situation.of_library(ROCM.name))
    if not several or not hangs or not is_known(host) or value_of(host, "iommu") == "pt" or situation.kept:
        return
    yield cause(
        "amd-iommu-multigpu-hang",
        rung=Rung.KERNEL_DRIVER,
        severity=Severity.BLOCKER,
        because="ROCm hangs with several cards, and the IOMMU is not in passthrough (`iommu=pt`), as AMD advises for that",
        brief="ROCm hangs with several cards",
        reason=CardReason.DRIVER_FAULT,
        evidence=(Observed(CMDLINE, "no iommu=pt"), Observed("ROCm", "no answer in time")),
        fix=(kernel_word(host, "iommu=pt", add=True, why="the kernel reads its command line when it starts"),),
        library=ROCM,
        settle="sudo dmesg | grep -iE 'iommu|IO_PAGE_FAULT|amdgpu'",
    )


CHECKS = (not_enabled_in_wsl, partitions_not_given, several_cards_hang)
