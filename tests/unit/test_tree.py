"""A machine's files where the system refuses to tell of them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gpuprobe.probing.asking import binding_path
from gpuprobe.survey.tree import Tree


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
