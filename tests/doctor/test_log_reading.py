"""What a server's log is said to show: something in any case."""

from __future__ import annotations

from gpuprobe.doctor.findings import Certainty, Finding, Severity
from gpuprobe.doctor.log_reading import explained
from gpuprobe.judging.rules import judge
from gpuprobe.model import Request
from tests.records import a_device, evidence_of
from tests.running_records import ALL, NONE

INVENTORY = judge(evidence_of(a_device("CUDA")), Request())
ON_THE_GPU = (
    "load_tensors:   CPU_Mapped model buffer size = 300.00 MiB\nload_tensors:   CUDA0 model buffer size = 4403.49 MiB\n"
)
ON_THE_CPU = "load_tensors:   CPU_Mapped model buffer size = 4403.49 MiB\n"


def only(log: str) -> Finding:
    (found,) = explained(log.splitlines(), INVENTORY)
    return found


def test_a_log_that_begins_behind_the_layers_is_read_by_its_buffers() -> None:
    there, not_there = only(ON_THE_GPU), only(ON_THE_CPU)

    assert (there.id, there.severity, there.certainty) == ("log-on-the-gpu", Severity.INFO, Certainty.LIKELY)
    assert there.because == "CUDA0 holds weights of the model; how many layers, the log does not say"
    assert (not_there.id, not_there.severity) == ("log-on-the-cpu", Severity.BLOCKER)


def test_a_log_that_names_a_device_and_no_model_is_not_answered_with_silence() -> None:
    found = only("load_tensors:   CUDA0 KV buffer size =  100.00 MiB\n")

    assert (found.id, found.severity) == ("log-says-nothing", Severity.INFO)
    assert found.because == "the log names CUDA0, and does not say where a model is"


def test_a_log_about_something_else_says_nothing() -> None:
    assert only("hello\n").because == "the log has no line about devices, layers or buffers that gpuprobe knows"


def test_the_layers_count_more_than_the_buffers_alone() -> None:
    assert only(ALL).certainty is Certainty.CERTAIN
    assert only(NONE).id == "llamacpp-ngl-zero"
