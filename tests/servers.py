"""A double of Ollama's runner: a process with its command line that answers `GET /info` on a port of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# The program, run as `ollama runner … --port 0`: Python takes the word behind its own name for the script to run.
PROGRAM = r"""
import os, socket, sys, time
behaviour, answer = os.environ["DOUBLE"], os.environ["ANSWER"].encode()
if os.environ.get("LISTENING"):
    listening = socket.socket(fileno=int(os.environ["LISTENING"]))
else:
    listening = socket.socket()
    listening.bind(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
    listening.listen()
if os.environ.get("ACCOUNT"):
    os.setuid(int(os.environ["ACCOUNT"]))
if behaviour == "elsewhere":  # a process of another name listens there
    if os.fork():
        listening.close()
        time.sleep(300)
    os.set_inheritable(listening.fileno(), True)
    more = {"DOUBLE": "answer", "LISTENING": str(listening.fileno())}
    os.execve("/proc/self/exe", ["innocent", *sys.argv], {**os.environ, **more})
print("ready", flush=True)
while True:
    connection, _ = listening.accept()
    if behaviour == "close":
        connection.close()
        continue
    request = connection.recv(4096)
    with open(os.environ["LOG"], "ab") as log:
        log.write(request.splitlines()[0] + b"\n")
    head = b"HTTP/1.0 %s\r\nContent-Type: application/json\r\n\r\n" % os.environ["STATUS"].encode()
    if behaviour == "hang":
        time.sleep(300)
    if behaviour == "drip":
        for byte in head * 100:
            connection.send(bytes([byte])); time.sleep(0.05)
    if behaviour == "endless":
        try:
            connection.send(head)
            while True: connection.send(b"[" * 65536)
        except OSError:
            continue
    connection.sendall(head + answer)
    connection.close()
"""


def free_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Runner:
    """One running double; use it as a context, so that it ends."""

    def __init__(
        self,
        directory: Path,
        answer: Any = (),
        behaviour: str = "answer",
        *,
        status: str = "200 OK",
        account: int | None = None,
    ) -> None:
        self.port, self.log = free_port(), directory / "requests"
        (directory / "runner").write_text(PROGRAM)
        environ = {
            "DOUBLE": behaviour,
            "ANSWER": answer if isinstance(answer, str) else json.dumps(answer),
            "STATUS": status,
            "LOG": str(self.log),
            "ACCOUNT": "" if account is None else str(account),
            "PYTHONHOME": f"{sys.base_prefix}:{sys.base_exec_prefix}",
        }
        self.process = subprocess.Popen(
            ["/usr/local/bin/ollama", "runner", "--ollama-engine", "--port", str(self.port)],
            executable=os.path.realpath(sys.executable),
            cwd=directory,
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def requests(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *raised: object) -> None:
        os.killpg(self.process.pid, 9)
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
