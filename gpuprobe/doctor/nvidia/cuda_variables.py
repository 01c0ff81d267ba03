"""Variables that keep CUDA's cards from a program, proved by a child without them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe.doctor.about_nvidia import signs
from gpuprobe.doctor.about_nvidia.saying import cause, where_cuda_stops
from gpuprobe.doctor.findings import Finding, Observed, Rung, run
from gpuprobe.doctor.nvidia.card_modes import slice_not_named
from gpuprobe.doctor.situation import Situation
from gpuprobe.libraries import CUDA
from gpuprobe.machine.surroundings import fields_of
from gpuprobe.model import Device, Purpose, Reason, Status
from gpuprobe.strings import printable

VARIABLE = CUDA.filters[0]
_UUID = re.compile(r"(?:GPU|MIG)-[0-9a-fA-F-]{4,40}")
_HIDING = ("", "-1", "NoDevFiles")


def everything_hidden(situation: Situation) -> Iterator[Finding]:
    """CUDA lists no card at all, and lists this one where the variable is not set."""
    value = signs.value(situation, VARIABLE)
    if value is None or situation.kept or not _lists_nothing(situation) or not _without_it(situation):
        return
    if any(True for _ in slice_not_named(situation)):
        return
    yield from _stale(situation, value) or _hiding(situation, value)


def _lists_nothing(situation: Situation) -> bool:
    listed = situation.listing(CUDA.name)
    return listed is not None and not listed.devices and listed.status in (Status.OK, Status.NO_DEVICES)


def _without_it(situation: Situation) -> tuple[Device, ...]:
    """All that CUDA lists without the variable, if this card is among them."""
    unfiltered = [each for each in situation.of_library(CUDA.name) if each.probe.purpose is Purpose.UNFILTERED]
    devices = tuple(device for each in unfiltered for device in each.devices)
    return devices if any(device.pci_id == situation.card.pci_id for device in devices) or _is_only(situation, devices) else ()


def _is_only(situation: Situation, devices: tuple[Device, ...]) -> bool:
    return situation.card.pci_id is None and len(devices) == 1


def _stale(situation: Situation, value: str) -> list[Finding]:
    """It names an id that no card and no slice has: the card was changed, or cut anew."""
    first = value.partition(",")[0].strip()
    if not _UUID.fullmatch(first) or any(known.startswith(first) for known in _known_ids(situation)):
        return []
    found = cause(
        "env-cuda-visible-stale-uuid",
        Rung.LIBRARY,
        f"`{VARIABLE}` names `{printable(first)}`, which no card or slice of this machine has",
        f"`{VARIABLE}` names no card",
        Observed(VARIABLE, printable(value)),
        Observed("CUDA without it", f"{len(_without_it(situation))} listed"),
        fix=(run("see the ids with", "nvidia-smi -L"), run("and set it again, or", f"unset {VARIABLE}")),
        reason=Reason.HIDDEN_BY_VARIABLE,
    )
    return [found]


def _known_ids(situation: Situation) -> Iterator[str]:
    for outcome in situation.outcomes:
        yield from (device.uuid for device in outcome.devices if device.uuid)
    for path, reading in situation.host.texts.items():
        if path.startswith("/proc/driver/nvidia/gpus/"):
            yield fields_of(reading.text or "").get("GPU UUID", "?")


def _hiding(situation: Situation, value: str) -> Iterator[Finding]:
    first = value.partition(",")[0].strip()
    count = len(_without_it(situation))
    why = (
        "hides every card"
        if first in _HIDING
        else f"hides every card: CUDA reads it up to the first number that no card has, and there {_are(count)}"
        if re.fullmatch("[0-9]{1,9}", first)
        else "hides every card: CUDA reads it up to the first word that it does not know"
    )
    yield cause(
        "env-cuda-visible-hides-all",
        Rung.LIBRARY,
        f"`{VARIABLE}={printable(value)}` {why}",
        f"hidden by `{VARIABLE}`",
        Observed(VARIABLE, printable(value) or "set, and empty"),
        Observed("CUDA without it", f"lists {count}"),
        fix=(run("use every card with", f"unset {VARIABLE}"),),
        reason=Reason.HIDDEN_BY_VARIABLE,
    )


def _are(count: int) -> str:
    return "is one card, number 0" if count == 1 else f"are {count} cards, numbered from 0"


def compiler_switched_off(situation: Situation) -> Iterator[Finding]:
    if signs.cuda_code(situation) != 223:
        return
    yield cause(
        "env-jit-disabled",
        where_cuda_stops(situation),
        "`CUDA_DISABLE_PTX_JIT` switches the driver's compiler off, and this program is made for it",
        "the driver's compiler is switched off",
        Observed("CUDA", "CUDA_ERROR_JIT_COMPILATION_DISABLED (223)"),
        fix=(run("switch it on with", "unset CUDA_DISABLE_PTX_JIT CUDA_DISABLE_JIT"),),
        reason=Reason.NOT_DECIDED,
    )


CHECKS = (everything_hidden, compiler_switched_off)
