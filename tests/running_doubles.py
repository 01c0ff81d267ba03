"""Processes that look as if they ran models: they map files of the names that matter, and answer on a port of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.servers import free_port

# Python takes the word behind its own name for the script to run, whatever that word is.
PROGRAM = r"""
import json, mmap, os, socket, sys, time
order = json.loads(os.environ["ORDER"])
if order["starts"] and os.path.basename(sys.argv[0]) != order["starts"][1]:
    child = os.fork()
    if child == 0:  # it maps what the other does, and listens nowhere
        os.environ["ORDER"] = json.dumps({**order, "port": 0, "ready": order["started"] + ".maps"})
        os.execv("/proc/self/exe", order["starts"])
    with open(order["started"], "w") as file:
        file.write(str(child))
held = []
for path in order["maps"]:
    with open(path, "rb") as file:
        held.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
listening = socket.socket()
if order["port"]:
    listening.bind(("127.0.0.1", order["port"]))
    listening.listen()
if order["account"]:
    os.setgroups([]); os.setgid(order["account"]); os.setuid(order["account"])
print(order["log"], end="", flush=True)
open(order["ready"], "w").close()
while order["port"]:
    connection, _ = listening.accept()
    path = connection.recv(4096).split(b" ")[1].decode()
    answer = json.dumps(order["answers"].get(path)).encode()
    status = b"200 OK" if path in order["answers"] else b"404 Not Found"
    connection.sendall(b"HTTP/1.0 " + status + b"\r\nContent-Type: application/json\r\n\r\n" + answer)
    connection.close()
time.sleep(600)
"""


class Running:
    """One such process; use it as a context, so that it ends. Its log is a file."""

    def __init__(
        self,
        directory: Path,
        command: Sequence[str],
        maps: Sequence[str] = (),
        *,
        log: str = "",
        answers: dict[str, Any] | None = None,
        account: int = 0,
        starts: Sequence[str] = (),
        environ: dict[str, str] | None = None,
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        if account:
            directory.chmod(0o777)
        name, script, *rest = command
        (directory / script).write_text(PROGRAM)
        ready = directory / "ready"
        order = {
            "maps": [str(_a_file(directory / "lib", each)) for each in maps],
            "port": free_port() if answers is not None else 0,
            "answers": answers or {},
            "account": account,
            "log": log,
            "ready": str(ready),
            "starts": list(starts),
            "started": str(directory / "started"),
        }
        if starts:
            (directory / starts[1]).write_text(PROGRAM)
        self.port = order["port"]
        self.log = directory / "log"
        # The descriptors of the tests' own output are pipes that nobody reads.
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [name, script, *rest],
                executable=os.path.realpath(sys.executable),
                cwd=directory,
                env={"ORDER": json.dumps(order), "PYTHONHOME": f"{sys.base_prefix}:{sys.base_exec_prefix}", **(environ or {})},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        _wait_for(ready, self.process)

    @property
    def number(self) -> int:
        return self.process.pid

    @property
    def started(self) -> int:
        """The number of what it has started."""
        return int((self.directory / "started").read_text())

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *raised: object) -> None:
        with suppress(ProcessLookupError):  # a test has ended it, and nothing of its group is left
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


_SIZE = 64 << 20  # of a hole, which takes address space as a library that computes does, and nothing else


def _a_file(directory: Path, path: str) -> Path:
    """A file whose path ends so: what is in it does not matter."""
    file = directory / path
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as made:
        made.truncate(_SIZE)
    return file


def _wait_for(ready: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while not ready.exists():
        assert process.poll() is None and time.monotonic() < end, "the double did not start"
        time.sleep(0.01)
    ready.unlink()
