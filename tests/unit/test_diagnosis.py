"""The reason of a card that nobody shows: never a cause that the evidence rules out."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.diagnosis import why
from gpuprobe.doctor.reasons import CardReason, Why
from gpuprobe.facts import DeviceNode
from gpuprobe.judging.rules import judge
from gpuprobe.machine import cards
from gpuprobe.model import Evidence, Outcome, Request, Status
from gpuprobe.vendors import INTEL
from tests.records import a_card, a_device, a_host, an_outcome, evidence_of

CONTROL = DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, accessible=True)
FIRST, SECOND = "0000:01:00.0", "0000:41:00.0"


def reason_of(address: str, evidence: Evidence, request: Request = Request()) -> Why:  # noqa: B008 - a frozen record
    (card,) = (card for card in cards(evidence.host) if card.pci_id == address)
    return why(card, judge(evidence, request))


def in_a_pod(*outcomes: Outcome, inside: bool = True) -> Evidence:
    """CUDA shows the first of two cards, the loader of Vulkan is not installed."""
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"} if inside else {}
    host = a_host(pci=(a_card(FIRST), a_card(SECOND)), environ=environ, nodes=(CONTROL,))
    absent = an_outcome(library="Vulkan", status=Status.NOT_LOADABLE, message="`libvulkan.so.1` did not load")
    return evidence_of(a_device("CUDA", pci_id=FIRST), host=host, outcomes=(absent, *outcomes))


def test_a_pod_with_one_of_two_cards_was_not_given_the_other() -> None:
    found = reason_of(SECOND, (in_a_pod()))

    assert found.reason is CardReason.NOT_GIVEN
    assert found.because == "not given to this kubernetes container, which was started with others"
    assert "vulkan" not in f"{found.because} {found.advice}".lower()


def test_outside_a_container_a_library_that_is_not_installed_explains_nothing_either() -> None:
    """NVIDIA's own library answers, so the missing loader of Vulkan is not why."""
    found = reason_of(SECOND, (in_a_pod(inside=False)))

    assert found.reason is CardReason.NOT_LISTED


@pytest.mark.parametrize("library", ["Level Zero"])
def test_what_was_not_asked_is_not_blamed_on_what_is_not_installed(library: str) -> None:
    asleep = an_outcome(library="Vulkan", status=Status.SKIPPED, message="asking would wake 0000:01:00.0", seconds=None)
    absent = an_outcome(library=library, status=Status.NOT_LOADABLE, message="`libze_loader.so.1` did not load")
    card = a_card("0000:00:02.0", vendor=INTEL.pci_ids[0], device=0x46A6, driver="i915")
    evidence = evidence_of(host=a_host(pci=(card,)), outcomes=(absent, asleep))

    woken, sleeping = (reason_of("0000:00:02.0", evidence, Request(wake=wake)) for wake in (True, False))

    assert (sleeping.reason, sleeping.advice) == (Status.SKIPPED, "run it without `--no-wake`")
    assert woken.reason is Status.NOT_LOADABLE
