"""One reading after another: what is looked at again each time."""

from __future__ import annotations

import gc
import os
import sys
from io import StringIO
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpuprobe import readings
from gpuprobe.command.options import Options
from gpuprobe.command.refreshing import refreshed
from gpuprobe.command.watching import Picture, paced
from gpuprobe.facts import Host, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.memory_refresh import Refreshed
from gpuprobe.model import Request
from gpuprobe.readings import Watching
from gpuprobe.render.screen import Screen
from gpuprobe.survey.glance import counted_again, counts, glance
from gpuprobe.survey.tree import Tree
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


class Looked:
    """A machine of which is counted how often all, and how often what can change, is looked at; its clock is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
        self.now, self.surveys, self.looks, self.glances, self.names = 0.0, 0, 0, 0, "card0"
        self._host = host
        monkeypatch.setattr(readings, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(readings, "glance", self._glance)
        monkeypatch.setattr(readings, "read_host", self._survey)
        monkeypatch.setattr(readings, "survey_again", self._look)

    def _glance(self) -> str:
        self.glances += 1
        return self.names

    def _survey(self, **_: object) -> Host:
        self.surveys += 1
        return self._host

    def _look(self, earlier: Host, lib_dirs: object) -> Host:
        self.looks += 1
        return earlier


@pytest.mark.parametrize(("wake", "looks"), [(True, 2), (False, 28)])
def test_all_is_looked_at_every_thirty_seconds_and_what_changes_every_ten(
    monkeypatch: pytest.MonkeyPatch, wake: bool, looks: int
) -> None:
    """With `--no-wake` each time: whether a card sleeps is seen in no name."""
    machine = Looked(monkeypatch, a_host())
    watched = Watching((), evidence_of(), Request(wake=wake))
    for machine.now in range(29):
        watched.read()
    assert (machine.surveys, machine.looks, machine.glances) == (1, looks, 15)

    machine.now = 30
    watched.read()
    watched.close()

    assert machine.surveys == 2


def test_what_comes_or_goes_is_looked_at_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Looked(monkeypatch, a_host())
    watched = Watching((), evidence_of(), Request())
    looks = []
    for machine.now, machine.names in enumerate(("card0", "card0 card1", "card0 card1", "card0 card1", "card0 card1")):
        watched.read()
        looks.append(machine.looks)
    watched.close()

    assert (machine.surveys, looks) == (1, [0, 0, 1, 1, 1])


def test_what_amdgpu_and_the_system_count_is_read_each_time(tmp_path: Path) -> None:
    counted = {"/sys/bus/pci/devices/0000:03:00.0/mem_info_vram_used": "1", "/proc/meminfo": "2", "/etc/os-release": "3"}
    earlier = a_host(texts={path: Reading("0") for path in counted})
    for path, text in counted.items():
        file = tmp_path / path[1:]
        file.parent.mkdir(parents=True)
        file.write_text(text)

    def texts(*, of_the_system: bool) -> list[str | None]:
        return [
            each.text
            for each in counted_again(earlier, counts(earlier, of_the_system=of_the_system), Tree(str(tmp_path))).texts.values()
        ]

    assert texts(of_the_system=False) == ["1", "0", "0"]
    assert texts(of_the_system=True) == ["1", "2", "0"]


def test_a_function_on_the_bus_and_another_driver_are_seen_at_a_glance(tmp_path: Path) -> None:
    tree = Tree(str(tmp_path))
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    before = glance(tree)

    (tmp_path / "sys/bus/pci/devices/0000:01:00.0").mkdir()
    with_a_card = glance(tree)
    (tmp_path / "proc/driver/nvidia/version").write_text("590.44.01")

    assert before != with_a_card != glance(tree) == glance(tree)


@pytest.mark.parametrize("directory", ["dev", "dev/dri"])
def test_a_device_node_that_comes_or_goes_is_seen_at_a_glance(tmp_path: Path, directory: str) -> None:
    """By the time of its directory: to list a hundred names a second was the most of a glance."""
    tree, place = Tree(str(tmp_path)), tmp_path / directory
    nowhere = glance(tree)
    place.mkdir(parents=True)
    os.utime(place, ns=(0, 0))  # the file system's clock goes in steps, and both happen in one of them
    before = glance(tree)

    (place / "nvidia0").touch()
    came = glance(tree)
    os.utime(place, ns=(1, 1))
    aged = glance(tree)
    (place / "nvidia0").unlink()

    assert nowhere != before != came != aged != glance(tree) == glance(tree)


def test_garbage_is_looked_for_behind_the_first_reading_and_not_while_all_is_loaded() -> None:
    """What is loaded stays: it was looked through ten times before the first picture."""
    seen: list[bool] = []
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        paced(range(3), 0.0, lambda _: seen.append(gc.isenabled()), lambda _: None)
    finally:
        gc.unfreeze()
        (gc.enable if was_enabled else gc.disable)()

    assert seen == [False, True, True]


def test_a_driver_that_says_something_else_each_time_fills_no_memory() -> None:
    screen = Screen(StringIO(), StringIO(), {})
    picture = Picture(Options(screen=screen), 1.0, False, screen)
    answer = refreshed(judge(evidence_of(), Request()), Refreshed((), evidence_of()))

    for letters in product("abcdefgh", repeat=3):
        picture.take(answer._replace(remarks=("".join(letters),)))

    assert list(picture.remarks) == ["hhf", "hhg", "hhh"]
