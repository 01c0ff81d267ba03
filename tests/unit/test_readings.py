"""One reading after another: what is looked at again each time."""

from __future__ import annotations

import sys
from io import StringIO
from itertools import product
from typing import Any

import pytest

from gpuprobe import readings
from gpuprobe.command.options import Options
from gpuprobe.command.refreshing import refreshed
from gpuprobe.command.watching import Picture
from gpuprobe.facts import Host
from gpuprobe.judging.rules import judge
from gpuprobe.memory_refresh import Refreshed
from gpuprobe.model import Request
from gpuprobe.readings import Watching
from gpuprobe.render.screen import Screen
from tests.records import a_host, evidence_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the survey is Linux's")


def test_a_reading_looks_for_builds_where_the_discovery_did_and_for_no_frameworks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def surveyed(**how: Any) -> Host:
        asked.append(how)
        return a_host()

    monkeypatch.setattr(readings, "read_host", surveyed)
    watched = Watching((), evidence_of(), Request(lib_dirs=("/opt/builds",)))
    try:
        watched.read()
    finally:
        watched.close()

    assert asked == [{"lib_dirs": ("/opt/builds",), "software": False}]


def test_a_driver_that_says_something_else_each_time_fills_no_memory() -> None:
    screen = Screen(StringIO(), StringIO(), {})
    picture = Picture(Options(screen=screen), 1.0, False, screen)
    answer = refreshed(judge(evidence_of(), Request()), Refreshed((), evidence_of()))

    for letters in product("abcdefgh", repeat=3):
        picture.take(answer._replace(remarks=("".join(letters),)))

    assert list(picture.remarks) == ["hhf", "hhg", "hhh"]
