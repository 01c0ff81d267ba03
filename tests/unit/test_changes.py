"""What `refresh --diff` and `--watch` call a change."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.judging.changes import card_changes, device_changes, library_changes, unknown_devices
from gpuprobe.model import Device, Evidence, GiB, Outcome, Probe, Purpose, Status
from tests.records import a_card, a_device, a_host, an_outcome, evidence_of

LISTING = Probe("CUDA", Purpose.LIST)
SAYS_NOTHING = {Status.NOT_STARTED, Status.REFUSED, Status.SKIPPED}  # of the library: it was not asked


def ended(status: Status, probe: Probe = LISTING) -> Evidence:
    return Evidence(a_host(), (Outcome(probe, status),), "2026-11-21T09:00:00Z")


@pytest.mark.parametrize("now", sorted(set(Status) - SAYS_NOTHING - {Status.OK}))
def test_a_library_that_answered_and_now_ends_in_any_other_way_is_a_change(now: Status) -> None:
    (change,) = library_changes(ended(Status.OK), ended(now))

    assert (change.kind, change.subject, change.before, change.after) == ("library", "CUDA", "ok", now.value)
    assert change.text.startswith(("CUDA now ", "CUDA is no longer ", "CUDA no longer "))


def test_a_library_that_no_longer_starts_is_named() -> None:
    """After an update of the driver it is the commonest failure."""
    assert [change.text for change in library_changes(ended(Status.OK), ended(Status.INIT_FAILED))] == ["CUDA no longer starts"]


@pytest.mark.parametrize("now", sorted(SAYS_NOTHING))
def test_a_library_that_was_not_asked_did_not_change(now: Status) -> None:
    assert list(library_changes(ended(Status.OK), ended(now))) == []


def test_a_question_that_was_not_asked_before_has_nothing_to_differ_from() -> None:
    validation = Probe("CUDA", Purpose.VALIDATE, device="GPU-1")

    assert list(library_changes(ended(Status.OK), ended(Status.CRASHED, validation))) == []


def test_a_validation_that_ends_otherwise_names_the_device() -> None:
    validation = Probe("CUDA", Purpose.VALIDATE, device="GPU-1")

    (change,) = library_changes(ended(Status.OK, validation), ended(Status.CRASHED, validation))

    assert change.text == "CUDA on GPU-1 now crashes"


def changed(before: Device, after: Device) -> list[tuple[str, str, object, object]]:
    return [(each.kind.value, each.text, each.before, each.after) for each in device_changes([before], [after])]


CARD = a_device("CUDA", pci_id="0000:01:00.0", number=2, kernel_version="580.1", runtime_version="13.0", free_memory=GiB)


@pytest.mark.parametrize(
    "now",
    [
        {},
        {"kernel_version": None, "runtime_version": None, "free_memory": None},
        {"ordinal": 0, "number": 5},
    ],
)
def test_what_is_the_same_or_no_longer_told_is_no_change(now: dict[str, Any]) -> None:
    assert changed(CARD, CARD._replace(**now)) == []
    assert changed(CARD._replace(**now), CARD) == []


def test_a_driver_a_runtime_and_memory_are_told_with_both_values() -> None:
    now = CARD._replace(kernel_version="590.1", runtime_version="13.1", free_memory=2 * GiB)

    assert changed(CARD, now) == [
        ("driver", "CUDA driver 580.1 → 590.1", "580.1", "590.1"),
        ("driver", "CUDA runtime 13.0 → 13.1", "13.0", "13.1"),
        ("memory", "CUDA:2 free 1.0 → 2.0 GiB", GiB, 2 * GiB),
    ]


def test_memory_that_is_used_up_is_a_change() -> None:
    assert [text for _, text, *_ in changed(CARD, CARD._replace(free_memory=0))] == ["CUDA:2 free 1.0 GiB → 0 bytes"]
    assert [text for _, text, *_ in changed(CARD._replace(free_memory=0), CARD)] == ["CUDA:2 free 0 bytes → 1.0 GiB"]


def test_a_driver_that_is_another_one_for_all_cards_is_told_once() -> None:
    other = CARD._replace(pci_id="0000:02:00.0")
    now = [each._replace(kernel_version="590.1") for each in (CARD, other)]

    assert [each.text for each in device_changes([CARD, other], now)] == ["CUDA driver 580.1 → 590.1"]


def test_a_device_without_a_name_came_or_went() -> None:
    nameless = CARD._replace(name=None, ordinal=0)

    assert [(each.kind, each.subject, each.text) for each in device_changes([nameless], [])] == [
        ("device_gone", "0000:01:00.0", "CUDA:0 (unnamed) has disappeared")
    ]
    assert [(each.kind, each.subject, each.text) for each in device_changes([], [nameless])] == [
        ("device_new", "0000:01:00.0", "CUDA:0 (unnamed) is new")
    ]


def test_a_device_that_has_neither_address_nor_uuid_is_known_by_its_place_in_its_own_list() -> None:
    first, second = (a_device("Vulkan", number=number, free_memory=GiB) for number in (0, 1))

    assert list(device_changes([first, second], [first, second])) == []
    assert [each.kind for each in device_changes([first], [first._replace(build="vulkan")])] == ["device_gone", "device_new"]
    assert [each.kind for each in device_changes([first, second], [first])] == ["device_gone"]


def test_cards_that_came_and_went_are_told_by_their_addresses_and_names() -> None:
    old, new = (evidence_of(host=a_host(pci=cards)) for cards in ((a_card(), a_card("0000:02:00.0")), (a_card(),)))
    gone = list(card_changes(old, new))

    assert [(each.kind, each.subject) for each in gone] == [("card_gone", "0000:02:00.0")]
    assert gone[0].text == "the card at 0000:02:00.0 is no longer on the bus"
    assert [each.text for each in card_changes(new, old)] == ["the card at 0000:02:00.0 is new on the bus"]
    named = evidence_of(host=a_host(pci=(a_card(product="RTX 4090"),)))
    assert [each.text for each in card_changes(named, evidence_of())] == [
        "the card at 0000:01:00.0 (RTX 4090) is no longer on the bus"
    ]


VALIDATION, OF_A_BUILD = Probe("CUDA", Purpose.VALIDATE, device="0000:01:00.0"), Probe("CUDA", Purpose.LIST, build="cuda_v13")


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (LISTING, an_outcome(CARD._replace(name=None)), ["CUDA now lists a device (0000:01:00.0)"]),
        (LISTING, an_outcome(CARD, status=Status.UNREADABLE), []),
        (LISTING, an_outcome(CARD, probe=OF_A_BUILD), []),
        (VALIDATION, an_outcome(CARD, probe=VALIDATION), []),
    ],
)
def test_a_listing_that_was_asked_before_shows_what_is_new_in_it(before: Probe, now: Outcome, said: list[str]) -> None:
    assert [each.text for each in unknown_devices(ended(Status.NO_DEVICES, before), evidence_of(outcomes=(now,)))] == said


def test_a_device_that_cannot_be_told_from_others_is_not_called_new() -> None:
    assert list(unknown_devices(ended(Status.NO_DEVICES), evidence_of(a_device("CUDA")))) == []
