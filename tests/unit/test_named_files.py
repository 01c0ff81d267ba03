"""Files that a user names: ordinary ones and pipes are read, and a pipe without a writer is not waited for."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from gpuprobe.survey.named_files import Unfit, opened

SHORT, LONG = 0.2, 60.0


def test_a_pipe_into_which_nobody_writes_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(Unfit, match="nobody writes into this pipe"):
        opened(f"{tmp_path}/pipe", SHORT)


def test_a_writer_may_come_late_and_be_silent_for_as_long_as_it_likes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        time.sleep(0.2)
        with (tmp_path / "pipe").open("wb") as pipe:
            time.sleep(0.5)
            pipe.write(b"late")

    writer = threading.Thread(target=write)
    writer.start()
    stream, begin = opened(f"{tmp_path}/pipe", LONG)
    writer.join()

    assert begin + (stream.read() or b"") == b"late"
    stream.close()


def test_a_pipe_between_two_processes_that_is_empty_and_closed_is_an_empty_file() -> None:
    """`<(true)` of a shell: nobody is waited for."""
    reading, writing = os.pipe()
    os.close(writing)
    stream, begin = opened(f"/dev/fd/{reading}", LONG)

    assert begin + (stream.read() or b"") == b""
    stream.close()
    os.close(reading)


def test_what_was_written_before_its_writer_ended_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    os.close(writing)
    stream, begin = opened(f"/dev/fd/{reading}", SHORT)

    assert begin == b"x"
    stream.close()
    os.close(reading)


def test_an_ordinary_file_is_open_at_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    stream, begin = opened(f"{tmp_path}/file")

    assert (begin, stream.read()) == (b"", b"text")
    stream.close()


def test_sockets_devices_and_directories_are_named_and_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{tmp_path}/socket")
    monkeypatch.delattr(os, "open")

    for path, because in ((f"{tmp_path}/socket", "a socket"), ("/dev/zero", "a device"), (str(tmp_path), "a directory")):
        with pytest.raises(Unfit, match=f"it is {because} and not a file"):
            opened(path)
