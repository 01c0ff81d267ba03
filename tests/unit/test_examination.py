"""The whole diagnosis: which card comes first, what is told once, and which notes of `list` say what no finding says."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.card_status import CardStatus, summary
from gpuprobe.doctor.examination import Examination, Told, examine, is_undecided, untold, with_findings
from gpuprobe.doctor.findings import Certainty, Finding, Observed, Rung, Severity
from gpuprobe.doctor.ladder import Mark
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import CPU_ONLY, DeviceNode, NamedPlace
from gpuprobe.judging.rules import judge
from gpuprobe.machine import Card
from gpuprobe.model import Inventory, Outcome, Reason, Request, Status
from tests.records import AMD, INTEL, a_card, a_device, a_host, an_outcome, evidence_of

FIRST, SECOND, INSIDE = "0000:01:00.0", "0000:02:00.0", "0000:00:02.0"
CONTROL = DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, True)
NO = an_outcome(library="CUDA", status=Status.NO_DEVICES)


def machine(*outcomes: Outcome, **host: Any) -> Inventory:
    known = {"pci": (a_card(FIRST), a_card(SECOND)), "nodes": (CONTROL,)}
    return judge(evidence_of(host=a_host(**{**known, **host}), outcomes=outcomes), Request())


def a_finding(slug: str = "x", **fields: Any) -> Finding:
    known: dict[str, Any] = {
        "rung": Rung.LIBRARY,
        "severity": Severity.BLOCKER,
        "certainty": Certainty.CERTAIN,
        "because": "it is so",
        "brief": "so",
        "reason": Reason.NO_CODE,
    }
    return Finding(**{"id": slug, **known, **fields})


def told_by(examination: Examination) -> list[tuple[str, list[str | None]]]:
    return [(each.finding.id, [card.pci_id for card in each.cards]) for each in examination.told]


def test_what_is_true_of_two_cards_is_told_once_with_both_and_what_it_explains_comes_after() -> None:
    found = examine(machine(NO, pci=(a_card(FIRST, driver=None), a_card(SECOND, driver=None)), nodes=()))

    first = told_by(found)[0]
    explained = [each.finding.because_of is not None for each in found.told]
    assert first[1] == [FIRST, SECOND]
    assert explained == sorted(explained)
    assert True in explained
    assert found.text == summary(machine(NO, pci=(a_card(FIRST, driver=None), a_card(SECOND, driver=None)), nodes=())).text


def test_what_concerns_the_machine_is_told_of_no_card_and_after_the_blockers() -> None:
    cards = a_device(pci_id=FIRST), a_device(pci_id=SECOND, number=1, uuid="GPU-2")
    places = (NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY),)

    found = examine(machine(an_outcome(*cards), empty_places=places))

    assert told_by(found) == [("ollama-backend-missing", [])]
    assert [report.ladder[-1].mark for report in found.cards] == [Mark.BROKEN, Mark.BROKEN]


def test_findings_that_are_not_wanted_are_told_of_no_card_and_of_no_machine() -> None:
    inventory = machine(NO, empty_places=(NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY),))

    found = examine(inventory, wanted=lambda finding: False)

    assert (found.told, [report.findings for report in found.cards]) == ((), [(), ()])
    assert [report.status.card.pci_id for report in found.cards] == [FIRST, SECOND]


def test_only_the_cards_that_were_chosen_are_looked_at_and_none_may_be() -> None:
    chosen = CardStatus(Card(pci_id=SECOND, vendor_id=0x10DE, device_id=1, name=None, kind="pci"), (), None)

    assert [each.status for each in examine(machine(NO), chosen=[chosen]).cards] == [chosen]
    assert examine(machine(NO), chosen=()).cards == ()


def test_the_card_that_a_person_came_for_is_the_first() -> None:
    intel = a_card(INSIDE, vendor=INTEL, device=0x46A6, driver="i915")
    amd = a_card("0000:00:03.0", vendor=AMD, device=0x744C, driver="amdgpu")
    nowhere = an_outcome(a_device("Vulkan", vendor_id=0x1ED5, uuid="u"))

    found = examine(machine(nowhere, pci=(intel, amd, a_card(FIRST))))

    assert [report.status.card.pci_id for report in found.cards] == ["0000:00:03.0", FIRST, None, INSIDE]


@pytest.mark.parametrize(
    ("fields", "open_"),
    [
        ({"reason": Status.TIMED_OUT, "generic": True}, True),
        ({"reason": Status.SKIPPED, "generic": True}, True),
        ({"reason": Reason.NOT_DECIDED, "generic": True}, True),
        ({"reason": Status.TIMED_OUT}, False),
        ({"reason": Reason.NOT_DECIDED}, False),
        ({"reason": Status.NO_DEVICES, "generic": True}, False),
        ({"reason": CardReason.NOT_LISTED, "generic": True}, False),
    ],
)
def test_a_finding_that_says_only_that_no_answer_came_decides_nothing(fields: dict[str, Any], open_: bool) -> None:
    assert is_undecided(a_finding(**fields)) is open_


def test_what_was_found_elsewhere_is_told_by_its_weight_and_before_its_equals() -> None:
    known = Examination("text", (), (Told(a_finding("a"), ()), Told(a_finding("b", severity=Severity.INFO), ())))
    more = [a_finding("c", severity=Severity.DEGRADED), a_finding("d"), a_finding("e", because_of="d")]

    assert [each.finding.id for each in with_findings(known, more).told] == ["d", "a", "e", "c", "b"]


CARD = Card(pci_id=FIRST, vendor_id=0x10DE, device_id=1, name=None, kind="pci")
SAME = "nothing of this is said in any other"


@pytest.mark.parametrize(
    ("finding", "cards", "note", "tells"),
    [
        ({"generic": True, "brief": "CUDA crashed"}, (), "CUDA crashed in `cuInit`", True),
        ({"generic": True, "because": "`cuInit` it is", "brief": "other words"}, (CARD,), f"{FIRST} `cuInit` it is", False),
        ({"brief": "CUDA does not work", "because": "z"}, (), "CUDA does not work here", False),
        ({"evidence": (Observed("/usr/lib/x.so", "there"),)}, (CARD,), "`/usr/lib/x.so` is old", True),
        ({"evidence": (Observed("CUDA", "there"),)}, (CARD,), "CUDA is old", False),
        ({"evidence": (Observed("/usr/lib/y.so", "there"),)}, (CARD,), "`/usr/lib/x.so` is old", False),
        ({"because": "`OLLAMA_VULKAN` is off"}, (), "`OLLAMA_VULKAN` does nothing", True),
        ({"because": "`OLLAMA_VULKAN` is off"}, (), "`OLLAMA_HOST` does nothing", False),
        ({"because": "twelve chars and more"}, (), "twelve chars: enough", True),
        ({"because": "twelve-char and more"}, (), "twelve-chap and more", False),
        ({"because": "`x` is off"}, (CARD,), f"{FIRST} has `x`", True),
        ({"because": "`x` is off"}, (CARD,), f"{SECOND} has `x`", False),
        ({"because": "`x` is off"}, (CARD,), f"{FIRST} has `y`", False),
        ({"because": "`x` is off"}, (CARD._replace(pci_id=None),), "a-b has `x`", True),
        ({"because": "`x` is off"}, (CARD._replace(pci_id=None),), "ab has `x`", False),
        ({"because": "the same thirty characters and x"}, (CARD,), "the same thirty characters and, then", True),
        ({"because": "the same thirty characters are"}, (CARD,), "the same thirty characters and then", False),
    ],
)
def test_a_note_is_left_out_where_a_finding_says_the_same(
    finding: dict[str, Any], cards: tuple[Card, ...], note: str, tells: bool
) -> None:
    examination = Examination("text", (), (Told(a_finding(**finding), cards),))

    assert untold([note, SAME], examination) == ((SAME,) if tells else (note, SAME))


def test_a_better_library_that_was_lost_tells_the_note_with_its_few_words() -> None:
    lost = a_finding("better-library-lost", brief="ROCm does not work on it")

    assert untold(["ROCm does not work on it"], Examination("text", (), (Told(lost, (CARD,)),))) == ()
