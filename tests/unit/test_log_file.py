"""Where the log of `doctor --log` is read from, and what is said where it cannot be."""

from __future__ import annotations

import os
import sys
import threading
import tracemalloc
from io import BytesIO, StringIO
from pathlib import Path

import pytest

from gpuprobe.command import examining
from gpuprobe.command.log_file import _MOST, read
from gpuprobe.command.options import DoctorOptions, Options
from gpuprobe.exits import WrongUsage
from gpuprobe.render.screen import Screen


def test_a_closed_standard_input_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(WrongUsage, match="standard input is closed"):
        read("-")


def test_what_is_written_into_a_pipe_of_the_file_system_is_a_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    writer = threading.Thread(target=lambda: (tmp_path / "log").write_text("one\n" * 100_000))
    writer.start()

    assert list(read(f"{tmp_path}/log").lines()) == ["one"] * 100_000
    writer.join()


def test_what_a_shell_hands_over_as_a_pipe_is_a_log() -> None:
    """`--log <(journalctl -u ollama)`."""
    reading, writing = os.pipe()
    os.write(writing, b"one\ntwo\n")
    os.close(writing)

    assert list(read(f"/dev/fd/{reading}").lines()) == ["one", "two"]
    os.close(reading)


@pytest.mark.parametrize(("name", "because"), [("/dev/zero", "a device"), ("/proc", "a directory")])
def test_what_is_no_file_is_no_log(name: str, because: str) -> None:
    with pytest.raises(WrongUsage, match=because):
        read(name)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="No such file"):
        read(f"{tmp_path}/log")


class Endless(BytesIO):
    """Two hundred mebibytes in which nothing stands, and a last line."""

    left = 200

    def read(self, size: int | None = -1) -> bytes:
        self.left -= 1
        return b"." * (1 << 20) if self.left >= 0 else b"\nlast\n" if self.left == -1 else b""


def test_of_a_stream_without_bounds_the_end_is_kept_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": Endless()}))
    tracemalloc.start()
    try:
        log = read("-")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert log.left_out == (200 << 20) + len("\nlast\n") - _MOST
    assert len(log.content) == _MOST
    assert log.content.endswith(b"\nlast\n")
    assert f"{log.left_out} bytes" in (log.remark or "")
    assert most < 2 * _MOST + (4 << 20)


def test_a_short_log_is_read_whole_and_nothing_is_remarked(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a\r\nb\xff\n\nc")

    log = read(f"{tmp_path}/log")

    assert (list(log.lines()), log.remark) == (["a", "b\\xff", "", "c"], None)


def test_a_log_that_cannot_be_read_is_said_before_the_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> None:
        pytest.fail("the machine was asked")

    monkeypatch.setattr(examining, "_looked_at", asked)

    with pytest.raises(WrongUsage, match="No such file"):
        examining.doctor(Options(screen=Screen(StringIO(), StringIO(), {})), (), DoctorOptions(log="/nonexistent"))
