"""How far a card gets: what counts as a rung that holds where the evidence is thin."""

from __future__ import annotations

from gpuprobe.doctor.findings import Rung
from gpuprobe.doctor.ladder import Mark, ladder
from gpuprobe.doctor.situation import situation_of
from gpuprobe.facts import Host
from gpuprobe.judging.rules import judge
from gpuprobe.machine import cards
from gpuprobe.model import Outcome, Request
from tests.doctor.nvidia_machines import FIRST, card, cuda, evidence, no_context, nvidia_host, passed
from tests.records import NVIDIA, a_device, an_outcome

VULKAN = a_device("Vulkan", pci_id=FIRST, vendor_id=NVIDIA)


def marks(host: Host, *outcomes: Outcome) -> dict[Rung, Mark]:
    (only,) = cards(host)
    situation = situation_of(only, judge(evidence(host, *outcomes), Request()))
    return {state.rung: state.mark for state in ladder(situation, ())}


def test_a_driver_that_keeps_a_library_away_holds_where_another_library_works() -> None:
    nouveau = nvidia_host(pci=card(driver="nouveau"))

    assert marks(nouveau)[Rung.KERNEL_DRIVER] is Mark.UNKNOWN
    assert marks(nouveau, an_outcome(VULKAN), passed(VULKAN))[Rung.KERNEL_DRIVER] is Mark.PASSED


def test_a_device_file_that_was_not_seen_must_be_there_where_a_library_lists_the_card() -> None:
    unseen = nvidia_host(nodes=())

    assert marks(unseen)[Rung.DEVICE_NODE] is Mark.UNKNOWN
    assert marks(unseen, an_outcome(cuda()), passed(cuda()))[Rung.DEVICE_NODE] is Mark.PASSED
    assert marks(unseen, *no_context(2))[Rung.DEVICE_NODE] is Mark.PASSED
