"""What opening each compute node gives: the error's number tells apart causes that all look like "no GPU".

Each is opened and closed at once, by a process of its own: a card that is lost can hold its opener in the kernel. A node whose
card sleeps is left alone. NVIDIA's driver opens in the background where O_NONBLOCK is given (since 530), so that a card that
does not start shows by its library and not here.
"""

from __future__ import annotations

import errno
import re
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence

from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import Opened
from gpuprobe.survey import bounded_child
from gpuprobe.survey.pci import DEVICES, is_awake
from gpuprobe.survey.tree import Tree

PATIENCE_SECONDS = 5.0
_MOST = 256
_CONTROL = re.compile(r"/dev/(?:kfd|dxg|nvidiactl|nvidia-uvm|nvmap)")
_OF_A_CARD = re.compile(r"/dev/(?:dri/(renderD[0-9]{1,9})|nvidia([0-9]{1,4}))")
# Root's processes import nothing from where they stand (-I), and this one needs no packages (-S).
_PROGRAM = """
import os, sys
for path in sys.argv[1:]:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
        number = 0
    except OSError as error:
        number = error.errno
    print(number, flush=True)
"""


def openings(tree: Tree, host: Host) -> tuple[Opened, ...]:
    """In the order of the survey. Other files than devices are not opened: nobody made them to compute with."""
    tried: dict[str, str | None] = {path: _why_not(tree, host, path) for path in _compute_nodes(host)}
    numbers, rest = error_numbers(tree, [path for path, why_not in tried.items() if why_not is None])
    return tuple(_opened(path, numbers.get(path), why_not or rest) for path, why_not in tried.items())


def _compute_nodes(host: Host) -> Iterator[str]:
    fitting = (node.path for node in host.nodes if _CONTROL.fullmatch(node.path) or _OF_A_CARD.fullmatch(node.path))
    return (path for _, path in zip(range(_MOST), fitting, strict=False))


def _opened(path: str, number: int | None, why_not: str) -> Opened:
    if number is None:
        return Opened(path, why_not=why_not)
    return Opened(path, number, errno.errorcode.get(number) if number else None)


def _why_not(tree: Tree, host: Host, path: str) -> str | None:
    status = tree.status(path)
    if status is not None and not stat.S_ISCHR(status.st_mode):
        return "no device"
    found = _OF_A_CARD.fullmatch(path)
    if found is None:
        return None
    places = [f"/sys/class/drm/{found[1]}/device"] if found[1] else list(_functions_of(tree, host, found[2]))
    awake = all(is_awake(tree.line(f"{place}/power/runtime_status")) for place in places)
    return None if awake else "asleep"


def _functions_of(tree: Tree, host: Host, minor: str) -> Iterator[str]:
    """The card of `/dev/nvidia3`, as its driver says; every card, where it does not say."""
    place = "/proc/driver/nvidia/gpus"
    said = {name: tree.read(f"{place}/{name}/information").text or "" for name in tree.names(place)[:_MOST]}
    mine = [name for name, text in said.items() if re.search(rf"(?m)^Device Minor:\s{{0,20}}{minor}\s{{0,9}}$", text)]
    return (f"{DEVICES}/{address}" for address in mine or [function.address for function in host.pci])


def error_numbers(tree: Tree, paths: Sequence[str]) -> tuple[dict[str, int], str]:
    """Of each path the error's number, 0 where it opened; and why there is none of the rest."""
    if not paths:
        return {}, ""
    program = [sys.executable, "-I", "-S", "-c", _PROGRAM, *(tree.at(path) for path in paths)]
    try:
        child = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except (OSError, ValueError) as problem:
        return {}, f"its opener did not start: {getattr(problem, 'strerror', None) or problem}"
    words = _answer(child).split()
    found = {path: int(word) for path, word in zip(paths, words, strict=False) if word.isdigit()}
    return found, f"it did not return within {PATIENCE_SECONDS:g} s"


def _answer(child: subprocess.Popen[bytes]) -> bytes:
    try:
        return child.communicate(timeout=PATIENCE_SECONDS)[0]
    except subprocess.TimeoutExpired as late:
        bounded_child.end(child)
        return late.stdout or b""
