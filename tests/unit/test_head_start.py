"""What is asked before the command line is read: the same as `list` asks, and nothing where anything else was given."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gpuprobe import discovery
from gpuprobe.command import head_start
from gpuprobe.discovery import Begun
from gpuprobe.model import Request
from gpuprobe.probing.children import Children
from tests.records import a_host


class Noted(Children):
    def __init__(self) -> None:
        super().__init__({})
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True
        super().close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Request]]:
    found: list[Request] = []

    def begun(request: Request) -> Begun:
        found.append(request)
        return Begun(a_host(), Noted())

    monkeypatch.setattr(discovery, "begun", begun)
    monkeypatch.delenv("OLLAMA_LLM_LIBRARY", raising=False)
    yield found
    head_start.give_up()


@pytest.mark.parametrize("line", [[], ["list"], ["--json"], ["list", "--json"]])
def test_a_plain_list_is_begun_and_taken_once(line: list[str], asked: list[Request]) -> None:
    head_start.start(line)

    assert asked == [Request()]
    assert head_start.taken(Request()) is not None
    assert head_start.taken(Request()) is None


@pytest.mark.parametrize(
    "line", [["list", "CUDA:0"], ["--help"], ["list", "--json", "--timeout", "1"], ["env"], ["lsit"], ["-v"]]
)
def test_any_other_line_waits_for_its_reading(line: list[str], asked: list[Request]) -> None:
    head_start.start(line)

    assert asked == []


def test_where_list_may_refuse_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, asked: list[Request]) -> None:
    monkeypatch.setenv("OLLAMA_LLM_LIBRARY", "cuda_v99")

    head_start.start(["list"])

    assert asked == []


def test_what_nobody_takes_is_ended(asked: list[Request]) -> None:
    head_start.start(["list"])
    children = head_start._started[0].children

    head_start.give_up()

    assert isinstance(children, Noted)
    assert children.is_closed


def test_another_question_does_not_take_it(asked: list[Request]) -> None:
    head_start.start(["list"])

    assert head_start.taken(Request(wake=False)) is None


def test_what_goes_wrong_is_left_to_the_command_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(request: Request) -> Begun:
        raise MemoryError

    monkeypatch.setattr(discovery, "begun", failing)

    head_start.start(["list"])

    assert head_start.taken(Request()) is None
