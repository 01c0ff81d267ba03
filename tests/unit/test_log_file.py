"""Where the log of `doctor --log` is read from, and what is said where it cannot be."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gpuprobe.command.log_file import lines_of
from gpuprobe.exits import WrongUsage


def test_a_closed_standard_input_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(WrongUsage, match="standard input is closed"):
        lines_of("-")


def test_a_pipe_is_not_waited_for_and_not_called_absent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")

    with pytest.raises(WrongUsage, match="no ordinary file"):
        lines_of(f"{tmp_path}/log")


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="No such file"):
        lines_of(f"{tmp_path}/log")
