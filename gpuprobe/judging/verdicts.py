"""What a validation child's outcome proves about the device it was asked for."""

from __future__ import annotations

from gpuprobe.model import Device, Evidence, Outcome, Probe, Purpose, Status, Validation, Verdict

# The signals by which a process dies of its own doing. SIGKILL, SIGTERM and the like come from outside, as from the
# kernel when memory runs out, and say nothing of the card.
_OWN_DEATH = frozenset({3, 4, 5, 6, 7, 8, 11, 31})
_TRACEBACK = "Traceback (most recent call last)"

_SENTENCES = {
    Status.CRASHED: "its child crashed",
    Status.TIMED_OUT: "its child did not answer in time",
    Status.ABANDONED: "its child is stuck in the kernel and cannot be ended",
    Status.EXITED: "the library ended the child",
    Status.UNREADABLE: "the child's answer could not be read",
    Status.NOT_STARTED: "the child could not be started",
    Status.SKIPPED: "it was not asked",
    Status.REFUSED: "it may not be asked",
}


def validation_of(device: Device, evidence: Evidence) -> Validation | None:
    """The validation of exactly this view; None: nobody asked for it."""
    outcome = next((outcome for outcome in evidence.outcomes if validates(outcome.probe, device)), None)
    return None if outcome is None else _judged(outcome)


def validates(probe: Probe, device: Device) -> bool:
    same_source = (probe.library, probe.build, probe.manifest) == (device.library, device.build, device.manifest)
    return probe.purpose is Purpose.VALIDATE and same_source and probe.device == device.key


def verdict_of(outcome: Outcome) -> Verdict:
    """Supported needs proof of completion; unsupported needs the library's own definite words or its death.

    A crash in a step of the library is definite: a program that computes would die there too. A timeout, a child that
    could not start, a busy card, a child killed from outside and an answer that cannot be read prove nothing; nor does a
    library that listed a moment ago and cannot start now, or a number that the backend does not call definite.
    """
    if outcome.status is Status.OK and outcome.depth:
        return Verdict.SUPPORTED
    if outcome.failure == "unsupported" or (outcome.steps and _died(outcome)):
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
        steps=outcome.steps,
        seconds=outcome.seconds,
    )


def _because(outcome: Outcome, verdict: Verdict) -> str:
    if verdict is Verdict.SUPPORTED:
        return f"{outcome.probe.library} made a context on it"
    return describe(outcome)


def describe(outcome: Outcome) -> str:
    """One clause: what happened, in which step, with the library's number and words where there are any."""
    said = outcome.message or ""
    told = outcome.status is Status.NOT_LOADABLE or f"`{outcome.last_step}`" in said
    where = f" in `{outcome.last_step}`" if outcome.last_step and not told else ""
    name = outcome.code_name or (f"error {outcome.code}" if outcome.code is not None else "")
    known = f" ({name})" if name and name not in (outcome.message or "") else ""
    if said:
        return f"{where.strip()}: {said}{known}".removeprefix(": ")
    return f"{_SENTENCES.get(outcome.status, outcome.status.value.replace('_', ' '))}{_signal(outcome)}{known}{where}"


def _signal(outcome: Outcome) -> str:
    if outcome.signal is not None:
        return f" (signal {outcome.signal})"
    return f" (exit code {outcome.exit_code})" if outcome.exit_code else ""
