"""Which servers may be asked, and what is taken from what they say."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gpuprobe.judging.figures import ServerAnswer
from gpuprobe.probing import loopback, server_info
from gpuprobe.survey.running_servers import Server, is_its_own
from tests.file_trees import machine
from tests.records import a_device

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ports and their processes are told by Linux's files")

SERVER = Server(4711, 0xA0FE)
OURS, OTHERS = "1111", "2222"
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(address: str, inode: str, state: str = "0A") -> str:
    return f"   0: {address}:A0FE 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1\n"


LISTENING = {
    "its own": (row("0100007F", OURS), True),
    "on every address": (row("00000000", OURS), True),
    "another's": (row("0100007F", OTHERS), False),
    "another's beside its own": (row("00000000", OURS) + row("0100007F", OTHERS), False),
    "another's on another address": (row("0100007F", OURS) + row("0500A8C0", OTHERS), True),
    "nobody's": ("", False),
    "a connection": (row("0100007F", OURS, "01"), False),
}


@pytest.mark.parametrize("rows", LISTENING)
def test_a_port_is_a_processs_own_where_nobody_else_could_answer_on_it(tmp_path: Path, rows: str) -> None:
    text, its_own = LISTENING[rows]
    files: dict[str, str | bytes] = {"/proc/4711/status": f"Uid:\t0\t{os.geteuid()}\t0\t0\n", "/proc/net/tcp": HEAD + text}
    root = machine(tmp_path, files, links={"/proc/4711/fd/3": f"socket:[{OURS}]", "/proc/4711/fd/4": "/dev/null"})

    assert is_its_own(SERVER, root) is its_own


def test_an_answer_is_none_where_the_port_is_no_longer_the_servers_when_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "_exchanged", lambda port, path, deadline: b"HTTP/1.0 200 OK\r\n\r\n[]")
    monkeypatch.setattr(server_info, "is_its_own", lambda server: False)

    (answer,) = server_info.ask_servers((SERVER,), 30.0)

    assert answer == ServerAnswer(*SERVER, problem="the port is no longer its own")


def test_of_several_servers_the_one_that_sees_least_is_believed() -> None:
    device = a_device("CUDA", uuid="GPU-00000000-0000-0000-0000-00000000000a", total_memory=100)
    told = [ServerAnswer(1, 2, (device._replace(free_memory=free),)) for free in (30, 10, 20)]

    found = server_info.told_of(device, told)

    assert found is not None and found.device.free_memory == 10
