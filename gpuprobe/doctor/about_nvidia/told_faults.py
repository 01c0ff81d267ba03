"""What the kernel log and NVML say of a card that failed, and how a card is reset."""

from __future__ import annotations

import re

from gpuprobe.doctor.about_nvidia import signs
from gpuprobe.doctor.about_nvidia.saying import kernel_step, reboot
from gpuprobe.doctor.findings import Observed, Step
from gpuprobe.doctor.situation import Situation
from gpuprobe.machine import kernel_log
from gpuprobe.strings import printable

COLD = "a restart alone does not bring it back"


def xids(situation: Situation, *numbers: int) -> tuple[kernel_log.Xid, ...]:
    found = kernel_log.xids(situation.host, situation.card.pci_id)
    return tuple(xid for xid in found if xid.number in numbers)


def logged(situation: Situation, pattern: re.Pattern[str]) -> Observed | None:
    """The first line that says so of this card; of one NVIDIA card alone it need not name it."""
    host, address = situation.host, situation.card.pci_id
    named = kernel_log.lines_of(host, address) if address else ()
    only = len(signs.own_cards(situation)) <= 1
    found = next((line for line in kernel_log.lines(host, pattern) if only or line in named), None)
    return Observed("kernel log", printable(found.message[:300])) if found is not None else None


def problem(situation: Situation, *numbers: int) -> tuple[int, bool] | None:
    """NVML's number for this card, and whether it is certainly this one: NVML knows no address of a card that it cannot ask,
    so it is the one that NVML does not list otherwise."""
    answer = signs.nvml_answer(situation)
    if answer is None or signs.nvml_views(situation):
        view = signs.whole_view(situation)
        code = _one_of(numbers, signs.problem_of(view, "handle") if view is not None else None)
        return (code, True) if code is not None else None
    if not signs.is_given(situation):
        return None
    alone = len(signs.own_cards(situation)) == 1
    if alone and (code := _one_of(numbers, answer.code)) is not None:
        return code, True
    nameless = [signs.problem_of(view, "handle") for view in answer.devices if view.pci_id is None]
    listed = {view.pci_id for view in answer.devices}
    unlisted = [card for card in signs.own_cards(situation) if card.pci_id not in listed]
    code = next((each for each in nameless if each in numbers), None)
    return (code, len(unlisted) == 1 and len(set(nameless)) == 1) if code is not None else None


def _one_of(numbers: tuple[int, ...], code: int | None) -> int | None:
    return code if code in numbers else None


def reset(situation: Situation) -> tuple[Step, ...]:
    command = (
        f"sudo nvidia-smi --gpu-reset -i {situation.card.pci_id}" if situation.card.pci_id else "sudo nvidia-smi --gpu-reset"
    )
    return (
        kernel_step(situation, "end programs that use the card and reset it with", command),
        reboot(situation, "a card that cannot be reset starts again with the machine", "if that does not help, reboot"),
    )
