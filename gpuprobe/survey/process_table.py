"""Which processes compute or could: every one of /proc is looked at once, and those that matter are read in full.

A process is one of them by what it has mapped, whatever it calls itself; where that may not be read, by its command line.
What is cheapest comes first: a machine has hundreds of processes, and mostly none of them matters.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence

from gpuprobe.libraries import LIBRARIES
from gpuprobe.machine.process_records import Table
from gpuprobe.survey.frameworks import FRAMEWORKS
from gpuprobe.survey.loopback_ports import Listening
from gpuprobe.survey.process_details import details
from gpuprobe.survey.process_status import numbers
from gpuprobe.survey.processes import FIRST_NAMESPACE, accounts
from gpuprobe.survey.tree import ABSENT, DENIED, READING, Tree, problem_of
from gpuprobe.vendors import VENDORS

MOST_FOUND = 256  # processes that are read in full
# Bytes of address space. Every library that computes brings more: libcuda alone has tens of MiB, libtorch_cpu hundreds, and who
# maps ggml maps a model too.
_SMALLEST = 48 << 20
_MOST_MAPS = 16 << 20
_CHUNK = 1 << 20

KnownCommand = Callable[[Sequence[str]], bool]
# Process number → its command line and how much address space it had when nothing of interest was mapped. What loads a library
# has more of it then.
PassedOver = dict[int, tuple[bytes, bytes]]


def process_table(
    known: KnownCommand,
    root: str = "/",
    asked: Sequence[int] = (),
    *,
    own: int | None = None,
    passed_over: PassedOver | None = None,
) -> Table:
    """`known` says whether a command line is that of a program which computes; `asked` are read in any case, `own` is left
    out with its children. `passed_over`: what one reading leaves for the next."""
    tree = Tree(root)
    looked = _Look(tree, known, own, {} if passed_over is None else passed_over)
    there_are = numbers(tree)
    wanted = [number for number in there_are if number in asked or looked.matters(number)]
    listening = Listening(tree)
    found = [process for number in wanted[:MOST_FOUND] if (process := details(tree, number, listening)) is not None]
    there = {process.number for process in found}
    kept = tuple(each for each in found if own is None or own not in (each.number, each.parent) or each.number in asked)
    return Table(
        kept,
        looked_at=len(there_are),
        unreadable=len(looked.denied),
        unreadable_accounts=tuple(sorted(set(accounts(looked.denied[:64], root).values()))),
        failures=tuple(looked.failures),
        ended=tuple(number for number in wanted[:MOST_FOUND] if number not in there),
        hidden=_is_hidden(tree),
        namespace=tree.target("/proc/self/ns/pid") not in (None, FIRST_NAMESPACE),
        missing=tuple(number for number in asked if number not in there_are),
    )


class _Look:
    """The first look at each process; `denied` are those of which nothing is known, `failures` why of others that is so."""

    def __init__(self, tree: Tree, known: KnownCommand, own: int | None, passed_over: PassedOver) -> None:
        self._tree, self._known, self._own, self._passed_over = tree, known, own, passed_over
        self.denied: list[int] = []
        self.failures: list[str] = []

    def matters(self, number: int) -> bool:
        if number == self._own:
            return False
        try:
            command = _beginning(self._tree, number, "cmdline")
            if not command:
                return False  # one of the kernel's own threads
            if self._known(command.decode("utf-8", "backslashreplace").rstrip("\0").split("\0")):
                return True
            pages = _beginning(self._tree, number, "statm").split(b" ")[0]
        except OSError as error:
            return self._unknown(number, error)
        if not pages.isdigit() or int(pages) * _PAGE < _SMALLEST or self._passed_over.get(number) == (command, pages):
            return False
        return self._maps_matter(number, command, pages)

    def _maps_matter(self, number: int, command: bytes, pages: bytes) -> bool:
        try:
            if _is_of_interest(_maps(self._tree, number)):
                return True
        except OSError as error:
            return self._unknown(number, error)
        self._passed_over[number] = command, pages
        return False

    def _unknown(self, number: int, error: OSError) -> bool:
        """One that has ended meanwhile is none."""
        problem = problem_of(error)
        if problem == DENIED:
            self.denied.append(number)
        elif problem != ABSENT:
            self.failures.append(problem)
        return False


def _beginning(tree: Tree, number: int, name: str) -> bytes:
    """Of a small file of a process, in one read: this is done for each of hundreds."""
    descriptor = os.open(tree.at(f"/proc/{number}/{name}"), READING)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def _maps(tree: Tree, number: int) -> bytes:
    """The kernel gives a page at a time."""
    descriptor = os.open(tree.at(f"/proc/{number}/maps"), READING)
    try:
        chunks, size = [], 0
        while size < _MOST_MAPS and (chunk := os.read(descriptor, _CHUNK)):
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks)
    finally:
        os.close(descriptor)


def pieces_of_interest() -> Iterator[str]:
    """What stands in a path that matters: libraries of records, folders of frameworks, device files.

    Vulkan alone draws: what computes through it maps ggml, too.
    """
    yield from ("/libggml", "/libllama", "/libtorch_cpu")
    for library in LIBRARIES:
        if library.frameworks:
            yield from (f"/{name.partition('.so')[0]}.so" for name in library.sonames.get("linux", ()))
    yield from (f"/{row.folder}/" for row in FRAMEWORKS if row.folder)
    yield from (f"/dev/{start}" for vendor in VENDORS for start in vendor.nodes)


# One search for each is ten times as fast as one regular expression of all.
_PIECES = tuple(piece.encode() for piece in dict.fromkeys(pieces_of_interest()))


def _is_of_interest(maps: bytes) -> bool:
    return any(piece in maps for piece in _PIECES)


def _is_hidden(tree: Tree) -> bool:
    """`hidepid`: another account's processes are not there, or closed. Process 1 is one, and never ours but as root."""
    mounts = tree.read("/proc/self/mounts", most=1 << 20).text or ""
    found = [line for line in mounts.splitlines() if re.match(r"\S+ /proc proc ", line)]
    return bool(found) and re.search(r"hidepid=(?!0|off)", found[-1]) is not None and tree.line("/proc/1/comm") is None
