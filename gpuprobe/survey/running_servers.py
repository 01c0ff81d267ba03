"""Which running servers may be asked about the memory of their GPUs: Ollama's runners, found by their command lines.

A command line is only a hint, which any process can write. A port is believed to be the runner's where the socket that
listens on it, in this network namespace, is open in that very process, and the process runs as root, as us or as the service.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from gpuprobe import patterns as re
from gpuprobe.record_classes import NamedTuple
from gpuprobe.survey.loopback_ports import sockets_among, sockets_on
from gpuprobe.survey.process_status import numbers, status_of
from gpuprobe.survey.tree import Tree

SERVICE = "ollama"  # the name of the program, and of the account that its installer makes
_MOST_SERVERS = 16


class Server(NamedTuple):
    process: int
    port: int


def servers(root: str = "/") -> tuple[Server, ...]:
    """The runners that may be asked, by process number."""
    tree = Tree(root)
    found = (server for server in _runners(tree) if is_its_own(server, root))
    return tuple(server for server, _ in zip(found, range(_MOST_SERVERS), strict=False))


def is_its_own(server: Server, root: str = "/") -> bool:
    """Whether the port is this process's, and the process an account's that we trust with a figure."""
    tree = Tree(root)
    if status_of(tree, server.process).uid not in _trusted_accounts():
        return False
    listening = sockets_on(tree, server.port)
    return bool(listening) and listening <= _sockets_of(tree, server.process)


def _runners(tree: Tree) -> Iterator[Server]:
    for number in numbers(tree):
        port = _port((tree.read(f"/proc/{number}/cmdline", most=4096).text or "").split("\0"))
        if port is not None:
            yield Server(number, port)


def _port(words: list[str]) -> int | None:
    """`ollama runner … --port 41234`"""
    if words[0].rpartition("/")[2] != SERVICE or words[1:2] != ["runner"] or "--port" not in words:
        return None
    given = "".join(words[words.index("--port") + 1 :][:1])
    return int(given) if re.fullmatch("[0-9]{1,5}", given) and 0 < int(given) < 65536 else None


def _trusted_accounts() -> set[int]:
    import pwd

    trusted = {0, os.geteuid()}
    try:
        trusted.add(pwd.getpwnam(SERVICE).pw_uid)
    except (KeyError, OSError):
        return trusted  # no such account here
    return trusted


def _sockets_of(tree: Tree, process: int) -> set[str]:
    """Nothing where we may not look: only root and the account itself may."""
    place = f"/proc/{process}/fd"
    return sockets_among(tree.target(f"{place}/{name}") or "" for name in tree.names(place))
