"""What a card without a view means for `validate`: it failed, it was left out, or nobody got to know."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.reasons import CardReason
from gpuprobe.doctor.unviewed import Unviewed, failed, undecided, unviewed
from gpuprobe.facts import DeviceNode, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.judging.views import views
from gpuprobe.model import Device, Outcome, Probe, Purpose, Request, Status, Verdict
from tests.records import AMD, a_card, a_device, a_host, an_outcome, evidence_of

FIRST, SECOND = "0000:01:00.0", "0000:41:00.0"
NODE = DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, True)
LOST = an_outcome(library="CUDA", status=Status.TIMED_OUT)
ANYTHING = Request()
NOT_CUT = an_outcome(a_device("NVML", pci_id=FIRST, capabilities={"mig_enabled": True}))


def judged(
    *devices: Device,
    outcomes: tuple[Outcome, ...] = (LOST,),
    request: Request = ANYTHING,
    **host: Any,
) -> tuple[Unviewed, ...]:
    machine = a_host(**{"pci": (a_card(FIRST),), "nodes": (NODE,), **host})
    inventory = judge(evidence_of(*devices, host=machine, outcomes=outcomes), request)
    return unviewed(inventory, views(inventory))


CERTAIN: dict[CardReason, dict[str, Any]] = {
    CardReason.NO_KERNEL_DRIVER: {"pci": (a_card(FIRST, driver=None),)},
    CardReason.NO_DEVICE_NODE: {"nodes": ()},
    CardReason.NO_PERMISSION: {"nodes": (NODE._replace(accessible=False),)},
    CardReason.MIG_WITHOUT_SLICES: {"outcomes": (LOST, NOT_CUT)},
}


@pytest.mark.parametrize("reason", CERTAIN)
def test_what_no_library_could_change_is_certain_though_a_library_was_lost(reason: CardReason) -> None:
    (card,) = judged(**CERTAIN[reason])

    assert (card.why.reason, card.verdict) == (reason, Verdict.UNSUPPORTED)
    assert (failed([card]), undecided([card])) == (1, 0)


@pytest.mark.parametrize(
    "status", [status for status in Status if status.undecided or status in (Status.SKIPPED, Status.REFUSED)]
)
def test_a_card_whose_library_did_not_get_to_answer_cannot_be_decided(status: Status) -> None:
    (card,) = judged(outcomes=(an_outcome(library="CUDA", status=status),))

    assert card.verdict is Verdict.INCONCLUSIVE
    assert (failed([card]), undecided([card])) == (0, 1)


@pytest.mark.parametrize("status", [Status.NO_DEVICES, Status.INIT_FAILED, Status.NOT_LOADABLE, Status.ABSENT])
def test_a_card_whose_library_says_no_has_failed(status: Status) -> None:
    (card,) = judged(outcomes=(an_outcome(library="CUDA", status=status),))

    assert card.verdict is Verdict.UNSUPPORTED


def test_a_witness_that_was_lost_makes_nothing_doubtful() -> None:
    outcomes = (an_outcome(library="CUDA", status=Status.INIT_FAILED), an_outcome(library="NVML", status=Status.TIMED_OUT))

    assert [card.verdict for card in judged(outcomes=outcomes)] == [Verdict.UNSUPPORTED]


def test_a_library_of_another_vendor_that_was_lost_makes_nothing_doubtful() -> None:
    outcomes = (an_outcome(library="CUDA", status=Status.NO_DEVICES), an_outcome(library="ROCm", status=Status.TIMED_OUT))

    assert [card.verdict for card in judged(outcomes=outcomes)] == [Verdict.UNSUPPORTED]


def test_a_card_with_a_view_is_not_named() -> None:
    assert judged(a_device("CUDA", pci_id=FIRST)) == ()


@pytest.mark.parametrize("request_", [Request(chosen=("GPU-1",)), Request(builds=("cuda_v13",))])
def test_where_something_was_chosen_the_other_cards_are_nobodys_question(request_: Request) -> None:
    assert judged(request=request_) == ()


BOTH = (a_card(FIRST), a_card(SECOND))
DOCKER = {"/.dockerenv": Reading("")}


def test_a_card_that_no_named_library_is_for_is_left_out_on_purpose() -> None:
    (card,) = judged(request=Request(libraries=("ROCm",)))

    assert (card.why.because, card.why.advice) == ("no library that `--library` names is for this card", None)
    assert card.verdict is None
    assert [each.verdict for each in judged(request=Request(libraries=("ROCm", "CUDA")))] == [Verdict.INCONCLUSIVE]


def test_a_card_that_a_variable_hides_or_a_vm_holds_is_left_out_on_purpose() -> None:
    hidden = an_outcome(a_device("CUDA", pci_id=FIRST), probe=Probe("CUDA", Purpose.UNFILTERED, variables=(("X", None),)))

    assert [each.verdict for each in judged(outcomes=(hidden,))] == [None]
    assert [each.verdict for each in judged(pci=(a_card(FIRST, driver="vfio-pci"),))] == [None]
    assert (failed(judged(outcomes=(hidden,))), undecided(judged(outcomes=(hidden,)))) == (0, 0)


def test_a_container_that_was_given_one_of_two_cards_fails_for_no_other() -> None:
    seen = a_device("Vulkan", pci_id=FIRST)

    def second(*devices: Device, **host: Any) -> Unviewed:
        return judged(*devices, outcomes=(), **{"pci": BOTH, "texts": DOCKER, **host})[-1]

    given = second(seen)
    assert (given.card.pci_id, given.verdict) == (SECOND, None)
    assert given.why.because.endswith("; the container was started with others")
    assert given.why.advice is None
    assert second(seen, texts={"/proc/self/cgroup": Reading("0::/\n")}).verdict is Verdict.UNSUPPORTED
    assert second().verdict is Verdict.UNSUPPORTED
    other = a_card(FIRST, vendor=AMD, device=0x744C, driver="amdgpu", drm=("card0", "renderD128"))
    radeon = a_device("Vulkan", pci_id=FIRST, vendor_id=AMD)
    assert second(radeon, pci=(other, a_card(SECOND))).verdict is Verdict.UNSUPPORTED
    assert second(seen, nodes=(NODE._replace(accessible=False),)).verdict is Verdict.UNSUPPORTED


@pytest.mark.parametrize(
    "probe", [Probe("CUDA", Purpose.UNFILTERED), Probe("CUDA", Purpose.LIST, build="cuda_v12"), Probe("CUDA", Purpose.ALONE)]
)
def test_only_a_listing_by_the_systems_library_that_was_lost_makes_doubtful(probe: Probe) -> None:
    lost = an_outcome(library="CUDA", probe=probe, status=Status.TIMED_OUT)
    no = an_outcome(library="CUDA", status=Status.NO_DEVICES)

    assert [each.verdict for each in judged(outcomes=(no, lost))] == [Verdict.UNSUPPORTED]


def test_a_card_is_doubtful_for_a_library_that_was_left_out_though_another_is_the_reason() -> None:
    skipped, failing = (
        an_outcome(library="CUDA", status=Status.SKIPPED),
        an_outcome(library="Vulkan", status=Status.INIT_FAILED),
    )

    (card,) = judged(outcomes=(skipped, failing))

    assert (card.why.reason, card.verdict) == (Status.INIT_FAILED, Verdict.INCONCLUSIVE)


def test_a_card_is_doubtful_where_only_a_build_was_asked_and_was_lost() -> None:
    lost = an_outcome(library="CUDA", probe=Probe("CUDA", Purpose.LIST, build="cuda_v12"), status=Status.TIMED_OUT)

    (card,) = judged(outcomes=(lost,))

    assert (card.why.reason, card.verdict) == (Status.TIMED_OUT, Verdict.INCONCLUSIVE)
