"""One question to a server on the loopback address: bounded in time and in bytes, and through no proxy."""

from __future__ import annotations

import json
import socket
import time
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from typing import Any

from gpuprobe.model import MiB

_MOST_BYTES = 1024 * 1024
_REQUEST = "GET {} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
# An overflow: a length of its content that no number of this machine holds.
_UNREADABLE = (OSError, HTTPException, ValueError, OverflowError, RecursionError)


class Refusal(Exception):
    """Why an answer is none: a clause."""


def asked(port: int, path: str, deadline: float) -> Any:
    """The JSON that `GET path` gives, by `time.monotonic()` == `deadline`. Refusal where it gives none."""
    try:
        return _parsed(_exchanged(port, path, deadline), path)
    except TimeoutError:
        raise Refusal("no answer in time") from None
    except _UNREADABLE as problem:
        raise Refusal(f"no answer that can be read: {type(problem).__name__}: {problem}"[:200]) from problem


def _exchanged(port: int, path: str, deadline: float) -> bytes:
    """Everything the server sends, until it closes the connection: a drop now and then does not move the deadline."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=_left(deadline)) as connection:
        connection.sendall(_REQUEST.format(path).encode("ascii"))
        while True:
            connection.settimeout(_left(deadline))
            chunk = connection.recv(65536)
            received += chunk
            if len(received) > _MOST_BYTES:
                raise Refusal(f"its answer is longer than {_MOST_BYTES // MiB} MiB")
            if not chunk:
                return received


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Received:
    """What http.client takes for a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *mode: Any, **more: Any) -> BytesIO:
        return BytesIO(self._content)


def _parsed(content: bytes, path: str) -> Any:
    response = HTTPResponse(_Received(content))  # type: ignore[arg-type]
    response.begin()
    if response.status == 404:
        raise Refusal("its version does not report memory" if path == "/info" else f"it has no `{path}`")
    if response.status != 200:
        raise Refusal(f"it answered with status {response.status}")
    return json.loads(response.read())
