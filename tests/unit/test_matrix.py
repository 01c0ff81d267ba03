"""The matrix of `validate`: a word per stage, a line per view, and how both are fitted into a window."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import RenderableType

from gpuprobe.judging.views import View
from gpuprobe.model import Call, GiB, Outcome, Probe, Purpose, Stage, StageName, StageResult, Status, Validation, Verdict
from gpuprobe.render import matrix
from gpuprobe.render.screen import Screen
from tests.records import a_device, a_host

WHOLE = ("load", "init", "list", "context", "allocate", "copy", "kernel", "blas", "bandwidth")


def drawn(parts: Any, width: int = 80) -> list[str]:
    out = StringIO()
    Screen(out, StringIO(), {"COLUMNS": str(width)}).show(parts)
    return out.getvalue().splitlines()


def listed(verdict: Verdict | None, status: Status, *calls: str) -> View:
    """A view that was validated for a listing."""
    validation = None if verdict is None else Validation(verdict, None, "so it is", status)
    taken = tuple(Call(step, 0.1) for step in calls)
    outcome = Outcome(Probe("CUDA", Purpose.VALIDATE), status, calls=taken, seconds=0.1)
    return View(a_device(validation=validation, ordinal=0), outcome)


def staged(verdict: Verdict, *stages: Stage, ordinal: int = 0, build: str = "system", **ended: Any) -> View:
    device = a_device(validation=Validation(verdict, None, "so it is", Status.OK), ordinal=ordinal, build=build)
    return View(device, Outcome(Probe("CUDA", Purpose.PROVE), Status.OK, stages=stages, seconds=1.25, **ended))


def passed(*names: str) -> tuple[Stage, ...]:
    return tuple(Stage(StageName(name), StageResult.PASSED, 0.1) for name in names)


def test_a_view_that_failed_is_ok_before_it_and_not_reached_behind_it() -> None:
    failed = listed(Verdict.UNSUPPORTED, Status.CRASHED, "load libcuda.so.1", "cuInit", "cuDeviceGet")

    assert matrix.results(failed) == {"load": "ok", "init": "ok", "list": "FAIL"}


def test_a_view_that_passed_for_a_listing_is_ok_to_a_context() -> None:
    calls = ("load libcuda.so.1", "cuInit", "cuDevicePrimaryCtxRetain")

    results = matrix.results(listed(Verdict.SUPPORTED, Status.OK, *calls))

    assert results == dict.fromkeys(("load", "init", "list", "context"), "ok")


def test_a_view_whose_child_never_started_reached_nothing() -> None:
    assert matrix.results(listed(Verdict.INCONCLUSIVE, Status.NOT_STARTED)) == {}
    assert matrix.results(View(a_device(), None)) == {}


@pytest.mark.parametrize(
    ("verdict", "ended", "word"),
    [
        (Verdict.UNSUPPORTED, {}, "FAIL"),
        (Verdict.UNSUPPORTED, {"wrong": {"compared": 4, "different": 1, "first": []}}, "WRONG"),
        (Verdict.INCONCLUSIVE, {}, "?"),
    ],
)
def test_the_stage_in_which_a_validation_ended_says_how(verdict: Verdict, ended: dict[str, Any], word: str) -> None:
    view = staged(verdict, *passed("copy"), Stage(StageName.KERNEL, StageResult.FAILED, 0.1), **ended)

    assert matrix.results(view) == {"copy": "ok", "kernel": word}


def test_a_stage_that_is_not_possible_here_is_no_failure_and_says_why_once() -> None:
    impossible = Stage(StageName.KERNEL, StageResult.NOT_POSSIBLE, 0.1, "there is no compiler")
    views = [staged(Verdict.SUPPORTED, *passed("copy"), impossible, ordinal=number) for number in range(2)]

    assert matrix.results(views[0]) == {"copy": "ok", "kernel": "n/a"}
    said = " ".join(" ".join(drawn(matrix.impossible(views))).split())
    assert said == "CUDA:0, CUDA:1: kernel was not tested: there is no compiler. The result rests on the other steps"


@pytest.mark.parametrize("verdict", [Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE])
def test_the_verdict_of_a_view_that_did_not_pass_rests_on_what_ended_it(verdict: Verdict) -> None:
    impossible = Stage(StageName.KERNEL, StageResult.NOT_POSSIBLE, 0.1, "there is no compiler")

    assert list(matrix.impossible([staged(verdict, impossible), listed(verdict, Status.CRASHED)])) == []


def test_a_view_that_was_not_asked_has_nothing_that_was_not_possible() -> None:
    assert list(matrix.impossible([View(a_device(ordinal=0), None)])) == []


@pytest.mark.parametrize(
    ("step", "stage"),
    [
        ("load libvulkan.so.1", "load"),
        ("vkCreateInstance", "init"),
        ("vkEnumeratePhysicalDevices", "list"),
        ("vkCreateDevice", "context"),
        ("cuInit", "init"),
        ("cuDeviceGetCount", "list"),
        ("cuDevicePrimaryCtxRetain", "context"),
        ("cuMemGetInfo_v2", "context"),
    ],
)
def test_steps_of_all_libraries_fall_into_four_stages(step: str, stage: str) -> None:
    assert matrix.stage_of(step) == stage


def eight_devices_in_three_builds() -> list[View]:
    views = []
    for number in range(24):
        build = ("system", "cuda_v12", "cuda_v13")[number % 3]
        views.append(staged(Verdict.SUPPORTED, *passed(*WHOLE), ordinal=number, build=build))
    views[5] = staged(
        Verdict.UNSUPPORTED, *passed(*WHOLE[:6]), Stage(StageName.KERNEL, StageResult.FAILED), ordinal=5, build="cuda_v13"
    )
    return views


def test_eight_devices_in_three_builds_are_a_line_each_at_80_columns() -> None:
    lines = drawn(matrix.matrix(eight_devices_in_three_builds(), 80))

    assert len(lines) == 25
    assert max(map(cell_len, lines)) <= 80
    assert lines[0].split() == ["VIEW", "LOAD", "INIT", "LIST", "CTX", "ALLOC", "COPY", "KERNEL", "BLAS", "SPEED", "VERDICT"]
    assert lines[6].split() == ["CUDA:5", "(cuda_v13)", "ok", "ok", "ok", "ok", "ok", "ok", "FAIL", "-", "-", "FAILED"]


def test_a_wide_window_has_room_for_times_and_names() -> None:
    lines = drawn(matrix.matrix(eight_devices_in_three_builds(), 160), 160)

    assert lines[0].split()[-2:] == ["TIME", "NAME"]
    assert lines[1].endswith("1.250 s  NVIDIA GeForce RTX 4090")


@pytest.mark.parametrize("width", [59, 40])
def test_a_narrow_window_gets_a_block_per_view(width: int) -> None:
    lines = drawn(matrix.matrix(eight_devices_in_three_builds()[:1], width), width)

    assert lines[0] == "CUDA:0: passed"
    assert " ".join(" ".join(lines[1:]).split()).startswith("load ok, init ok, list ok, context ok, allocate ok, copy ok")
    assert max(map(cell_len, lines)) <= width


def figures(**measured: Any) -> View:
    known = {"to_device_bytes_per_second": 24_600_000_000, "link_generation": 4, "link_width": 16, **measured}
    return staged(Verdict.SUPPORTED, Stage(StageName.BANDWIDTH, StageResult.PASSED, 0.5, None, known))


def test_copies_stand_beside_what_the_link_carries() -> None:
    lines: list[RenderableType] = list(matrix.copies([figures(from_device_bytes_per_second=25_100_000_000)]))

    said = " ".join(" ".join(drawn(lines)).split())
    assert said == "Copies CUDA:0: to GPU 24.6 GB/s, from GPU 25.1 GB/s, on GPU ? (limits: PCIe 4.0 x16 31.5 GB/s)"


def test_without_timed_copies_nothing_is_said_of_them() -> None:
    assert drawn(matrix.copies([staged(Verdict.SUPPORTED, *passed("copy"))])) == []


def test_each_stage_is_shown_with_its_time_and_its_figures() -> None:
    toolkit = {"path": "/a/libcublas.so.12", "version": "12.8.4", "result": "passed"}
    stages = (
        Stage(StageName.CONTEXT, StageResult.PASSED, 0.25, None, {"context_bytes": 3 * GiB}),
        Stage(StageName.BLAS, StageResult.PASSED, 0.5, None, {"toolkits": [toolkit]}),
    )

    lines = [line.strip() for line in drawn(matrix.stage_times([staged(Verdict.SUPPORTED, *stages)]))]

    assert lines == ["CUDA:0", "0.250 s  context (context 3.0 GiB)", "0.500 s  blas (/a/libcublas.so.12 12.8.4 passed)"]


def test_of_a_wrong_result_the_further_elements_are_shown_and_no_last_call() -> None:
    first = [{"index": place, "expected": 1, "found": "nan"} for place in (3, 9)]
    wrong = {"compared": 16, "different": 2, "first": first}
    view = staged(Verdict.UNSUPPORTED, Stage(StageName.BLAS, StageResult.FAILED), calls=(Call("cuX", 1.0),), wrong=wrong)

    lines = drawn(matrix.details([view], a_host()))

    assert lines[-1].strip() == "element 9, expected 1, found nan"
    assert not any("cuX" in line for line in lines)


def test_empty_lines_are_nobodys_last_words() -> None:
    """rocBLAS says an empty line before it says why."""
    died = staged(Verdict.UNSUPPORTED, *passed("load"), stderr="\nrocBLAS error: no kernels\n\n")

    said = [line for line in drawn(matrix.details((died,), a_host())) if "last output" in line]

    assert said == ["    last output: rocBLAS error: no kernels"]


def test_the_step_that_the_reason_names_is_not_named_again_without_a_number() -> None:
    died = staged(Verdict.UNSUPPORTED, *passed("load"), calls=(Call("cuInit", None),))
    validation = Validation(Verdict.UNSUPPORTED, None, "crashed in `cuInit` (signal 11)", Status.CRASHED)
    known = died._replace(device=died.device._replace(validation=validation))

    assert "    ended in `cuInit`" in drawn(matrix.details((died,), a_host()))
    assert "    ended in `cuInit`" not in drawn(matrix.details((known,), a_host()))
