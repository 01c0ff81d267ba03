"""What the real llama.cpp would allocate, per device, for a model without weights: its own measurement, nothing loaded.

Two ggml-rpc-servers on loopback stand for two cards. Each question is one llama-server, ended as soon as it has said what it
would take; all have a deadline.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.doubles import DRIVERS, compile_double

LIMIT = 60.0  # seconds for one question; it takes 0.1 to 1
STARTING = 20.0
TRIES = 5  # ports
ROW = re.compile(
    r"breakdown_print: \|\s+- (?P<name>\S+)[^|]*\|"
    r"[^|]*?\d+ =\s+(?P<model>\d+) \+\s+(?P<context>\d+) \+\s+(?P<compute>\d+)"
)


class Taken(NamedTuple):
    """MiB of one device or of the host, as the engine prints them: rounded down."""

    model: int
    context: int
    compute: int


class Engine(NamedTuple):
    directory: Path
    ports: tuple[int, ...]
    card: Path  # the library that makes a device answer as a card

    @property
    def environ(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(self.directory), "LD_PRELOAD": str(self.card), "PATH": os.environ["PATH"]}

    def asked(self, model: Path, devices: int, *arguments: str) -> dict[str, Taken]:
        """By name: RPC0, RPC1, Host. Raises `Refused` where the engine cannot load the model or says nothing in time."""
        command = [str(self.directory / "llama-server"), "--host", "127.0.0.1", "--port", str(_free_port()), "--no-warmup"]
        command += ["-v", "-m", str(model), "--rpc", ",".join(f"127.0.0.1:{port}" for port in self.ports[:devices])]
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=self.directory,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        with process:
            try:
                return self._read(process)
            finally:
                process.kill()

    @staticmethod
    def _read(process: subprocess.Popen[str]) -> dict[str, Taken]:
        assert process.stdout is not None
        rows: dict[str, Taken] = {}
        last: list[str] = []
        deadline = time.monotonic() + LIMIT
        for line in process.stdout:
            last = [*last[-5:], line]
            found = ROW.search(line)
            if found:
                rows[found["name"]] = Taken(int(found["model"]), int(found["context"]), int(found["compute"]))
            # What comes next would load the model.
            if "Host" in rows or "fitting params to free memory took" in line or time.monotonic() > deadline:
                break
        if "Host" not in rows:
            raise Refused("".join(last))
        return rows


def version(directory: Path) -> str:
    """As the program says it: its number, build and commit."""
    said = subprocess.run(
        [str(directory / "llama-server"), "--version"],
        env={"LD_LIBRARY_PATH": str(directory)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
    )
    return (said.stdout + said.stderr).splitlines()[0].removeprefix("version: ")


class Refused(Exception):
    """The engine measured nothing; the text is the end of its log."""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def engine(directory: Path, work: Path, memory: tuple[int, ...]) -> Iterator[Engine]:
    """`memory` is MiB of each device."""
    card = compile_double(DRIVERS / "like_a_card.c", work / "card", "like_a_card.so")
    sizes = compile_double(DRIVERS / "pretend_memory.c", work / "sizes", "pretend_memory.so")
    program = Path(shutil.copy(directory / "ggml-rpc-server", work / "ggml-rpc-server"))
    program.chmod(0o755)  # a wheel's file is not
    servers: list[subprocess.Popen[bytes]] = []
    ports: list[int] = []

    def started(size: int) -> int:
        """The port of one more server."""
        port = _free_port()
        servers.append(
            subprocess.Popen(
                [str(program), "-H", "127.0.0.1", "-p", str(port), "-d", "CPU"],
                cwd=directory,
                env={"LD_LIBRARY_PATH": str(directory), "LD_PRELOAD": str(sizes), "PRETEND_MIB": str(size)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        return port

    try:
        for size in memory:
            # Between the look for a free port and its use another process may take it, and answers there in its place.
            tried = (port for port in map(started, [size] * TRIES) if _listens(servers[-1].pid, port))
            port = next(tried, None)
            assert port is not None, f"{program} listens nowhere"
            ports.append(port)
        yield Engine(directory, tuple(ports), card)
    finally:
        for server in servers:
            server.kill()
            server.wait()


def _listens(process: int, port: int) -> bool:
    """Whether this very process comes to listen there; False: it ended, or it does not in time."""
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline:
        try:
            found = psutil.Process(process).net_connections("tcp4")
        except psutil.NoSuchProcess:
            return False
        if any(each.laddr.port == port and each.status == psutil.CONN_LISTEN for each in found):
            return True
        if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
            return False
        time.sleep(0.05)
    return False
