"""The stages as a library's folder walks through them, and the runner that lets it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gpuprobe.backends import stages
from gpuprobe.backends.calling import Failed
from gpuprobe.backends.stages import STAGE_NAMES, Validation
from gpuprobe.model import StageName
from tests.backends.talk import request, talk
from tests.doubles import cuda_driver, nvml_driver


def a_validation(said: list[Any], **how: Any) -> Validation:
    return Validation(said.append, lambda: 0.5, **how)


def test_a_child_and_its_parent_name_the_same_stages_in_the_same_order() -> None:
    assert tuple(stage.value for stage in StageName) == STAGE_NAMES


def test_a_stage_is_told_before_anything_of_it_is_done() -> None:
    said: list[Any] = []
    validation = a_validation(said)

    validation.begin("load")
    validation.announce("load libcuda.so.1")
    validation.figures({"seconds": 0.1})

    assert said == [
        {"stage": "load", "at": 0.5},
        {"call": "load libcuda.so.1", "at": 0.5},
        {"figures": {"seconds": 0.1}},
    ]


def test_the_depth_is_the_last_stage_that_was_passed() -> None:
    validation = a_validation([])
    validation.begin("copy")
    validation.begin("kernel")
    validation.not_possible("there is no compiler", 221, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND")
    validation.leave()

    assert validation.depth == "copy"


def test_nothing_is_begun_beyond_what_is_wanted() -> None:
    said: list[Any] = []
    validation = a_validation(said, until="allocate")

    reached = [name for name in STAGE_NAMES if validation.begin(name)]

    assert reached == ["load", "init", "list", "context", "allocate"]
    assert validation.depth == "allocate"
    assert [line["stage"] for line in said] == reached


def test_timed_copies_wait_for_their_turn_and_what_came_before_does_not() -> None:
    said: list[Any] = []
    validation = a_validation(said, turn=lambda: said.append("turn"))

    validation.begin("copy")
    validation.begin("bandwidth")

    assert said == [
        {"stage": "copy", "at": 0.5},
        {"waiting": "bandwidth", "at": 0.5},
        "turn",
        {"stage": "bandwidth", "at": 0.5},
    ]


class Work(stages.Work):
    """Keeps in `library`, a list, what is done."""

    def give_back(self) -> None:
        self.library.append("give back")

    def explained(self, failed: Failed) -> Failed:
        return Failed(failed.status, f"{failed.message}; explained")


def _copied(work: Work) -> None:
    work.library.append("copy")


def _fails(work: Work) -> None:
    raise Failed("busy", "no memory")


def _is_not_possible(work: Work) -> None:
    work.validation.not_possible("no function", ends=True)


def _walked(*taken: Any, until: str | None = None) -> tuple[list[str], Validation]:
    done: list[str] = []
    validation = a_validation([], until=until)
    stages.walk(SimpleNamespace(Work=Work, STAGES=taken), done, validation, {})
    validation.leave()
    return done, validation


def test_a_walk_ends_where_it_is_wanted_to_and_gives_back_what_it_took() -> None:
    done, validation = _walked(("copy", _copied), ("kernel", _fails), until="copy")

    assert (done, validation.depth) == (["copy", "give back"], "copy")


def test_a_stage_that_fails_ends_the_walk_with_what_else_is_known_and_nothing_more_is_called() -> None:
    done: list[str] = []
    own = SimpleNamespace(Work=Work, STAGES=(("copy", _copied), ("kernel", _fails), ("bandwidth", _copied)))

    with pytest.raises(Failed, match="no memory; explained"):
        stages.walk(own, done, a_validation([]), {})

    assert done == ["copy"]


def test_a_stage_that_nothing_can_follow_ends_the_walk_without_a_failure() -> None:
    done, validation = _walked(("copy", _copied), ("kernel", _is_not_possible), ("bandwidth", _copied))

    assert (done, validation.depth) == (["copy", "give back"], "copy")


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "device"),
        ({"until": "moon"}, "moon"),
        ({"until": 3}, "until"),
        ({"toolkits": "libcublas.so.12"}, "toolkits"),
        ({"turns": "yes"}, "turns"),
    ],
)
def test_a_malformed_request_to_prove_is_refused(changed: dict[str, Any], word: str) -> None:
    device: dict[str, Any] = {"device": {"number": 0}} if changed else {}

    answer = talk(request(cuda_driver(), purpose="prove", **device, **changed))

    assert (answer.exit_code, answer.said) == (2, "")
    assert word in answer.stderr.decode()


@pytest.mark.parametrize("name", ["__pycache__", "calling", "stages", "../backends/cuda", "cuda.listing", ""])
def test_only_a_librarys_own_folder_is_a_backend(name: str) -> None:
    answer = talk(request(cuda_driver(), name))

    assert (answer.exit_code, answer.said) == (2, "")
    assert "there is no backend" in answer.stderr.decode()


def test_a_witness_proves_nothing() -> None:
    answer = talk(request(nvml_driver(), "nvml", purpose="prove", device={"number": 0}))

    assert answer.exit_code == 2
