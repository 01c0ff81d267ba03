"""Notes that are kept from one reading to the next are those that would be made anew, and are made anew hardly ever."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from gpuprobe import capture
from gpuprobe.doctor import notes
from gpuprobe.doctor.lasting_notes import LastingNotes
from gpuprobe.doctor.refreshed import Refreshment, measured
from gpuprobe.facts import Reading
from gpuprobe.judging.figures import Figure, Silence
from gpuprobe.judging.rules import judge
from gpuprobe.model import Call, Device, Evidence, GiB, Inventory, MiB, Outcome, Request, Status
from tests.records import an_outcome

SCENARIOS = Path(__file__).parents[1] / "scenarios"
MACHINES = sorted(SCENARIOS.glob("*/capture.json"))


@cache
def discovered(machine: Path) -> Inventory:
    return judge(capture.load(machine), Request())


def reading(of: Inventory, free: int, busy: int, second: int) -> Refreshment:
    """One in which every figure that is told depends on these three."""
    was, now = of.evidence, f"2026-11-21T09:00:{second:02}Z"
    texts = {**was.host.texts, "/proc/meminfo": Reading(f"MemTotal: 65536000 kB\nMemAvailable: {free} kB\n")}
    outcomes = tuple(_told(outcome, free, busy, second) for outcome in was.outcomes)
    figures = tuple(Figure(_with_memory(device, free), "NVML", now) for device in of.kept)
    return Refreshment(of, figures, Evidence(was.host._replace(texts=texts), outcomes, now), was.gathered_at, None)


def _told(outcome: Outcome, free: int, busy: int, second: int) -> Outcome:
    devices = tuple(_doing(_with_memory(device, free), busy) for device in outcome.devices)
    calls = tuple(call._replace(seconds=call.seconds and second / 1000) for call in outcome.calls)
    return outcome._replace(devices=devices, calls=calls, seconds=outcome.seconds and second / 100)


def _with_memory(device: Device, free: int) -> Device:
    return device._replace(free_memory=free, used_memory=max(0, (device.total_memory or 24 * GiB) - free))


def _doing(device: Device, busy: int) -> Device:
    activity = {"utilization_percent": busy, "processes": [{"pid": busy + 1, "used_memory_bytes": busy * GiB}]}
    return device._replace(capabilities={**device.capabilities, "activity": activity})


FIGURES = ((20 * GiB, 5, 1), (GiB, 60, 2), (301 * MiB, 61, 3), (300 * MiB, 61, 4), (20 * GiB, 5, 5))  # free, busy, second


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.parent.name)
def test_whatever_the_figures_are_the_notes_are_those_of_the_latest_reading(machine: Path) -> None:
    lasting = LastingNotes()

    for figures in FIGURES:
        answer = reading(discovered(machine), *figures)
        assert lasting.on(answer) == notes.of_inventory(measured(answer))


def test_a_note_that_speaks_of_what_is_held_follows_it() -> None:
    """A slice in a container hints at a cause, so that a diagnosis is asked, and that looks at how much of the card is free."""
    bare = discovered(SCENARIOS / "mig-slices" / "capture.json")
    texts = {**bare.evidence.host.texts, "/.dockerenv": Reading("")}
    contained = bare._replace(evidence=bare.evidence._replace(host=bare.evidence.host._replace(texts=texts)))
    lasting = LastingNotes()

    said = [" ".join(lasting.on(reading(contained, *figures))) for figures in FIGURES]

    assert ["other programs hold 39.0 GiB" in each for each in said] == [False, True, False, False, False]
    assert "other programs hold 39.7 GiB" in said[2]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Inventory]:
    """Of what notes are made from now on."""
    made: list[Inventory] = []

    def of_inventory(inventory: Inventory) -> tuple[str, ...]:
        made.append(inventory)
        return ("made",)

    monkeypatch.setattr(notes, "of_inventory", of_inventory)
    return made


def test_on_a_machine_where_only_figures_change_they_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = counted(monkeypatch)
    machine, lasting = discovered(SCENARIOS / "eight-cards" / "capture.json"), LastingNotes()

    said = [lasting.on(reading(machine, free * GiB, free, free)) for free in range(1, 9)]

    assert (said, len(made)) == ([("made",)] * 8, 1)


def _without_a_card(answer: Refreshment) -> Refreshment:
    host = answer.evidence.host
    return answer._replace(evidence=answer.evidence._replace(host=host._replace(pci=host.pci[1:])))


def _with_one_silent(answer: Refreshment) -> Refreshment:
    first, *others = answer.figures
    return answer._replace(figures=(first._replace(silence=Silence("it hung")), *others))


def _with_a_crash(answer: Refreshment) -> Refreshment:
    first, *others = answer.evidence.outcomes
    outcomes = (first._replace(status=Status.CRASHED, signal=11), *others)
    return answer._replace(evidence=answer.evidence._replace(outcomes=outcomes))


@pytest.mark.parametrize("changed", [_without_a_card, _with_one_silent, _with_a_crash])
def test_what_is_no_figure_and_not_as_before_has_them_made_anew(
    monkeypatch: pytest.MonkeyPatch, changed: Callable[[Refreshment], Refreshment]
) -> None:
    answer, lasting = reading(discovered(SCENARIOS / "eight-cards" / "capture.json"), *FIGURES[0]), LastingNotes()
    lasting.on(answer)
    monkeypatch.setattr(notes, "of_inventory", lambda inventory: ("made anew",))

    assert lasting.on(answer) != ("made anew",)
    assert lasting.on(changed(answer)) == ("made anew",)


def test_what_a_library_was_lost_in_is_that_of_the_latest_reading() -> None:
    answer = reading(discovered(SCENARIOS / "eight-cards" / "capture.json"), 20 * GiB, 5, 1)
    crashed, lasting = an_outcome(library="NVML", status=Status.CRASHED, signal=11), LastingNotes()

    for call in ("nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetCount_v2"):
        lost = answer.evidence._replace(outcomes=(crashed._replace(calls=(Call(call, None),)),))
        said = lasting.on(answer._replace(evidence=lost))
        assert said == notes.of_inventory(measured(answer._replace(evidence=lost)))
        assert f"`{call}`" in " ".join(said)


def test_they_are_made_again_for_each_thing_that_is_not_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    made = counted(monkeypatch)
    answer = reading(discovered(SCENARIOS / "eight-cards" / "capture.json"), 20 * GiB, 5, 1)
    first, *others = answer.evidence.outcomes
    evidence, (device, *devices) = answer.evidence, first.devices
    uncorrected = device._replace(capabilities={**device.capabilities, "compute_mode": "prohibited"})
    changed = (
        answer._replace(evidence=evidence._replace(outcomes=(first._replace(devices=(uncorrected, *devices)), *others))),
        answer._replace(evidence=evidence._replace(outcomes=(first._replace(message="another"), *others))),
        answer._replace(evidence=evidence._replace(host=evidence.host._replace(kernel="6.99"))),
        answer._replace(figures=answer.figures[1:]),
        answer._replace(inventory=answer.inventory._replace(request=Request(wake=False))),
    )

    for other in changed:
        lasting = LastingNotes()
        made.clear()
        for each in (answer, answer, other, other):
            lasting.on(each)
        assert len(made) == 2
