"""What a validation's end proves, and the clause that tells it: what happened, in which step, with the library's number."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.judging.rules import judge
from gpuprobe.judging.verdicts import describe, outcomes_of, telling, validation_of, validations_of, verdict_of
from gpuprobe.judging.views import by_card, numbered, views
from gpuprobe.model import Call, Depth, Device, Outcome, Probe, Purpose, Reason, Request, Status, Verdict
from tests.records import a_device, a_host, a_software_renderer, evidence_of
from tests.unit.test_rules import validated

CARD = a_device("CUDA", uuid="GPU-a", pci_id="0000:01:00.0")
CALLS = (Call("cuInit", 0.1), Call("cuCtxCreate", None))


def ended(status: Status = Status.CALL_FAILED, purpose: Purpose = Purpose.VALIDATE, **fields: Any) -> Outcome:
    return Outcome(Probe("CUDA", purpose, device="GPU-a"), status, **fields)


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (ended(Status.OK, depth=Depth.CONTEXT), Verdict.SUPPORTED),
        (ended(Status.OK), Verdict.INCONCLUSIVE),
        (ended(failure="unsupported"), Verdict.UNSUPPORTED),
        (ended(failure="wrong_result"), Verdict.UNSUPPORTED),
        (ended(failure="busy"), Verdict.INCONCLUSIVE),
        (ended(Status.CRASHED, calls=CALLS, signal=11), Verdict.UNSUPPORTED),
        (ended(Status.CRASHED, calls=CALLS), Verdict.UNSUPPORTED),
        (ended(Status.CRASHED, calls=CALLS, signal=9), Verdict.INCONCLUSIVE),
        (ended(Status.CRASHED, signal=11), Verdict.INCONCLUSIVE),
        (ended(Status.EXITED, calls=CALLS, exit_code=1), Verdict.UNSUPPORTED),
        (ended(Status.EXITED, calls=CALLS, stderr="Traceback (most recent call last):"), Verdict.INCONCLUSIVE),
        (ended(Status.TIMED_OUT, calls=CALLS), Verdict.INCONCLUSIVE),
        *((ended(Status.CRASHED, calls=CALLS, signal=number), Verdict.UNSUPPORTED) for number in (3, 4, 5, 6, 7, 8, 31)),
        *((ended(Status.CRASHED, calls=CALLS, signal=number), Verdict.INCONCLUSIVE) for number in (1, 2, 10, 12, 15, 32)),
    ],
)
def test_only_completion_or_the_library_s_own_end_proves_something(outcome: Outcome, verdict: Verdict) -> None:
    assert verdict_of(outcome) is verdict


@pytest.mark.parametrize(
    ("outcome", "clause"),
    [
        (ended(message="no"), "no"),
        (ended(message="no", calls=CALLS), "no (in `cuCtxCreate`)"),
        (ended(message="`cuCtxCreate` failed", calls=CALLS), "`cuCtxCreate` failed"),
        (ended(message="no", calls=CALLS, code=2), "no (error 2 in `cuCtxCreate`)"),
        (ended(message="no", code=2, code_name="E_MEM"), "no (E_MEM)"),
        (ended(message="E_MEM: no", code=2, code_name="E_MEM"), "E_MEM: no"),
        (ended(message="`x` answered 5: perhaps this", code=5, code_name="E"), "`x` answered 5 (E)"),
        (ended(message="`x` answered 5: perhaps this"), "`x` answered 5: perhaps this"),
        (ended(message="said: more", code=5, code_name="E"), "said: more (E)"),
        (ended(message="wrong", failure="wrong_result", calls=CALLS, code=2), "wrong"),
        (ended(Status.NOT_LOADABLE, message="no such file", calls=CALLS), "no such file"),
        (ended(Status.CRASHED), "crashed"),
        (ended(Status.CRASHED, calls=CALLS, signal=11), "crashed in `cuCtxCreate` (signal 11)"),
        (ended(Status.EXITED, exit_code=3), "the check exited before it answered (exit code 3)"),
        (ended(Status.EXITED, exit_code=0), "the check exited before it answered"),
        (ended(Status.TIMED_OUT, calls=CALLS, code=0), "no answer in time in `cuCtxCreate` (error 0)"),
        (ended(Status.INIT_FAILED), "init failed"),
    ],
)
def test_what_happened_is_told_in_one_clause(outcome: Outcome, clause: str) -> None:
    assert describe(outcome) == clause


PROOF = ended(Status.OK, Purpose.PROVE, depth=Depth.KERNEL)
CONTEXT, BUSY, FAILED = ended(Status.OK, depth=Depth.CONTEXT), ended(failure="busy"), ended(failure="unsupported", message="no")


def test_a_full_validation_speaks_before_the_one_to_a_context() -> None:
    skipped = ended(Status.SKIPPED, Purpose.PROVE)

    assert outcomes_of(CARD, (CONTEXT, PROOF)) == [PROOF]
    assert outcomes_of(CARD, [CONTEXT, skipped]) == [CONTEXT]
    assert outcomes_of(CARD, (skipped,)) == [skipped]
    assert outcomes_of(CARD, ()) == []


@pytest.mark.parametrize(
    "other",
    [
        {"library": "ROCm"},
        {"build": "cuda_v13"},
        {"manifest": "/m.json"},
        {"device": "GPU-b"},
        {"purpose": Purpose.LIST},
    ],
)
def test_a_validation_is_of_exactly_one_view(other: dict[str, Any]) -> None:
    outcome = CONTEXT._replace(probe=CONTEXT.probe._replace(**other))

    for outcomes in ((outcome,), [outcome]):
        assert validations_of(CARD, outcomes) == []
    assert validations_of(CARD, [CONTEXT]) == validations_of(CARD, (CONTEXT,)) == [CONTEXT]


@pytest.mark.parametrize(
    ("outcomes", "verdict", "because"),
    [
        ((CONTEXT,), Verdict.SUPPORTED, "CUDA made a context on it"),
        ((CONTEXT, CONTEXT), Verdict.SUPPORTED, "2 of 2 attempts passed: CUDA made a context on it"),
        (
            (CONTEXT, FAILED, BUSY),
            Verdict.UNSUPPORTED,
            "1 of 3 attempts passed; it fails now and then, which counts as failed: no",
        ),
        ((FAILED, BUSY), Verdict.UNSUPPORTED, "0 of 2 attempts passed: no"),
        ((CONTEXT, BUSY), Verdict.INCONCLUSIVE, "1 of 2 attempts passed: call failed"),
    ],
)
def test_of_several_attempts_the_worst_decides(outcomes: tuple[Outcome, ...], verdict: Verdict, because: str) -> None:
    found = validation_of(CARD, evidence_of(CARD, outcomes=outcomes))

    assert found is not None
    assert (found.verdict, found.because) == (verdict, because)
    assert len(found.attempts) == (len(outcomes) if len(outcomes) > 1 else 0)
    assert telling((BUSY, FAILED, CONTEXT)) is FAILED


def test_who_was_not_asked_has_no_validation() -> None:
    assert validation_of(CARD, evidence_of(CARD)) is None


# --- every view of every card


def judged(*devices: Device, outcomes: tuple[Outcome, ...] = (), **asked: Any) -> Any:
    return judge(evidence_of(*devices, host=a_host(), outcomes=outcomes), Request(**asked))


SECOND = a_device("CUDA", number=1, uuid="GPU-b", pci_id="0000:02:00.0")
VULKAN = a_device("Vulkan", pci_id="0000:01:00.0")


def test_views_that_have_no_number_in_the_list_count_on_behind_those_that_have() -> None:
    small = a_device("CUDA", number=2, pci_id="0000:00:01.0", total_memory=1)
    smaller = a_device("Vulkan", number=3, pci_id="0000:00:01.0", total_memory=2)

    found = numbered(judged(CARD, SECOND, small, VULKAN, smaller))

    assert [(each.library, each.pci_id, each.ordinal) for each in found] == [
        ("CUDA", "0000:00:01.0", 2),
        ("CUDA", "0000:01:00.0", 0),
        ("CUDA", "0000:02:00.0", 1),
        ("Vulkan", "0000:00:01.0", 1),
        ("Vulkan", "0000:01:00.0", 0),
    ]


def test_a_view_that_alone_is_left_of_its_library_has_the_first_number() -> None:
    assert [each.ordinal for each in numbered(judged(a_device("CUDA", number=5, total_memory=1)))] == [0]


def test_the_views_that_were_asked_for_are_shown_with_what_they_proved() -> None:
    build = CARD._replace(build="cuda_v13")
    inventory = judged(CARD, build, SECOND, a_software_renderer(), outcomes=(validated(SECOND),))

    assert [(each.device.build, each.device.uuid, each.verdict) for each in views(inventory)] == [
        ("cuda_v13", "GPU-a", None),
        ("system", "GPU-a", None),
        ("system", "GPU-b", Verdict.SUPPORTED),
    ]
    assert [each.outcome is not None for each in views(inventory)] == [False, False, True]

    def shown(**asked: Any) -> list[str]:
        return [each.device.id for each in views(inventory._replace(request=Request(**asked)))]

    assert shown(chosen=frozenset({"GPU-b"})) == ["GPU-b"]
    assert shown(builds=("cuda_v13",)) == ["GPU-a"]
    assert len(shown(allow_software=True)) == 4
    assert [drop.reason for drop in inventory.drops][-1] is Reason.SOFTWARE_RENDERER


def test_the_views_of_a_card_stand_together() -> None:
    inventory = judged(CARD, SECOND, VULKAN, CARD._replace(build="cuda_v13"))

    assert [[(each.device.library, each.device.build) for each in card] for card in by_card(views(inventory))] == [
        [("CUDA", "cuda_v13"), ("CUDA", "system"), ("Vulkan", "system")],
        [("CUDA", "system")],
    ]
