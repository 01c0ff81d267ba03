"""What `refresh --diff` and `--watch` call a change."""

from __future__ import annotations

import pytest

from gpuprobe.judging.changes import library_changes
from gpuprobe.model import Evidence, Outcome, Probe, Purpose, Status
from tests.records import a_host

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
