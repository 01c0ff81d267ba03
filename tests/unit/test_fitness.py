"""What keeps a usable card below what it could do is said: software that does not run on it, a link with too few lanes."""

from __future__ import annotations

from typing import Any

from gpuprobe.doctor import fitness
from gpuprobe.judging.rules import judge
from gpuprobe.model import Device, Request
from tests.records import a_card, a_host, evidence_of
from tests.unit.test_compatibility import CARD, TORCH, a_geforce, runtime


def noted(*devices: Device, **fields: Any) -> list[str]:
    return list(fitness.notes(judge(evidence_of(*devices, host=a_host(**fields)), Request())))


def test_what_does_not_run_is_noted_once_for_all_that_shares_the_reason() -> None:
    cards = [a_geforce("470.223.02", number=number, uuid=f"GPU-{number}") for number in (0, 1)]
    found = (runtime("13.0"), runtime("13.0", "libcublas"), runtime("11.8", toolkit="cuda-11.8"))

    notes = noted(*cards, software=found)

    assert notes == [
        "libcudart, libcublas of `/usr/local/cuda/lib64` cannot use CUDA:0, CUDA:1: "
        "driver 470.223.02 is too old for CUDA 13.0: it needs 580.65.06; "
        "branch 580 has it (long-term support, until 2028-06)"
    ]


def test_what_runs_is_not_noted() -> None:
    assert noted(a_geforce("595.45.04"), software=(TORCH, runtime("13.0"))) == []


def test_a_link_with_fewer_lanes_than_the_card_has_is_noted() -> None:
    link = {"current_link_speed": "2.5 GT/s PCIe", "current_link_width": 4, "max_link_speed": "16.0 GT/s PCIe"}
    narrow = a_card(CARD, max_link_width=16, **link)
    idle = a_card(CARD, max_link_width=4, **link)

    (note,) = noted(a_geforce(pci_id=CARD), pci=(narrow,))

    assert note.startswith("0000:01:00.0 uses 4 of its 16 PCIe lanes: at best 7.9 of 31.5 GB/s")
    assert noted(a_geforce(pci_id=CARD), pci=(idle,)) == []
    assert noted(a_geforce(pci_id=CARD), pci=(a_card(CARD, current_link_width=4),)) == []


def test_a_card_that_is_not_usable_is_not_reproached_with_its_link() -> None:
    narrow = a_card(CARD, current_link_width=4, max_link_width=16, max_link_speed="16.0 GT/s PCIe")

    assert noted(pci=(narrow,)) == []


def test_a_link_of_unknown_speed_is_noted_without_figures() -> None:
    (note,) = noted(a_geforce(pci_id=CARD), pci=(a_card(CARD, current_link_width=8, max_link_width=16),))

    assert note.startswith("0000:01:00.0 uses 8 of its 16 PCIe lanes; possible causes: a slot with")
