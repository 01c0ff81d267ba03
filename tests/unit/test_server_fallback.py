"""Running servers are asked last, with the time that is left, and not at all where the libraries have answered."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from gpuprobe.judging.figures import ServerAnswer
from gpuprobe.probing import server_fallback, server_info, side_work
from gpuprobe.probing.server_fallback import LAST_SECONDS, ServerFallback
from gpuprobe.survey import running_servers

ANSWER = ServerAnswer(process=42, port=11434)


class Machine:
    """Its clock stands still unless it is set; `asked` are the seconds that each question was given."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked: list[float] = []
        self.servers: tuple[object, ...] = (object(),)

    def ask(self, found: Sequence[object], seconds: float) -> tuple[ServerAnswer, ...]:
        self.asked.append(seconds)
        return (ANSWER,) * len(found)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(server_fallback, "time", SimpleNamespace(monotonic=lambda: made.now))
    monkeypatch.setattr(running_servers, "servers", lambda: made.servers)
    monkeypatch.setattr(server_info, "ask_servers", made.ask)
    return made


def test_without_a_deadline_they_have_the_time_that_every_question_has(machine: Machine) -> None:
    assert ServerFallback(None, 3.0).answers() == (ANSWER,)
    assert machine.asked == [3.0]


def test_with_a_deadline_they_have_what_is_left_of_it(machine: Machine) -> None:
    fallback = ServerFallback(600.0, 3.0)
    machine.now += 599.5

    assert fallback.answers() == (ANSWER,)
    assert machine.asked == [0.5]


def test_behind_the_deadline_they_have_no_time_and_not_less_than_none(machine: Machine) -> None:
    fallback = ServerFallback(600.0, 3.0)
    machine.now += 601

    fallback.answers()

    assert machine.asked == [0.0]


@pytest.mark.parametrize(("in_all", "kept"), [(0.3, 0.1), (3.0, LAST_SECONDS), (0.0, 0.0)])
def test_a_library_that_uses_up_all_the_time_leaves_them_the_last_of_it(machine: Machine, in_all: float, kept: float) -> None:
    """A second, or a third where there is less than three; nobody has to set it off."""
    fallback = ServerFallback(in_all, 3.0)

    assert fallback._seconds == pytest.approx(kept)


def test_shortly_before_time_is_up_they_are_asked_beside_the_rest(machine: Machine) -> None:
    fallback = ServerFallback(600.0, 3.0)
    assert fallback.moment == machine.now + 600 - LAST_SECONDS
    machine.now += 600 - LAST_SECONDS

    fallback.begin()

    assert (fallback.answers(), machine.asked) == ((ANSWER,), [LAST_SECONDS])


def test_without_a_deadline_there_is_no_such_moment() -> None:
    assert ServerFallback(None, 3.0).moment is None


def test_where_the_libraries_have_answered_nobody_is_asked(machine: Machine) -> None:
    fallback = ServerFallback(None, 3.0)

    fallback.cancel()

    assert fallback.answers() == ()
    assert machine.asked == []


def test_where_no_server_runs_nobody_is_asked(machine: Machine) -> None:
    machine.servers = ()

    assert ServerFallback(None, 3.0).answers() == ()
    assert machine.asked == []


def test_servers_are_asked_without_a_thread_where_the_system_refuses_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> None:
        raise RuntimeError("can't start new thread")

    asked: list[str] = []
    monkeypatch.setattr(threading.Thread, "start", refused)
    monkeypatch.setattr(running_servers, "servers", lambda: asked.append("servers"))

    assert server_fallback.ServerFallback(None, 1.0).answers() == ()
    assert side_work.started_or_done(asked.append, "now") is None
    assert asked == ["servers", "now"]
