"""The file of a capture: pipes and devices are told apart, and nobody is waited for without end."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gpuprobe.capture import files


def test_a_pipe_into_which_nobody_writes_is_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(files.Unfit, match="nobody writes into this pipe"):
        files.read(str(tmp_path / "pipe"), patience=0.1)


def test_a_pipe_whose_writer_is_silent_is_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)

    with pytest.raises(files.Unfit, match="nothing came out of it in time"):
        files.read(str(tmp_path / "pipe"), patience=0.1)

    os.close(writer)


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"x" * 300_000))
    writer.start()

    content = files.read(str(tmp_path / "pipe"), patience=30)

    writer.join()
    assert content == b"x" * 300_000


@pytest.mark.parametrize(("name", "because"), [("/dev/zero", "a device"), ("/dev/null", "a device"), ("/proc", "a directory")])
def test_what_is_no_file_is_named(name: str, because: str) -> None:
    with pytest.raises(files.Unfit, match=because):
        files.read(name)


def test_a_pipe_that_nobody_reads_is_an_error_and_no_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(files.Unfit, match="nobody reads from that pipe"):
        files.write(tmp_path / "pipe", "{}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another account's pipe")
def test_another_accounts_pipe_gets_nothing(tmp_path: Path) -> None:
    """In /tmp a pipe with the expected name may wait for what root captures."""
    os.mkfifo(tmp_path / "pipe")
    os.chown(tmp_path / "pipe", 4242, 4242)
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(files.Unfit, match="another account's pipe"):
        files.write(tmp_path / "pipe", "secret")

    assert os.read(reader, 100) == b""
    os.close(reader)


def test_a_file_is_replaced_whole_and_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "machine.json").symlink_to(tmp_path / "theirs")

    files.write(tmp_path / "machine.json", "ours")

    assert ((tmp_path / "theirs").read_text(), (tmp_path / "machine.json").read_text()) == ("theirs", "ours")
    assert not (tmp_path / "machine.json").is_symlink()
