"""The ladder as a backend's module climbs it, and the runner that lets it."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.backends.climbing import RUNGS, Ladder
from tests.backends.talk import request, talk
from tests.doubles import cuda_driver, nvml_driver


def ladder(said: list[Any], **how: Any) -> Ladder:
    return Ladder(said.append, lambda: 0.5, **how)


def test_a_rung_is_told_before_anything_of_it_is_done() -> None:
    said: list[Any] = []
    climb = ladder(said)

    climb.rung("load")
    climb.step("load libcuda.so.1")
    climb.figures({"seconds": 0.1})

    assert said == [
        {"rung": "load", "at": 0.5},
        {"step": "load libcuda.so.1", "at": 0.5},
        {"figures": {"seconds": 0.1}},
    ]


def test_the_depth_is_the_last_rung_that_was_passed() -> None:
    climb = ladder([])
    climb.rung("copy")
    climb.rung("kernel")
    climb.not_possible("there is no compiler", 221, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND")
    climb.leave()

    assert climb.depth == "copy"


def test_nothing_is_begun_beyond_what_is_wanted() -> None:
    said: list[Any] = []
    climb = ladder(said, until="allocate")

    reached = [name for name in RUNGS if climb.rung(name)]

    assert reached == ["load", "init", "list", "context", "allocate"]
    assert climb.depth == "allocate"
    assert [line["rung"] for line in said] == reached


def test_timed_copies_wait_for_their_turn_and_what_came_before_does_not() -> None:
    said: list[Any] = []
    climb = ladder(said, turn=lambda: said.append("turn"))

    climb.rung("copy")
    climb.rung("bandwidth")

    assert said == [{"rung": "copy", "at": 0.5}, {"waiting": "bandwidth", "at": 0.5}, "turn", {"rung": "bandwidth", "at": 0.5}]


def test_a_library_without_a_ladder_is_proved_as_far_as_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpuprobe.backends.climbing import to_a_context

    said: list[Any] = []

    class Backend:
        @staticmethod
        def validate(library: object, step: Any, facts: Any, device: Any) -> str:
            step("create")
            facts({"free_memory": device["number"]})
            return "context"

    climb = ladder(said)
    climb.rung("load")
    to_a_context(Backend, None, climb, {"number": 7})
    climb.leave()

    assert [next(iter(line)) for line in said] == ["rung", "rung", "step", "facts"]
    assert climb.depth == "context"


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


def test_a_witness_proves_nothing() -> None:
    answer = talk(request(nvml_driver(), "nvml", purpose="prove", device={"number": 0}))

    assert answer.exit_code == 2
