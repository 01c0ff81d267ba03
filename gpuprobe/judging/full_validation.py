"""What a climb of the ladder proves, in words: as far as it came, and what was not possible on the way."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.model import Outcome, Rung, Status

_COMPUTING = ("kernel", "blas", "product")
_PROVED = (
    (_COMPUTING, "computed on it, and every result is right"),
    (("copy",), "copied to its memory and back without an error"),
    (("allocate",), "allocated memory on it"),
    (("context",), "made a context on it"),
    (("list",), "lists it"),
    (("init",), "starts"),
    (("load",), "is there and loads"),
)


def passed_clause(rungs: Sequence[Rung]) -> str:
    """ "computed on it, and every result is right; …": what a library did with a device that passed. A listing's validation
    has no rungs and ends with a context."""
    passed = {rung.name for rung in rungs if rung.result == "passed"} or {"context"}
    proved = next(clause for names, clause in _PROVED if passed.intersection(names))
    return proved + impossible_clause(rungs)


def impossible_clause(rungs: Sequence[Rung]) -> str:
    """ "; not possible here: kernel (…), blas (…); the verdict rests on the other steps", or nothing."""
    impossible = [f"{rung.name} ({rung.because})" for rung in rungs if rung.result == "not_possible"]
    if not impossible:
        return ""
    return f"; not possible here: {', '.join(impossible)}; the verdict rests on the other steps"


def cut(outcome: Outcome, until: str | None) -> Outcome:
    """The outcome as if the climb had ended with this rung: what lay beyond was not asked."""
    if until is None or not outcome.rungs:
        return outcome
    from gpuprobe.backends.climbing import RUNGS  # a replay's alone: who reads a saved discovery needs nothing that asks

    within = tuple(rung for rung in outcome.rungs if RUNGS.index(rung.name) <= RUNGS.index(until))
    if len(within) == len(outcome.rungs):
        return outcome
    passed = [rung.name for rung in within if rung.result == "passed"]
    ended = Outcome(outcome.probe, status=Status.OK, library_path=outcome.library_path, seconds=outcome.seconds)
    return ended._replace(rungs=within, depth=passed[-1] if passed else None, facts=outcome.facts)
