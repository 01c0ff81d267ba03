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
from gpuprobe.survey.process_details import details, number_of
from gpuprobe.survey.processes import FIRST_NAMESPACE, accounts
from gpuprobe.survey.tree import DENIED, READING, Tree, problem_of
from gpuprobe.vendors import VENDORS

MOST_FOUND = 256  # processes that are read in full
_SMALLEST = 12 << 20  # bytes of address space: no library that computes fits into less
_MOST_MAPS = 16 << 20
_CHUNK = 1 << 20

KnownCommand = Callable[[Sequence[str]], bool]


def process_table(known: KnownCommand, root: str = "/", asked: Sequence[int] = (), own: int | None = None) -> Table:
    """`known` says whether a command line is that of a program which computes; `asked` are read in any case, `own` is left
    out with its children."""
    tree = Tree(root)
    looked = _Look(tree, known, own)
    numbers = sorted(number for name in tree.names("/proc") if (number := number_of(name)) is not None)
    wanted = [number for number in numbers if number in asked or looked.matters(number)]
    found = [process for number in wanted[:MOST_FOUND] if (process := details(tree, number)) is not None]
    there = {process.number for process in found}
    kept = tuple(each for each in found if own is None or own not in (each.number, each.parent) or each.number in asked)
    return Table(
        kept,
        looked_at=len(numbers),
        unreadable=len(looked.denied),
        unreadable_accounts=tuple(sorted(set(accounts(looked.denied[:64], root).values()))),
        ended=tuple(number for number in wanted[:MOST_FOUND] if number not in there),
        hidden=_is_hidden(tree),
        namespace=tree.target("/proc/self/ns/pid") not in (None, FIRST_NAMESPACE),
        missing=tuple(number for number in asked if number not in numbers),
    )


class _Look:
    """The first look at each process; `denied` are those of which nothing is known."""

    def __init__(self, tree: Tree, known: KnownCommand, own: int | None) -> None:
        self._tree, self._known, self._own = tree, known, own
        self.denied: list[int] = []

    def matters(self, number: int) -> bool:
        if number == self._own:
            return False
        command = self._tree.read(f"/proc/{number}/cmdline", most=4096).text or ""
        if command and self._known(command.rstrip("\0").split("\0")):
            return True
        if _is_small(self._tree, number):
            return False
        try:
            return any(_OF_INTEREST.search(text) for text in _maps(self._tree, number))
        except OSError as error:
            if problem_of(error) == DENIED:
                self.denied.append(number)
            return False


def _is_small(tree: Tree, number: int) -> bool:
    """The kernel's own threads have no memory at all, and a shell or a daemon has little."""
    pages = (tree.read(f"/proc/{number}/statm", most=64).text or "").split(" ")[0]
    return pages.isdigit() and int(pages) * 4096 < _SMALLEST


def _maps(tree: Tree, number: int) -> Iterator[bytes]:
    """In pieces of whole lines. The kernel gives a page at a time, and a process with a large heap has megabytes of it."""
    descriptor = os.open(tree.at(f"/proc/{number}/maps"), READING)
    try:
        rest, size = b"", 0
        while size < _MOST_MAPS and (chunk := os.read(descriptor, _CHUNK)):
            size += len(chunk)
            whole, _, end = chunk.rpartition(b"\n")
            yield rest + whole
            rest = end
        yield rest
    finally:
        os.close(descriptor)


def names_of_interest() -> Iterator[str]:
    """Regular expressions for what stands in a path that matters: libraries of records, parts of frameworks, device files.

    Vulkan alone draws: what computes through it maps ggml, too.
    """
    yield from ("/libggml", "/libllama", "/ggml-", "libtorch_cpu")
    for library in LIBRARIES:
        if library.frameworks:
            yield from (re.escape("/" + name.partition(".so")[0]) + r"\.so" for name in library.sonames.get("linux", ()))
    yield from (f"/{re.escape(row.folder)}/[^\n ]*\\.so" for row in FRAMEWORKS if row.folder)
    yield from ("/dev/" + re.escape(start) for vendor in VENDORS for start in vendor.nodes)


_OF_INTEREST = re.compile("|".join(dict.fromkeys(names_of_interest())).encode())


def _is_hidden(tree: Tree) -> bool:
    """`hidepid`: another account's processes are not there. Process 1 is there in any case, and never ours but as root."""
    mounts = tree.read("/proc/self/mounts", most=1 << 20).text or ""
    found = [line for line in mounts.splitlines() if re.match(r"\S+ /proc proc ", line)]
    return bool(found) and re.search(r"hidepid=(?!0|off)", found[-1]) is not None and tree.status("/proc/1") is None
