"""The first line of `refresh`, its notes, and whether another try may tell more."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.card_status import summary
from gpuprobe.doctor.refreshed import Refreshment, headline, is_in_doubt, measured, notes_of
from gpuprobe.judging.changes import Change, ChangeKind
from gpuprobe.judging.figures import Figure, Silence
from gpuprobe.judging.rules import judge
from gpuprobe.model import Inventory, Request, Status
from tests.records import a_card, a_device, a_host, an_outcome, evidence_of

NOW = "2026-11-21T09:00:00Z"
CARD = a_device("CUDA", pci_id="0000:01:00.0")
OLD = Silence("nobody told it")
FRESH = Figure(CARD, "NVML", NOW)
STALE = Figure(CARD, "NVML", NOW, silence=OLD)
UNKNOWN = Figure(CARD._replace(free_memory=None, used_memory=None), None, NOW, silence=OLD)
DISCOVERED = judge(evidence_of(CARD, host=a_host(pci=(a_card(),))), Request())
CRASHED = judge(
    evidence_of(host=a_host(pci=(a_card(),)), outcomes=(an_outcome(library="CUDA", status=Status.CRASHED),)), Request()
)


def refreshed(*figures: Figure, of: Inventory = DISCOVERED, **fields: Any) -> Refreshment:
    return Refreshment(of, figures, of.evidence, NOW, **{"anew": None, **fields})


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ((FRESH,), "1 device, read just now"),
        ((FRESH, FRESH), "2 devices, read just now"),
        ((STALE,), "1 device, no new reading"),
        ((UNKNOWN,), "1 device, no new reading"),
        ((STALE, UNKNOWN), "2 devices, no new reading"),
        ((FRESH, STALE), "2 devices: 1 read just now, 1 with an old reading"),
        ((FRESH, FRESH, UNKNOWN), "3 devices: 2 read just now, 1 without any"),
        ((FRESH, STALE, UNKNOWN), "3 devices: 1 read just now, 1 with an old reading, 1 without any"),
    ],
)
def test_the_first_line_counts_what_was_read_now_before_and_never(figures: tuple[Figure, ...], said: str) -> None:
    assert headline(refreshed(*figures)) == said


def test_without_a_device_the_first_line_is_that_of_the_discovery() -> None:
    assert headline(refreshed(of=CRASHED)) == summary(CRASHED).text


def test_it_is_in_doubt_where_a_teller_hung_or_a_discovery_made_now_is() -> None:
    assert not is_in_doubt(refreshed(FRESH, STALE))
    assert is_in_doubt(refreshed(FRESH, STALE._replace(silence=Silence("its child hung", in_doubt=True))))
    assert is_in_doubt(refreshed(of=CRASHED, anew="there was none"))
    assert not is_in_doubt(refreshed(of=CRASHED))
    assert not is_in_doubt(refreshed(FRESH, anew="there was none"))


def test_a_discovery_made_anew_says_why_before_its_remarks() -> None:
    news = (Change(ChangeKind.CARD_NEW, "it", "a card came"),)

    said = notes_of(refreshed(FRESH, anew="the saved one is of another boot", remarks=("a remark",), changes=news))

    assert said == ["devices were detected again: the saved one is of another boot", "a remark"]


def test_what_changed_since_is_a_note_unless_it_is_a_library_or_memory() -> None:
    changes = (
        Change(ChangeKind.CARD_NEW, "it", "a card came"),
        Change(ChangeKind.LIBRARY, "it", "a library changed"),
        Change(ChangeKind.MEMORY, "it", "memory changed"),
    )

    said = notes_of(refreshed(FRESH, remarks=("a remark",), changes=changes))

    assert said == ["a remark", "a card came; run `gpuprobe list` to look again"]


def test_remarks_are_made_on_the_devices_that_were_read_now() -> None:
    told = CARD._replace(free_memory=1)

    found = measured(refreshed(FRESH._replace(device=told), STALE))

    assert (found.kept, found.drops, found.evidence) == ((told,), (), DISCOVERED.evidence)
