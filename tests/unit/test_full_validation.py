"""What a full validation proves: the verdict, its sentence, several attempts, and a capture that goes further or less far."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.discovery import replay
from gpuprobe.judging.full_validation import cut
from gpuprobe.judging.rules import judge
from gpuprobe.judging.verdicts import validation_of, verdict_of
from gpuprobe.model import (
    Depth,
    Evidence,
    Outcome,
    Probe,
    Purpose,
    Request,
    Stage,
    StageName,
    StageResult,
    Status,
    Validation,
    ValidationScope,
    Verdict,
)
from tests.records import a_card, a_device, a_host, an_outcome

CARD = a_device(uuid="GPU-a", pci_id="0000:01:00.0")
PROVED = Request(validate=ValidationScope.PROVED)


def proof(*stages: Stage, attempt: int = 0, until: StageName | None = None, **ended: Any) -> Outcome:
    probe = Probe("CUDA", Purpose.PROVE, device="GPU-a", until=until, attempt=attempt)
    done = {"status": Status.OK, "depth": stages[-1].name if stages else None}
    return Outcome(probe, **{**done, "stages": stages, "seconds": 1.0, **ended})


def passed(*names: str) -> tuple[Stage, ...]:
    return tuple(Stage(StageName(name), StageResult.PASSED, 0.1) for name in names)


def failing(name: str, **ended: Any) -> Outcome:
    said = {"status": Status.CALL_FAILED, "failure": "unsupported", "message": "no", "depth": None}
    return proof(*passed("copy"), Stage(StageName(name), StageResult.FAILED), **{**said, **ended})


def validation(*outcomes: Outcome) -> Validation:
    found = validation_of(CARD, Evidence(a_host(), outcomes, "2026-11-21T09:00:00Z"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("stages", "clause"),
    [
        (("load", "init", "list"), "CUDA lists it"),
        (("load", "init", "list", "context"), "CUDA made a context on it"),
        (("context", "allocate", "copy"), "CUDA copied to its memory and back without an error"),
        (("context", "copy", "kernel"), "CUDA computed on it, and every result is right"),
    ],
)
def test_the_sentence_says_how_far_it_came(stages: tuple[str, ...], clause: str) -> None:
    assert validation(proof(*passed(*stages))).because == clause


def test_what_is_not_possible_here_is_named_in_the_verdicts_sentence() -> None:
    found = validation(
        proof(*passed("copy"), Stage(StageName.KERNEL, StageResult.NOT_POSSIBLE, 0.1, "there is no compiler (221)"))
    )

    assert found.verdict is Verdict.SUPPORTED
    assert found.because == (
        "CUDA copied to its memory and back without an error; not tested: kernel (there is no compiler (221)); "
        "the result rests on the other steps"
    )


def test_a_wrong_result_is_unsupported_whatever_call_came_last() -> None:
    wrong = {"compared": 1 << 20, "different": 1, "first": [{"index": 1, "expected": 1, "found": 2}]}

    found = validation(failing("kernel", failure="wrong_result", message="1 of 1048576 elements are wrong", wrong=wrong))

    assert (found.verdict, found.because, found.wrong) == (Verdict.UNSUPPORTED, "1 of 1048576 elements are wrong", wrong)


@pytest.mark.parametrize(
    ("failure", "verdict"),
    [("unsupported", Verdict.UNSUPPORTED), ("busy", Verdict.INCONCLUSIVE), ("call_failed", Verdict.INCONCLUSIVE)],
)
def test_a_full_card_and_a_passing_trouble_decide_nothing(failure: str, verdict: Verdict) -> None:
    assert verdict_of(failing("allocate", failure=failure)) is verdict


def test_a_full_validation_speaks_before_the_one_of_a_listing() -> None:
    plain = Outcome(Probe("CUDA", Purpose.VALIDATE, device="GPU-a"), status=Status.OK, depth=Depth.CONTEXT)

    assert validation(plain, failing("kernel")).verdict is Verdict.UNSUPPORTED
    assert validation(plain).verdict is Verdict.SUPPORTED


def test_a_card_that_fails_now_and_then_has_failed_and_is_called_flaky() -> None:
    attempts = [proof(*passed("copy", "kernel"), attempt=number) for number in range(3)]
    attempts[1] = failing("kernel", message="the kernel: 1 of 4 elements are wrong", failure="wrong_result")

    found = validation(*attempts)

    assert found.verdict is Verdict.UNSUPPORTED
    assert found.attempts == (Verdict.SUPPORTED, Verdict.UNSUPPORTED, Verdict.SUPPORTED)
    assert found.because == (
        "2 of 3 attempts passed; it fails now and then, which counts as failed: the kernel: 1 of 4 elements are wrong"
    )


def test_a_card_that_passes_every_time_says_how_often() -> None:
    found = validation(*(proof(*passed("copy", "kernel"), attempt=number) for number in range(10)))

    assert found.verdict is Verdict.SUPPORTED
    assert found.because.startswith("10 of 10 attempts passed: CUDA computed on it")


def test_an_attempt_that_proves_nothing_leaves_the_others_undecided() -> None:
    found = validation(proof(*passed("copy")), failing("copy", failure="busy"))

    assert found.verdict is Verdict.INCONCLUSIVE


def test_an_answer_that_goes_further_than_asked_is_cut() -> None:
    whole = failing("kernel", code=700)

    shortened = cut(whole, StageName.COPY)

    assert (shortened.status, shortened.depth, shortened.stages, shortened.code) == (Status.OK, "copy", passed("copy"), None)
    assert cut(whole, StageName.KERNEL) == whole
    assert cut(whole, None) == whole


def captured(*validations: Outcome) -> Evidence:
    host = a_host(pci=(a_card("0000:01:00.0"),))
    return Evidence(host, (an_outcome(CARD), *validations), "2026-11-21T09:00:00Z")


def test_a_capture_without_a_full_validation_is_judged_by_the_one_of_its_listing() -> None:
    plain = Outcome(Probe("CUDA", Purpose.VALIDATE, device="GPU-a"), status=Status.OK, depth=Depth.CONTEXT)

    (device,) = judge(replay(captured(plain), PROVED), PROVED).kept

    assert device.validation is not None
    assert (device.validation.verdict, device.validation.depth) == (Verdict.SUPPORTED, "context")


def test_a_capture_with_neither_proves_nothing() -> None:
    inventory = judge(replay(captured(), PROVED), PROVED)

    assert inventory.kept == ()
    assert [drop.device.validation.verdict for drop in inventory.drops if drop.device.validation] == [Verdict.INCONCLUSIVE]


def test_a_capture_with_a_full_validation_answers_for_a_shorter_climb() -> None:
    shorter = PROVED._replace(until=StageName.COPY)

    (device,) = judge(replay(captured(failing("kernel")), shorter), shorter).kept

    assert device.validation is not None
    assert device.validation.depth == "copy"


def test_list_does_not_ask_for_a_full_validation() -> None:
    plain = Outcome(Probe("CUDA", Purpose.VALIDATE, device="GPU-a"), status=Status.OK, depth=Depth.CONTEXT)

    outcomes = replay(captured(plain, failing("kernel")), Request()).outcomes

    assert {outcome.probe.purpose for outcome in outcomes} == {Purpose.LIST, Purpose.VALIDATE}


def test_a_validation_without_stages_cannot_be_cut() -> None:
    plain = Outcome(Probe("CUDA", Purpose.VALIDATE, device="GPU-a"), Status.CRASHED)

    assert cut(plain, StageName.CONTEXT) is plain
    assert cut(proof(*passed("context", "copy")), None).depth == "copy"


@pytest.mark.parametrize(
    ("until", "left", "depth"), [("context", 1, "context"), ("allocate", 1, "context"), ("copy", 2, "copy")]
)
def test_a_validation_that_is_cut_ends_with_the_stage_that_was_reached(until: str, left: int, depth: str) -> None:
    whole = proof(*passed("context", "copy", "kernel"), facts={"x": 1}, library_path="/lib", message="m")

    found = cut(whole, StageName(until))

    assert (len(found.stages), found.depth, found.status) == (left, depth, Status.OK)
    assert (found.facts, found.library_path, found.seconds, found.message) == ({"x": 1}, "/lib", 1.0, None)
    assert cut(whole, StageName.KERNEL) is whole
    failed = proof(Stage(StageName.CONTEXT, StageResult.FAILED), *passed("copy"), status=Status.CALL_FAILED)
    assert cut(failed, StageName.CONTEXT).depth is None
