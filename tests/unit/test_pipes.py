"""What comes through a child's pipes takes bounded memory, and its end is noticed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.probing import pipes
from gpuprobe.probing.pipes import Tail


@given(st.lists(st.binary(max_size=50)), st.integers(1, 40))
def test_a_tail_holds_the_last_bytes_and_counts_the_others(chunks: list[bytes], limit: int) -> None:
    tail = Tail(limit)
    for chunk in chunks:
        tail.add(chunk)
    whole = b"".join(chunks)

    assert tail.text() == whole[-limit:].decode(errors="backslashreplace")[-limit:]
    assert tail.dropped == max(0, len(whole) - limit)


def test_noise_without_end_takes_no_more_memory_than_twice_the_limit() -> None:
    tail = Tail(1000)
    for _ in range(1000):
        tail.add(b"x" * 700)
        assert len(tail._kept) <= 2000


def test_what_is_forgotten_counts_no_more() -> None:
    tail = Tail(2)
    tail.add(b"abcdef")
    tail.forget()

    assert (tail.text(), tail.dropped) == ("", 0)


def test_bytes_that_are_no_text_are_shown_and_break_nothing() -> None:
    tail = Tail(10)
    tail.add(b"a\xff\x00")

    assert tail.text() == "a\\xff\x00"


def test_an_empty_pipe_is_waited_for_until_one_says_otherwise() -> None:
    theirs, ours = os.pipe()
    try:
        os.write(ours, b"said")
        assert pipes.receive(theirs) == b"said"
        pipes.stop_waiting(theirs)
        with pytest.raises(BlockingIOError):
            pipes.receive(theirs)
        os.close(ours)
        assert pipes.receive(theirs) == b""
    finally:
        os.close(theirs)


def test_the_end_of_a_process_can_be_waited_for_beside_its_pipes() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        descriptor = pipes.exit_descriptor(process.pid)
        if sys.platform == "linux":
            assert descriptor is not None
            os.close(descriptor)
        process.wait()

    assert pipes.exit_descriptor(2**22 + 1) is None  # no process has that number


def test_on_windows_a_thread_feeds_a_socket_with_what_the_pipe_has_to_its_end() -> None:
    theirs, ours = os.pipe()
    with os.fdopen(theirs, "rb", buffering=0) as pipe:
        near = pipes._fed_socket(pipe)
        os.write(ours, b"said")
        os.close(ours)
        with near:
            heard = b"".join(iter(lambda: pipes.receive(near), b""))

    assert heard == b"said"
