"""What `-v` says of the children."""

from __future__ import annotations

from io import StringIO

from gpuprobe.model import Call, Probe, Purpose, Status
from gpuprobe.render.everything import verbose_outcomes
from gpuprobe.render.screen import Screen
from tests.records import an_outcome


def told(*calls: Call) -> list[str]:
    out = StringIO()
    outcome = an_outcome(library="Vulkan", probe=Probe("Vulkan", Purpose.PROVE), status=Status.TIMED_OUT, calls=calls)
    Screen(out, StringIO(), {"COLUMNS": "80"}).show(verbose_outcomes([outcome]))
    return [line.strip() for line in out.getvalue().splitlines() if "  vk" in line]


def test_a_step_that_is_taken_again_and_again_is_one_line_with_the_time_of_all() -> None:
    copies = [step for _ in range(50) for step in (Call("vkQueueSubmit", 0.001), Call("vkWaitForFences", 0.01))]

    assert told(Call("vkCreateInstance", 0.02), *copies) == [
        "0.020 s  vkCreateInstance",
        "0.050 s  vkQueueSubmit (50 times)",
        "0.500 s  vkWaitForFences (50 times)",
    ]


def test_the_step_that_never_came_back_stands_last_whatever_was_taken_before() -> None:
    lines = told(Call("vkWaitForFences", 0.25), Call("vkQueueSubmit", 0.5), Call("vkWaitForFences", None))

    assert lines == ["0.250 s  vkWaitForFences", "0.500 s  vkQueueSubmit", "?  vkWaitForFences"]
