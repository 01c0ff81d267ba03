"""What judging and documenting do grows with the cards of a machine, and not with their square."""

from __future__ import annotations

import sys
from itertools import count
from types import FrameType

import pytest

from tests.benchmark.made_up_cards import answered, machine


@pytest.mark.skipif(sys.gettrace() is not None, reason="what traces the tests calls, too")
@pytest.mark.parametrize("builds", [1, 4])
def test_four_times_as_many_cards_take_at_most_four_times_as_many_calls(builds: int) -> None:
    answered(machine(1, builds))  # what is kept for the next time, and what is imported only now
    few, many = (calls(cards, builds) for cards in (16, 64))

    assert many <= 4 * few


def calls(cards: int, builds: int) -> int:
    """How many functions are called, the interpreter's own with them: a figure that no other work on the machine changes."""
    evidence, number = machine(cards, builds), count()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            next(number)

    sys.setprofile(note)
    try:
        answered(evidence)
    finally:
        sys.setprofile(None)
    return next(number)
