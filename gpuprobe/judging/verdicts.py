"""What a validation child's outcome proves about the device it was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.judging.full_validation import impossible_clause, passed_clause
from gpuprobe.model import Device, Evidence, Outcome, Probe, Purpose, Status, Validation, Verdict
from gpuprobe.once import once
from gpuprobe.strings import of_signal

# The signals by which a process dies of its own doing. SIGKILL, SIGTERM and the like come from outside, as from the
# kernel when memory runs out, and say nothing of the card.
_OWN_DEATH = frozenset({3, 4, 5, 6, 7, 8, 11, 31})
_TRACEBACK = "Traceback (most recent call last)"

_SENTENCES = {
    Status.CRASHED: "crashed",
    Status.TIMED_OUT: "no answer in time",
    Status.ABANDONED: "stuck in the kernel, and cannot be ended",
    Status.EXITED: "the check exited before it answered",
    Status.UNREADABLE: "the check's answer could not be read",
    Status.NOT_STARTED: "the check could not be started",
    Status.SKIPPED: "not asked",
    Status.REFUSED: "not loaded, for safety",
}


def validation_of(device: Device, evidence: Evidence) -> Validation | None:
    """The validation of exactly this view; None: nobody asked for it."""
    spoken = outcomes_of(device, evidence.outcomes)
    if len(spoken) < 2:
        return _judged(spoken[0]) if spoken else None
    verdicts = tuple(map(verdict_of, spoken))
    told = _judged(telling(spoken))
    passed = verdicts.count(Verdict.SUPPORTED)
    flaky = "; it fails now and then, which counts as failed" if passed and told.verdict is Verdict.UNSUPPORTED else ""
    because = f"{passed} of {len(verdicts)} attempts passed{flaky}: {told.because}"
    return told._replace(attempts=verdicts, because=because)


def outcomes_of(device: Device, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """What speaks of this view: full validations where there are any, else the one to a context."""
    mine = validations_of(device, outcomes)
    proofs = [each for each in mine if each.probe.purpose is Purpose.PROVE and each.status is not Status.SKIPPED]
    plain = [each for each in mine if each.probe.purpose is Purpose.VALIDATE]
    return proofs or plain or mine


def telling(spoken: Sequence[Outcome]) -> Outcome:
    """Of several attempts the one that decides: the first that failed, else the first that proved nothing."""
    ranks = (Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE, Verdict.SUPPORTED)
    return min(spoken, key=lambda outcome: ranks.index(verdict_of(outcome)))


def validations_of(device: Device, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of its validations, in their order."""
    if not isinstance(outcomes, tuple):
        return [outcome for outcome in outcomes if validates(outcome.probe, device)]
    return _validations(outcomes).get((device.library, device.build, device.manifest, device.key), [])


@once
def _validations(outcomes: tuple[Outcome, ...]) -> dict[tuple[str, str, str | None, str | None], list[Outcome]]:
    """By the view that was asked about."""
    found: dict[tuple[str, str, str | None, str | None], list[Outcome]] = {}
    for outcome in outcomes:
        probe = outcome.probe
        if probe.purpose.is_validation:
            found.setdefault((probe.library, probe.build, probe.manifest, probe.device), []).append(outcome)
    return found


def validates(probe: Probe, device: Device) -> bool:
    same_source = (probe.library, probe.build, probe.manifest) == (device.library, device.build, device.manifest)
    return probe.purpose.is_validation and same_source and probe.device == device.key


def verdict_of(outcome: Outcome) -> Verdict:
    """Supported needs proof of completion; unsupported needs the library's own definite words or its death.

    A crash in a step of the library is definite: a program that computes would die there too. A timeout, a child that
    could not start, a busy card, a child killed from outside and an answer that cannot be read prove nothing; nor does a
    library that listed a moment ago and cannot start now, or a number that the backend does not call definite.
    """
    if outcome.status is Status.OK and outcome.depth:
        return Verdict.SUPPORTED
    if outcome.failure in ("unsupported", "wrong_result") or (outcome.calls and _died(outcome)):
        return Verdict.UNSUPPORTED
    return Verdict.INCONCLUSIVE


def _died(outcome: Outcome) -> bool:
    """Whether the library ended its own process; a Python error of ours in the child is not the library's doing."""
    if outcome.status is Status.EXITED:
        return _TRACEBACK not in outcome.stderr
    return outcome.status is Status.CRASHED and (outcome.signal is None or outcome.signal in _OWN_DEATH)


def _judged(outcome: Outcome) -> Validation:
    verdict = verdict_of(outcome)
    return Validation(
        verdict=verdict,
        depth=outcome.depth,
        because=_because(outcome, verdict),
        status=outcome.status,
        calls=outcome.calls,
        seconds=outcome.seconds,
        stages=outcome.stages,
        wrong=outcome.wrong,
    )


def _because(outcome: Outcome, verdict: Verdict) -> str:
    if verdict is Verdict.SUPPORTED:
        return f"{outcome.probe.library} {passed_clause(outcome.stages)}"
    return describe(outcome) + impossible_clause(outcome.stages)


def describe(outcome: Outcome) -> str:
    """One clause: what happened, in which step, with the library's number and words where there are any."""
    said = _without_guesses(outcome)
    if outcome.failure == "wrong_result":
        return said  # no call failed: the last one only brought it to light
    told = outcome.status is Status.NOT_LOADABLE or f"`{outcome.last_call}`" in said
    where = f"`{outcome.last_call}`" if outcome.last_call and not told else ""
    name = outcome.code_name or (f"error {outcome.code}" if outcome.code is not None else "")
    known = name if name and name not in (outcome.message or "") else ""
    place = f"in {where}" if where else ""
    if said:
        return f"{said} ({f'{known} {place}'.strip()})" if known or place else said
    ended = _SENTENCES.get(outcome.status, outcome.status.value.replace("_", " "))
    return f"{f'{ended} {place}'.strip()}{_signal(outcome)}{f' ({known})' if known else ''}"


def _without_guesses(outcome: Outcome) -> str:
    """What the child said. Those of the first captures put a list of possible causes behind the number, which is no fact."""
    said = outcome.message or ""
    words, colon, _ = said.partition(": ")
    return words if colon and outcome.code is not None and "` answered " in words else said


def _signal(outcome: Outcome) -> str:
    if outcome.signal is not None:
        return f" ({of_signal(outcome.signal)})"
    return f" (exit code {outcome.exit_code})" if outcome.exit_code else ""
