"""A machine's files where the system refuses to tell of them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.probing.asking import binding_path
from gpuprobe.survey import elf
from gpuprobe.survey.tree import Tree
from gpuprobe.survey.unit_files import unit_named
from tests.file_trees import machine


def test_a_path_behind_a_link_that_cannot_be_read_stays_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")

    def refused(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "readlink", refused)

    assert Tree().real_path(f"{tmp_path}/link") == f"{tmp_path}/link"


def test_links_that_lead_in_circles_on_python_s_path_hide_no_binding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    without = binding_path("pynvml")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/loop")

    assert binding_path("pynvml") == without


def _links(tree: Tree, path: str) -> object:
    try:
        return elf.links(tree, path)
    except ValueError as problem:
        return str(problem)


def _environment_file(tree: Tree, path: str) -> object:
    """What a unit names, which may be its account's."""
    found = unit_named(tree, "ollama")
    return None if found is None else found.environment_files[path].problem


READERS = [
    lambda tree, path: tree.read(path).problem,
    _links,
    _environment_file,
]


@pytest.mark.parametrize("read", READERS)
def test_a_pipe_is_looked_at_and_not_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Callable[[Tree, str], object]
) -> None:
    """Its opening lets a writer go on who waits for a reader, and closing it again ends that writer."""
    unit = "/etc/systemd/system/ollama.service"
    tree = Tree(machine(tmp_path, {unit: "[Service]\nEnvironmentFile=/proc/9/fd/1\n", "/proc/9/fd/0": ""}))
    os.mkfifo(tree.at("/proc/9/fd/1"))
    opened: list[object] = []
    real = os.open

    def recorded(path: str, flags: int, **more: Any) -> int:
        opened.append(path)
        return real(path, flags, **more)

    monkeypatch.setattr(os, "open", recorded)

    said = read(tree, "/proc/9/fd/1")

    assert "no ordinary file" in str(said)
    assert [path for path in opened if str(path).endswith("fd/1")] == []


@pytest.mark.parametrize("path", ["/proc/self/fd/{}", "{}"])
def test_what_a_process_has_open_is_looked_at_on_this_machine_too(tmp_path: Path, path: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    holder = os.open(pipe, os.O_RDWR)
    try:
        assert "no ordinary file" in str(Tree().read(path.format(holder if "self" in path else pipe)).problem)
        assert Tree().read("/proc/self/status").text
    finally:
        os.close(holder)
