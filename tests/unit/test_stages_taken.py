"""Which stages a child went through, from what it said; nothing it says is trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gpuprobe.model import Outcome, Probe, Purpose, Stage, StageName, StageResult, Status
from gpuprobe.probing.answers import Answers
from gpuprobe.wire import from_json, to_json

PROOF = Probe("CUDA", Purpose.PROVE, device="GPU-1")
PASSED = {"passed": {"depth": "bandwidth"}}


def heard(*lines: dict[str, Any], status: Status = Status.OK) -> Outcome:
    answers = Answers(PROOF)
    for line in lines:
        answers.take(json.dumps(line).encode())
    return answers.outcome(status=status)


def stage(name: str, at: float) -> dict[str, Any]:
    return {"stage": name, "at": at}


def test_a_stage_lasts_until_the_next_one_and_the_last_until_the_end() -> None:
    outcome = heard(stage("load", 0.1), stage("copy", 0.3), PASSED, {"done": True, "at": 0.4})

    assert outcome.stages == (Stage(StageName.LOAD, StageResult.PASSED, 0.2), Stage(StageName.COPY, StageResult.PASSED, 0.1))
    assert (outcome.status, outcome.depth) == (Status.OK, "bandwidth")


def test_waiting_for_a_turn_belongs_to_no_stage() -> None:
    outcome = heard(
        stage("copy", 0.1), {"waiting": "bandwidth", "at": 0.2}, stage("bandwidth", 5.0), PASSED, {"done": True, "at": 5.5}
    )

    assert [each.seconds for each in outcome.stages] == [0.1, 0.5]


def test_the_stage_in_which_the_library_failed_has_failed() -> None:
    failed = {"status": "unsupported", "code": 700, "name": "CUDA_ERROR_ILLEGAL_ADDRESS", "message": "no"}

    outcome = heard(stage("copy", 0.1), stage("kernel", 0.3), {"failed": failed, "at": 0.9})

    assert outcome.stages == (Stage(StageName.COPY, StageResult.PASSED, 0.2), Stage(StageName.KERNEL, StageResult.FAILED, 0.6))
    assert (outcome.code, outcome.failure) == (700, "unsupported")


def test_the_stage_in_which_a_child_crashed_has_failed_and_nobody_knows_when() -> None:
    outcome = heard(stage("copy", 0.1), stage("kernel", 0.3), status=Status.CRASHED)

    assert outcome.stages[-1] == Stage(StageName.KERNEL, StageResult.FAILED, None)


def test_what_is_not_possible_is_no_failure_and_says_why() -> None:
    said = {"not_possible": {"because": "the driver has no compiler", "code": 221, "name": "CUDA_ERROR_JIT_COMPILER_NOT_FOUND"}}

    outcome = heard(stage("kernel", 0.1), said, stage("blas", 0.3), PASSED, {"done": True, "at": 0.4})

    because = "the driver has no compiler (CUDA_ERROR_JIT_COMPILER_NOT_FOUND, 221)"
    assert outcome.stages[0] == Stage(StageName.KERNEL, StageResult.NOT_POSSIBLE, 0.2, because)
    assert outcome.stages[1].result == "passed"


def test_figures_belong_to_the_stage_in_which_they_were_measured() -> None:
    outcome = heard(
        stage("allocate", 0.1),
        {"figures": {"allocated_bytes": 4096}},
        {"figures": {"free_bytes": 1 << 34}},
        stage("copy", 0.2),
        {"done": True, "at": 0.3},
    )

    assert [each.figures for each in outcome.stages] == [{"allocated_bytes": 4096, "free_bytes": 1 << 34}, {}]


WRONG = {"compared": 1 << 20, "different": 1, "first": [{"index": 7, "expected": 1, "found": 2}]}


def test_a_wrong_result_keeps_its_count_and_its_first_elements() -> None:
    failed = {"status": "wrong_result", "code": None, "name": None, "message": "1 of 1048576 wrong", "wrong": WRONG}

    outcome = heard(stage("kernel", 0.1), {"failed": failed, "at": 0.2})

    assert (outcome.status, outcome.failure, outcome.wrong) == (Status.CALL_FAILED, "wrong_result", WRONG)


def test_a_validation_survives_a_capture() -> None:
    failed = {"status": "wrong_result", "message": "wrong", "wrong": WRONG}
    outcome = heard(stage("copy", 0.1), {"figures": {"seconds": 0.5}}, stage("kernel", 0.2), {"failed": failed, "at": 0.3})

    assert from_json(Outcome, json.loads(json.dumps(to_json(outcome)))) == outcome


@pytest.mark.parametrize(
    "line",
    [
        {"stage": 3, "at": 0.1},
        {"stage": "copy"},
        {"stage": "load", "at": 0.2},  # begun already
        {"waiting": "bandwidth", "at": "soon"},
        {"figures": [1]},
        {"figures": {"speed": float("inf")}},
        {"figures": {"speed": {"of": 1}}},
        {"figures": {"speed": [1]}},
        {"not_possible": {}},
        {"not_possible": {"because": "so", "code": "221"}},
        {"failed": {"status": "wrong_result", "wrong": 1}},
        {"failed": {"status": "wrong_result", "wrong": {"compared": 0, "different": 1, "first": []}}},
        {"failed": {"status": "wrong_result", "wrong": {"compared": 1, "different": 1, "first": "x"}}},
    ],
)
def test_a_line_that_no_runner_writes_makes_the_answer_unreadable(line: dict[str, Any]) -> None:
    assert heard(stage("load", 0.1), line).status is Status.UNREADABLE


@pytest.mark.parametrize("line", [{"figures": {"speed": 1}}, {"not_possible": {"because": "so"}}])
def test_nothing_is_measured_before_the_first_stage(line: dict[str, Any]) -> None:
    assert heard(line).status is Status.UNREADABLE
