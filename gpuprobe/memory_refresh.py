"""How much memory is free now: witnesses first, then the libraries that are still needed, all within a few seconds.

It asks the questions of the discovery again, as few as will do, and matches the answers by identity.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from gpuprobe import machine
from gpuprobe.facts import Host
from gpuprobe.judging import figures
from gpuprobe.judging.alike import Alike
from gpuprobe.judging.completion import FROM_SYSTEM, shared_memory
from gpuprobe.judging.figures import Activity, Figure, ServerAnswer, Silence, Told
from gpuprobe.libraries import library_named
from gpuprobe.machine import Card
from gpuprobe.model import Device, Evidence, Json, Outcome, Probe, Request, Status
from gpuprobe.probing import asking
from gpuprobe.probing.children import Children
from gpuprobe.probing.memory_questions import all_memory_probes
from gpuprobe.probing.server_fallback import ServerFallback
from gpuprobe.probing.start import MOST_CHILDREN
from gpuprobe.record_classes import NamedTuple
from gpuprobe.survey.clock import moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpuprobe.probing.persistent import PersistentChildren

SECONDS = 3.0  # for everything, where nothing is said

_GONE = Silence("its card is no longer on the bus", is_gone=True)
_NO_WAKE = Silence("asking would wake its card, which `--no-wake` forbids", in_doubt=True)


class Refreshed(NamedTuple):
    """One figure per device, in their order, and what was asked for them, on the machine as it is now."""

    figures: tuple[Figure, ...]
    evidence: Evidence
    servers: tuple[ServerAnswer, ...] = ()


class Questions(NamedTuple):
    """What is to be asked about devices, thought out for a machine as it is now; `requests` those that have been put."""

    unasked: Mapping[int, Silence]  # by position of the device: about whom nobody is asked, and why
    probes: tuple[tuple[Probe, ...], ...]  # for each device, in their order
    witnesses: tuple[tuple[Probe, ...], ...]  # those of them that also tell what it is doing
    known: Alike  # the devices
    requests: dict[Probe, Json]
    doing: dict[int, tuple[object, Activity | None]]  # by position: what was said last, and what was read in it
    told: dict[int, tuple[object, _ToldSoFar]]  # by so many answers: what was told last, and what was found in it


class _Known(NamedTuple):
    """What is known before anybody is asked."""

    devices: tuple[Device, ...]
    evidence: Evidence  # of the discovery
    host: Host  # as it is now
    counted: tuple[Told | None, ...]  # for each device, what files of the system tell of its memory
    questions: Questions
    lasting: PersistentChildren | None


class _ToldSoFar(NamedTuple):
    """By so many answers."""

    by_libraries: list[Told]
    matched: dict[int, Told]  # those of them that are about a device, by its position
    best: list[Told | None]  # for each device, by the most trustworthy source that told


def refresh(
    devices: Sequence[Device],
    known: Evidence,
    host: Host,
    request: Request,
    *,
    watch: Callable[[str], None] | None = None,
    lasting: PersistentChildren | None = None,
    questions: Questions | None = None,
) -> Refreshed:
    """The memory of these devices of a discovery now; see `Figure`. Takes `limits(wanted)` at most, in all.

    `lasting`: children that have answered before, and stay. Witnesses then also tell what a card is doing. `questions`: where
    they have been thought out before.
    """
    now, (_, in_all) = moment(), limits(request)
    deadline = None if in_all is None else time.monotonic() + in_all
    questions = questions or questions_about(devices, known, host, request)
    before = _Known(tuple(devices), known, host, _counted(devices, host), questions, lasting)
    fallback = ServerFallback(in_all, limits(request)[0])
    try:
        outcomes = _asked(before, request, deadline, watch, fallback)
        found = tuple(_figures(before, outcomes, now))
        silent = [figure for figure in found if figure.silence is not None and not figure.silence.is_gone]
        servers = fallback.answers() if any(figure.silence is not _NO_WAKE for figure in silent) else ()
    finally:
        fallback.cancel()
    return Refreshed(_by_servers(found, servers, now), Evidence(host, outcomes, now), servers)


def questions_about(devices: Sequence[Device], known: Evidence, host: Host, request: Request) -> Questions:
    unasked = _unasked(devices, known.host, host, request)
    probes = tuple(() if place in unasked else each for place, each in enumerate(all_memory_probes(devices, known)))
    witnesses = tuple(tuple(probe for probe in each if library_named(probe.library).witness) for each in probes)
    return Questions(unasked, probes, witnesses, Alike(devices), {}, {}, {})


def _counted(devices: Sequence[Device], host: Host) -> tuple[Told | None, ...]:
    views = machine.witnesses(host)
    return tuple(_from_files(device, host, views) for device in devices)


def _from_files(device: Device, host: Host, views: Sequence[Device]) -> Told | None:
    shared = shared_memory(device, host)
    if shared is not device:  # an integrated GPU of NVIDIA takes what the system has
        return Told(shared, FROM_SYSTEM)
    return figures.from_kernel(device, views)


def _by_servers(found: Sequence[Figure], servers: Sequence[ServerAnswer], now: str) -> tuple[Figure, ...]:
    if not servers:
        return tuple(found)
    from gpuprobe.probing.server_info import told_of

    return tuple(
        Figure(figures.with_figure(figure.device, told), told.source, now)
        if figure.stale and (told := told_of(figure.device, servers)) is not None
        else figure
        for figure in found
    )


def limits(request: Request) -> tuple[float, float | None]:
    """Seconds for each child and for everything: a limit for each child takes the place of the one for everything."""
    in_all = request.deadline if request.deadline is not None else SECONDS if request.seconds is None else None
    return request.seconds or in_all or SECONDS, in_all


def _unasked(devices: Sequence[Device], then: Host, now: Host, request: Request) -> dict[int, Silence]:
    """By position: the devices that nobody is to be asked about, and why."""
    were_there, there = ({card.pci_id: card for card in machine.cards(each)} for each in (then, now))
    found = ((place, _why_unasked(each, were_there, there, request)) for place, each in enumerate(devices))
    return {place: why for place, why in found if why is not None}


def _why_unasked(
    device: Device, were_there: Mapping[str | None, Card], there: Mapping[str | None, Card], request: Request
) -> Silence | None:
    """`were_there`, `there`: the cards then and now, by their addresses."""
    if device.pci_id is None or device.pci_id not in there:
        return _GONE if device.pci_id is not None and device.pci_id in were_there else None
    return _NO_WAKE if there[device.pci_id].was_asleep and not request.wake else None


def _asked(
    before: _Known,
    request: Request,
    deadline: float | None,
    watch: Callable[[str], None] | None,
    fallback: ServerFallback,
) -> tuple[Outcome, ...]:
    children = before.lasting or Children(os.environ, watch)
    children.beside = None if fallback.moment is None else (fallback.moment, fallback.begin)
    outcomes: tuple[Outcome, ...] = ()
    try:
        while True:
            for probe in _next_probes(before, outcomes, children.running):
                if len(children.running) < MOST_CHILDREN:
                    children.start(probe, _request(probe, before), limits(request)[0])
            outcome = children.next(deadline)
            if outcome is None:
                return outcomes
            outcomes = (*outcomes, outcome)
            if deadline is not None and time.monotonic() >= deadline:
                return (*outcomes, *_too_late(before, outcomes, children, request))
    finally:
        if children is not before.lasting:
            children.close()


def _request(probe: Probe, before: _Known) -> Json:
    requests = before.questions.requests
    if probe not in requests:
        requests[probe] = asking.child_request(probe, before.host, before.evidence.outcomes)
    return requests[probe]


def _too_late(before: _Known, outcomes: tuple[Outcome, ...], children: Children, request: Request) -> list[Outcome]:
    """What was cut off at the deadline, and what was not even begun."""
    ended = list(iter(lambda: children.next(0.0), None))
    message = f"no time left to ask it: {limits(request)[1]:g} s had passed"
    left = _next_probes(before, (*outcomes, *ended), ())
    return [*ended, *(Outcome(probe, status=Status.SKIPPED, message=message) for probe in left)]


def _next_probes(before: _Known, outcomes: Sequence[Outcome], running: Sequence[Probe]) -> list[Probe]:
    """The next question for each device without a figure. A library waits for the witness that may make it needless."""
    answered = {outcome.probe for outcome in outcomes}
    worth_asking = dict.fromkeys(_worth_asking(*each, before) for each in enumerate(_told(before, outcomes).best))
    open_probes = dict.fromkeys(next((probe for probe in each if probe not in answered), None) for each in worth_asking)
    return [probe for probe in open_probes if probe is not None and probe not in running]


def _worth_asking(place: int, told: Told | None, before: _Known) -> Sequence[Probe]:
    if told is None:
        return before.questions.probes[place]
    return before.questions.witnesses[place] if before.lasting is not None else ()


def _told(before: _Known, outcomes: Sequence[Outcome]) -> _ToldSoFar:
    """What is known about each device; thought out anew where something else was told."""
    remembered = before.questions.told
    totals = [device.total_memory for device in before.devices]  # what a context tells is measured against it
    said = before.counted, totals, [(each.probe, each.status, each.devices, each.facts) for each in outcomes]
    if len(outcomes) not in remembered or remembered[len(outcomes)][0] != said:
        remembered[len(outcomes)] = said, _told_by(before, outcomes)
    return remembered[len(outcomes)][1]


def _told_by(before: _Known, outcomes: Sequence[Outcome]) -> _ToldSoFar:
    told = list(figures.told_by(outcomes))
    listed = figures.matched(before.questions.known, told)
    contexts = tuple(outcome for outcome in outcomes if outcome.probe.purpose.is_validation)
    best = [
        None
        if place in before.questions.unasked
        else before.counted[place] or listed.get(place) or (figures.from_validation(device, contexts) if contexts else None)
        for place, device in enumerate(before.devices)
    ]
    return _ToldSoFar(told, listed, best)


def _figures(before: _Known, outcomes: Sequence[Outcome], now: str) -> Iterator[Figure]:
    so_far = _told(before, outcomes)
    doing = _doing(before.questions, so_far) if before.lasting is not None else {}
    for place, (device, told) in enumerate(zip(before.devices, so_far.best, strict=True)):
        if told is not None:
            yield Figure(figures.with_figure(device, told), told.source, now, activity=doing.get(place))
        else:
            silence = _silence(place, before, outcomes)
            yield Figure(device, figures.old_source(device), before.evidence.gathered_at, silence, doing.get(place))


def _doing(questions: Questions, so_far: _ToldSoFar) -> dict[int, Activity | None]:
    """By position; what is said again, word for word, is not read again."""
    said = figures.what_they_do(questions.known, so_far.by_libraries, so_far.matched)
    for place, each in said.items():
        if place not in questions.doing or questions.doing[place][0] is not each:
            questions.doing[place] = each, figures.activity_from(each)
    return {place: questions.doing[place][1] for place in said}


def _silence(place: int, before: _Known, outcomes: Sequence[Outcome]) -> Silence:
    if place in before.questions.unasked:
        return before.questions.unasked[place]
    if not before.questions.probes[place]:
        return Silence(f"{before.devices[place].library} counts what the asking process holds, and not what others do")
    return figures.why_silent(before.devices[place], before.questions.probes[place], outcomes)
