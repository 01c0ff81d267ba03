"""The road from the machine to the answer: read the host, ask until nothing is worth asking, judge."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from gpuprobe.facts import Host
from gpuprobe.judging.full_validation import cut
from gpuprobe.libraries import library_named, rank_of
from gpuprobe.model import SYSTEM, Evidence, Outcome, Probe, Purpose, Request, Status
from gpuprobe.probing import asking, questions
from gpuprobe.probing.children import Children
from gpuprobe.probing.start import MOST_CHILDREN
from gpuprobe.survey.clock import moment

Watch = Callable[[str], None]

_PURPOSES = (Purpose.LIST, Purpose.ALONE, Purpose.UNFILTERED, Purpose.VALIDATE, Purpose.PROVE)


def gather(
    host: Host,
    request: Request,
    watch: Watch | None = None,
    known: Evidence | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Evidence:
    """Asks this machine. `watch` is told what is being asked, whenever that changes; what is `known` is not asked again.
    `environ`: the variables of the children; None: this process's own."""
    children = Children(os.environ if environ is None else environ, watch)
    deadline = None if request.deadline is None else time.monotonic() + request.deadline
    evidence = known or _begin(host, request)
    try:
        while True:
            evidence = _with(evidence, *questions.needless(evidence, request))
            probes = questions.next_probes(evidence, request, children.running)
            for probe in probes:
                if deadline is not None and time.monotonic() >= deadline:
                    evidence = _with(evidence, _too_late(probe, request))
                elif _has_room(probe, children, request):
                    children.start(probe, asking.child_request(probe, host, evidence.outcomes), _limit(probe, request))
            outcome = children.next(deadline)
            if outcome is not None:
                evidence = _with(evidence, outcome)
            elif not probes:
                return _in_order(evidence._replace(appeared=_appeared(host)))
    finally:
        children.close()


def ask(host: Host, probes: Sequence[Probe], request: Request, watch: Watch | None = None) -> tuple[Outcome, ...]:
    """Asks this machine just these questions, which list: their outcomes, in the order of `probes`.

    Builds make contexts on the cards while they list, so they are asked one at a time, behind the systems' libraries.
    """
    children = Children(os.environ, watch)
    deadline = None if request.deadline is None else time.monotonic() + request.deadline
    together = [probe for probe in probes if probe.build == SYSTEM]
    outcomes: dict[Probe, Outcome] = {}
    try:
        for group in (together, *([probe] for probe in probes if probe.build != SYSTEM)):
            for probe in group:
                children.start(probe, asking.child_request(probe, host, ()), _limit(probe, request))
            outcomes |= {outcome.probe: outcome for outcome in iter(lambda: children.next(deadline), None)}
    finally:
        children.close()
    return tuple(outcomes[probe] for probe in probes)


def replay(captured: Evidence, request: Request) -> Evidence:
    """Asks a capture instead of the machine: the same questions in the same order, answered by what was recorded."""
    recorded = tuple(outcome for outcome in captured.outcomes if questions.only_recorded(outcome, captured.host, request))
    answered = {outcome.probe for outcome in recorded}
    left_out = tuple(outcome for outcome in questions.not_asked(captured.host, request) if outcome.probe not in answered)
    evidence = Evidence(captured.host, (*recorded, *left_out), captured.gathered_at, captured.appeared)
    while probes := questions.next_probes(evidence, request):
        for probe in probes:
            for outcome in _recorded(captured, probe):
                evidence = _with(evidence, outcome)
        evidence = _with(evidence, *questions.needless(evidence, request))
    return _in_order(evidence)


def _has_room(probe: Probe, children: Children, request: Request) -> bool:
    """Nothing more is proved while timed copies run or wait for their turn: what starts then would disturb them."""
    if probe.purpose is not Purpose.PROVE:
        return len(children.running) < MOST_CHILDREN
    proofs = [other for other in children.running if other.purpose is Purpose.PROVE]
    return len(proofs) < min(request.jobs or MOST_CHILDREN, MOST_CHILDREN) and not children.is_anyone_timing


def _recorded(captured: Evidence, probe: Probe) -> Iterator[Outcome]:
    """The capture's answer. One that goes further than was asked is cut; where none goes as far, the one to a context stands
    beside the sentence that says so."""
    whole = captured.outcome_of(probe) or captured.outcome_of(probe._replace(until=None))
    if whole is not None:
        yield cut(whole._replace(probe=probe), probe.until)
        return
    yield _unrecorded(probe)
    plain = captured.outcome_of(probe._replace(purpose=Purpose.VALIDATE, until=None, attempt=0))
    if probe.purpose is Purpose.PROVE and plain is not None:
        yield plain


def _appeared(host: Host) -> tuple[str, ...]:
    """Only root's libraries create device nodes (seen with libcuda 535: /dev/nvidiactl)."""
    if host.uid != 0 or host.platform != "linux":
        return ()
    from gpuprobe.survey.device_nodes import device_nodes

    before = {node.path for node in host.nodes}
    return tuple(sorted(node.path for node in device_nodes() if node.path not in before))


def _begin(host: Host, request: Request) -> Evidence:
    return Evidence(host, questions.not_asked(host, request), moment())


def _with(evidence: Evidence, *outcomes: Outcome) -> Evidence:
    return evidence._replace(outcomes=(*evidence.outcomes, *outcomes)) if outcomes else evidence


def _limit(probe: Probe, request: Request) -> float:
    if request.seconds is not None:
        return request.seconds
    library = library_named(probe.library)
    if probe.purpose.is_validation:
        return library.prove_seconds if probe.purpose is Purpose.PROVE else library.validate_seconds
    # The first load of a library is scanned by Defender, one file at a time; 30 s is not enough there.
    return 90.0 if sys.platform == "win32" else library.list_seconds


def _too_late(probe: Probe, request: Request) -> Outcome:
    return Outcome(probe, status=Status.NOT_STARTED, message=f"not asked: the deadline of {request.deadline:g} s had passed")


def _unrecorded(probe: Probe) -> Outcome:
    return Outcome(probe, status=Status.SKIPPED, message="not asked: the capture does not hold this question")


def _in_order(evidence: Evidence) -> Evidence:
    """In the order of a fixed key, whichever child answered first."""
    return evidence._replace(outcomes=tuple(sorted(evidence.outcomes, key=_order)))


def _order(outcome: Outcome) -> tuple[int, int, str, str, str, int]:
    probe = outcome.probe
    place = _PURPOSES.index(probe.purpose)
    return (place, rank_of(probe.library), probe.build, probe.manifest or "", probe.device or "", probe.attempt)
