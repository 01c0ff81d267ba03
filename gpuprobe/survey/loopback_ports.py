"""Which ports of the loopback address a process listens on, in the network namespace that we are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe import patterns as re
from gpuprobe.survey.tree import Tree

_LISTENS = "0A"  # state TCP_LISTEN in /proc/net/tcp
# 127.0.0.1, every address, and every one of IPv6, which takes connections of IPv4 too; as little-endian machines write them.
_ANSWERING = {"tcp": ("0100007F", "00000000"), "tcp6": ("0" * 32,)}
_MOST = 8


class Listening:
    """Who listens, read when it is first asked for: to go through its tables costs the kernel milliseconds."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._found: list[tuple[int, str]] | None = None

    def ports_of(self, opened: Iterable[str]) -> tuple[int, ...]:
        """`opened`: what a process has open. Only ports that nobody else listens on."""
        own = sockets_among(opened)
        if not own:
            return ()
        ports = sorted({port for port, inode in self._all if inode in own})
        return tuple(port for port in ports if {inode for number, inode in self._all if number == port} <= own)[:_MOST]

    @property
    def _all(self) -> list[tuple[int, str]]:
        if self._found is None:
            self._found = list(_listening(self._tree))
        return self._found


def sockets_on(tree: Tree, port: int) -> set[str]:
    """The inodes of all sockets that could take a connection to this port of 127.0.0.1."""
    return {inode for number, inode in _listening(tree) if number == port}


def sockets_among(opened: Iterable[str]) -> set[str]:
    return {found[1] for each in opened if (found := re.fullmatch(r"socket:\[([0-9]+)\]", each))}


def _listening(tree: Tree) -> Iterator[tuple[int, str]]:
    for name, addresses in _ANSWERING.items():
        lines = (tree.read(f"/proc/net/{name}", most=1 << 22).text or "").splitlines()[1:]
        for fields in (line.split() for line in lines):
            if len(fields) > 9 and fields[3] == _LISTENS:
                address, _, port = fields[1].partition(":")
                if address in addresses and re.fullmatch("[0-9A-Fa-f]{4}", port):
                    yield int(port, 16), fields[9]
