"""A killed process takes a moment to end: it is waited for, and not for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from gpuprobe.probing import termination

Waited = Callable[..., int]


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> Waited:
    """waited(*states): how often one slept for a process that is seen in these states, and in the last for ever."""

    def wait(*states: str | None, seconds: float = 1.0) -> int:
        seen: Iterator[str | None] = iter(states)
        now = [0.0]
        naps: list[float] = []

        def sleep(nap: float) -> None:
            naps.append(nap)
            now[0] += nap

        monkeypatch.setattr(termination, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
        monkeypatch.setattr(termination, "state_of", lambda process: next(seen, states[-1]))
        termination.wait_until_gone([4242], seconds)
        return len(naps)

    return wait


@pytest.mark.parametrize("ended", [None, "Z", "X"])
def test_a_process_that_has_ended_is_not_waited_for(waited: Waited, ended: str | None) -> None:
    assert waited(ended) == 0


@pytest.mark.parametrize("state", ["R", "S", "D", "T"])
def test_one_that_still_runs_is_waited_for_until_it_has_ended(waited: Waited, state: str) -> None:
    assert waited(state, state, "Z") == 2


def test_one_that_never_ends_is_given_up(waited: Waited) -> None:
    assert waited("D", seconds=0.05) == pytest.approx(10, abs=1)


def test_what_is_no_process_has_no_state() -> None:
    assert termination.state_of(2**22 + 1) is None  # above the largest number that Linux gives
