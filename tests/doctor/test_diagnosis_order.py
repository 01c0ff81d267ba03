"""Which finding becomes the headline: the lowest broken rung, causes before symptoms, and what is explained says by what."""

from __future__ import annotations

from typing import Any

from gpuprobe.doctor.diagnosis import findings_of, why
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import DeviceNode, FoundLibrary, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.machine import cards
from gpuprobe.model import Inventory, Request, Status
from tests.records import a_card, a_device, a_host, an_outcome, evidence_of

CONTROL = DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, accessible=True)
LIBRARY = FoundLibrary("libcuda.so.1", "/usr/lib/libcuda.so.1", "/usr/lib/libcuda.so.580.105.08", "linker cache")
INIT_FAILED: dict[str, Any] = {"library": "CUDA", "status": Status.INIT_FAILED, "code_name": "CUDA_ERROR_UNKNOWN"}


def a_machine(module: str, uvm: Reading | None = None, **card: Any) -> Inventory:
    texts = {"/sys/module/nvidia/version": Reading(module)}
    if uvm is not None:
        texts["/sys/module/nvidia_uvm/initstate"] = uvm
    host = a_host(pci=(a_card(**card),), nodes=(CONTROL,), libraries=(LIBRARY,), texts=texts)
    return judge(evidence_of(host=host, outcomes=(an_outcome(code=999, **INIT_FAILED),)), Request())


def ids(inventory: Inventory) -> list[tuple[str, str | None]]:
    (card,) = cards(inventory.evidence.host)
    return [(each.id, each.because_of) for each in findings_of(card, inventory)]


def test_the_lowest_broken_rung_is_the_headline_and_explains_what_lies_above() -> None:
    inventory = a_machine("580.95.05", driver=None)

    assert ids(inventory) == [
        ("nv-kmod-userspace-mismatch", None),
        ("no-kernel-driver", "nv-kmod-userspace-mismatch"),
        ("init-failed", "nv-kmod-userspace-mismatch"),
    ]


def test_two_causes_on_one_rung_are_two_faults() -> None:
    inventory = a_machine("580.95.05", Reading(None, "absent"))

    assert ids(inventory)[:2] == [("nv-kmod-userspace-mismatch", None), ("nv-uvm-not-loaded", None)]


def test_the_reason_of_list_is_the_headline_with_the_number_that_people_search_for() -> None:
    inventory = a_machine("580.105.08", Reading(None, "absent"))
    (card,) = cards(inventory.evidence.host)

    found = why(card, inventory)

    assert (found.reason, found.finding) == (CardReason.DRIVER_FAULT, "nv-uvm-not-loaded")
    assert found.because == "the kernel module `nvidia_uvm` is not loaded (CUDA_ERROR_UNKNOWN, error 999)"


def test_a_fact_put_right_takes_its_finding_away() -> None:
    inventory = a_machine("580.105.08", Reading("live"))

    assert "nv-kmod-userspace-mismatch" not in dict(ids(inventory))
    assert "nv-uvm-not-loaded" not in dict(ids(inventory))


def test_a_usable_card_has_no_blocker() -> None:
    host = a_host(pci=(a_card(),), nodes=(CONTROL,))
    inventory = judge(evidence_of(a_device(pci_id="0000:01:00.0"), host=host), Request())

    assert ids(inventory) == []
