"""Twenty public reports, staged before anything was mended for them: the right cause first, and what to do."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.examination import Told, examine
from tests.doctor.reported_machines import REPORTS, Reported

# What this program cannot tell yet, and why.
OPEN = {
    "vllm-project/vllm (the other pynvml)": "which package brought `pynvml` is not read",
}


def told(report: Reported) -> list[Told]:
    return [each for each in examine(report.makes()).told if each.finding.because_of is None]


@pytest.mark.parametrize("report", [each for each in REPORTS if each.where not in OPEN], ids=lambda each: each.where)
def test_a_reported_machine_gets_its_cause_first_with_the_step_that_helped(report: Reported) -> None:
    first = told(report)[0].finding

    assert first.id in (report.cause, f"{report.cause}-to-container")
    assert report.fix in "\n".join(step.text for step in first.fix)


@pytest.mark.parametrize("report", REPORTS, ids=lambda each: each.where)
def test_a_reported_machine_has_one_cause_and_no_second_guess(report: Reported) -> None:
    assert len([each for each in told(report) if each.finding.severity.value == "blocker"]) <= 1


@pytest.mark.parametrize("report", [each for each in REPORTS if each.where in OPEN], ids=lambda each: each.where)
def test_what_cannot_be_told_is_not_guessed(report: Reported) -> None:
    assert [each.finding.id for each in told(report)] == []
