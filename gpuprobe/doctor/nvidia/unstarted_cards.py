"""Cards that the machine or the kernel driver could not start: switched off, without a window, not brought up."""

from __future__ import annotations

import re
from collections.abc import Iterator

import gpuprobe.doctor.about_nvidia.told_faults as faults
from gpuprobe.doctor.about_nvidia import signs
from gpuprobe.doctor.about_nvidia.saying import cause, look_at_the_log, outside
from gpuprobe.doctor.findings import Finding, Observed, Place, Rung, Step, run
from gpuprobe.doctor.nvidia.driver_fit import misfit
from gpuprobe.doctor.nvidia.lost_cards import CHECKS as OF_LOST_CARDS
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.situation import Situation
from gpuprobe.machine import address_windows
from gpuprobe.machine.turned_off import turned_off
from gpuprobe.model import MiB
from gpuprobe.strings import printable, size_text

_NO_WINDOW = re.compile(r"PCI I/O region assigned to your NVIDIA device is invalid|BAR[0-9] is 0M")
_NOT_STARTED = re.compile(r"(?i)rm_?init_?adapter failed")
_IN_A_BAD_STATE = re.compile("WPR2 already up")
_FIRMWARE = re.compile(r"(?i)Cannot initialize GSP firmware|GFW_BOOT|_kgspBootGspRm|GSP firmware")


def without_a_window(situation: Situation) -> Iterator[Finding]:
    """The firmware left no addresses through which the card's memory could be reached."""
    host, address = situation.host, situation.card.pci_id
    if situation.kept or address is None or not signs.is_on_the_bus(situation):
        return
    missing = [bar for bar in address_windows.unassigned(host, address) or () if bar.size >= MiB]
    logged = faults.logged(situation, _NO_WINDOW)
    if not missing and logged is None:
        return
    inside = signs.virtual_machine(host)
    yield cause(
        "pci-bar-unassigned",
        Rung.HARDWARE,
        "the firmware found no addresses for the card's memory window",
        "no place for the card's window",
        Observed(f"/sys/bus/pci/devices/{address}/resource", f"window {missing[0].number}, {size_text(missing[0].size)}, at 0")
        if missing
        else None,
        logged,
        fix=_a_wider_window(inside),
        reason=CardReason.CARD_FAILED,
        library=None,
    )


def _a_wider_window(inside: str | None) -> tuple[Step, ...]:
    starts = "the firmware gives out addresses at a start"
    if inside is not None:
        wider = "give the virtual machine UEFI firmware (OVMF), machine type q35 and a wide 64-bit window (`x-pci-mmio64-size`)"
        return (Step(f"on the host {wider}", where=Place.HOST),)
    return (
        Step("switch Above 4G Decoding and Resizable BAR on in the firmware", needs_reboot=starts),
        Step("if it has no such setting, add `pci=realloc` to the kernel's command line", needs_root=True, needs_reboot=starts),
    )


def turned_off_by_a_switch(situation: Situation) -> Iterator[Finding]:
    """A tool that saves power on laptops has set the machine to its integrated graphics."""
    found = turned_off(situation.host)
    if not found or situation.kept or signs.is_bound(situation) or not signs.is_on_the_bus(situation) or situation.container:
        return
    yield cause(
        "gpu-disabled-by-mux",
        Rung.HARDWARE,
        f"`{found[0].path}` says that this card is switched off to save power",
        "switched off to save power",
        *(Observed(each.path, printable(each.said)) for each in found),
        fix=(_switch_on(found[0].path),),
        reason=CardReason.NO_KERNEL_DRIVER,
        library=None,
    )


def _switch_on(path: str) -> Step:
    again = "the switch takes effect at a start"
    if "prime" in path:
        return run("switch it on with", "sudo prime-select on-demand", reboot=again)
    if "supergfxd" in path:
        return run("switch it on with", "supergfxctl -m Hybrid", reboot=again)
    if path.startswith("/etc/"):
        return run("switch it on with", "sudo envycontrol -s hybrid", reboot=again)
    return Step("switch it on in the tool or the firmware that switched it off", needs_reboot=again)


def not_started(situation: Situation) -> Iterator[Finding]:
    """The driver is bound to the card and could not bring it up: it knows no UUID of it, and NVML counts it not."""
    if not _is_not_started(situation) or misfit(situation) is not None:
        return
    if any(True for check in OF_LOST_CARDS for _ in check(situation)):
        return
    inside = signs.virtual_machine(situation.host)
    logged, uuid = faults.logged(situation, _NOT_STARTED), signs.told_of_card(situation).get("GPU UUID", "")
    firmware = faults.logged(situation, _FIRMWARE)
    passed = "the way it was passed through to this virtual machine keeps the driver from starting the card"
    yield cause(
        "vm-passthrough-init-fail" if inside else "nv-rminitadapter-failed",
        Rung.KERNEL_DRIVER,
        passed if inside else "the kernel driver has the card and could not start it",
        "the driver could not start the card",
        logged,
        firmware,
        Observed(f"/proc/driver/nvidia/gpus/{situation.card.pci_id}/information", f"GPU UUID {uuid}") if "?" in uuid else None,
        Observed("NVML", "does not count it"),
        fix=tuple(_start_again(situation, inside)),
        reason=CardReason.CARD_FAILED,
        settle=look_at_the_log() if inside else None,
    )


def _is_not_started(situation: Situation) -> bool:
    if situation.kept or situation.drops or not signs.is_bound(situation):
        return False
    if signs.nvml_views(situation) or not signs.is_given(situation):
        return False
    failed_to_open = signs.error_of(situation.host, signs.card_node(situation) or "") == "EIO"
    unknown = "?" in signs.told_of_card(situation).get("GPU UUID", "") and _nvml_counts_others(situation)
    return failed_to_open or unknown or faults.logged(situation, _NOT_STARTED) is not None


def _nvml_counts_others(situation: Situation) -> bool:
    """NVML started, and this card is none of those that it counts."""
    answer = signs.nvml_answer(situation)
    return answer is not None and answer.status.answered


def _start_again(situation: Situation, inside: str | None) -> Iterator[Step]:
    if inside is not None:
        yield Step("on the host power the machine off and on, and take the card from the host's display", where=Place.HOST)
        yield Step("give the virtual machine UEFI firmware (OVMF) and machine type q35", where=Place.HOST)
        return
    off = "power the machine off and on: only without power the card forgets the state that it is in"
    yield Step(off, needs_root=True, where=outside(situation))
    yield Step(f"read `{look_at_the_log()}` from its top: the last lines are consequences", where=outside(situation))
    if faults.logged(situation, _IN_A_BAD_STATE) is None:
        yield Step("then try newer firmware of the machine, and another release of the driver", where=outside(situation))


CHECKS = (
    without_a_window,
    turned_off_by_a_switch,
    not_started,
)
