"""What a full validation proves, in words: as far as it came, and what was not possible on the way."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.model import Depth, Outcome, Stage, StageName, StageResult, Status

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


def passed_clause(stages: Sequence[Stage]) -> str:
    """ "computed on it, and every result is right; …": what a library did with a device that passed. A listing's validation
    has no stages and ends with a context."""
    passed = {stage.name for stage in stages if stage.result is StageResult.PASSED} or {StageName.CONTEXT}
    proved = next(clause for names, clause in _PROVED if passed.intersection(names))
    return proved + impossible_clause(stages)


def impossible_clause(stages: Sequence[Stage]) -> str:
    """ "; not tested: kernel (…), blas (…); the result rests on the other steps", or nothing."""
    impossible = [f"{stage.name.value} ({stage.because})" for stage in stages if stage.result is StageResult.NOT_POSSIBLE]
    if not impossible:
        return ""
    return f"; not tested: {', '.join(impossible)}; the result rests on the other steps"


def cut(outcome: Outcome, until: StageName | None) -> Outcome:
    """The outcome as if the validation had ended with this stage: what lay beyond was not asked."""
    if until is None or not outcome.stages:
        return outcome

    order = list(StageName)
    within = tuple(stage for stage in outcome.stages if order.index(stage.name) <= order.index(until))
    if len(within) == len(outcome.stages):
        return outcome
    passed = [stage.name for stage in within if stage.result is StageResult.PASSED]
    ended = Outcome(outcome.probe, status=Status.OK, library_path=outcome.library_path, seconds=outcome.seconds)
    return ended._replace(stages=within, depth=Depth(passed[-1].value) if passed else None, facts=outcome.facts)
