"""What is thought out once about a record."""

from __future__ import annotations

from collections.abc import Callable

from gpuprobe.facts import Host
from gpuprobe.once import lately, once
from tests.records import a_host


def counting() -> tuple[list[str], Callable[[Host], str]]:
    """The kernels that were asked for, and a function that gives a machine's."""
    asked: list[str] = []

    def kernel(host: Host) -> str:
        asked.append(host.kernel)
        return host.kernel

    return asked, once(kernel)


def test_two_that_are_compared_again_and_again_are_thought_about_once_each() -> None:
    asked, kernel = counting()
    then, now, later = (a_host(kernel=release) for release in ("6.1", "6.2", "6.3"))

    assert [kernel(host) for host in (then, now, then, now)] == ["6.1", "6.2", "6.1", "6.2"]
    assert asked == ["6.1", "6.2"]

    assert [kernel(host) for host in (later, now, then)] == ["6.3", "6.2", "6.1"]
    assert asked == ["6.1", "6.2", "6.3", "6.1"]


def test_an_equal_record_is_another_one() -> None:
    asked, kernel = counting()

    kernel(a_host())
    kernel(a_host())

    assert len(asked) == 2


def test_what_is_asked_lately_is_thought_about_again_when_it_is_another_question() -> None:
    asked: list[tuple[int, list[int]]] = []

    @lately
    def total(start: int, numbers: list[int]) -> int:
        asked.append((start, list(numbers)))
        return start + sum(numbers)

    assert [total(1, [2]), total(1, [2]), total(1, [3]), total(2, [3]), total(1, [2])] == [3, 3, 4, 5, 3]
    assert asked == [(1, [2]), (1, [3]), (2, [3]), (1, [2])]
