"""What the kernel says of GPUs, from the first line of this start of the machine on: the last lines are consequences.

Three places have it: the kernel's own buffer, the journal, and files of older systems. The buffer forgets its beginning; then
the journal counts, where it may be read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from gpuprobe.facts.system_facts import KernelLog, LogLine
from gpuprobe.survey.tree import ABSENT, READING, Tree, problem_of

KMSG, JOURNAL = "/dev/kmsg", "journalctl -k -b"
_FILES = ("/var/log/kern.log", "/var/log/dmesg", "/var/log/messages")
_PATIENCE_SECONDS = 10.0
_MOST_BYTES = 16 * 1024 * 1024
_MOST_RECORDS = 200_000
_LONGEST = 512  # characters of a line
_MOST_TROUBLE, _MOST_ORDINARY = 400, 200

# In lower case, as whole texts: a pattern of alternatives takes fifty times as long, and a log has thousands of lines.
_ABOUT_GPUS = (
    *("nvrm", "nvidia", "nvgpu", "nvmap", "nouveau", "nova_core", "nova-core", "amdgpu", "kfd", "i915", "xe 0000:", "radeon"),
    *("dxg", "[drm", "drm:", "vfio", "mtgpu", "panfrost", "panthor", "v3d", "asahi", "thunderbolt", "dmar", "amd-vi"),
    *("module verification", "unavailable key", "key was rejected", "secure boot", "secureboot", "lockdown:", "aer:"),
    *("unsigned module", "memory encryption features", "nomodeset", "d3cold"),
    *("pm: suspend", "pm: hibernation", "pm: resume", "no space for", "failed to assign", "can't assign", "fallen off"),
    *("out of memory: killed", "oom-kill", "libcuda", "libamdhip", "libggml", "ollama", "llama-server"),
)
_TROUBLE = re.compile(
    r"err|fail|denied|reject|\bxid\b|fault|time.?out|timed out|lost|not supported|unsupported|invalid|\(-\d|= ?-\d|hang|\breset"
    r"|unable|cannot|can.t|could not|missing|ignore|requires|too old|mismatch|wedged|small bar|skipp?|not called|no space"
    r"|fallen|killed|oom|verification|unavailable|taint|suspend|hibernat|lockdown|power cables|warn|corrupt|force_probe|already"
    r"|legacy|properly|nomodeset",
)
# What differs between two copies of one message: addresses, numbers of processes and of bytes. Xid's and RmInitAdapter's stay.
_VARYING = re.compile(r"0x[0-9a-f]{5,16}|\b[0-9a-f]{8,16}\b|\b[0-9]{5,20}\b|pid[ =']{1,3}[0-9]{1,9}", re.IGNORECASE)
# "Nov 29 00:41:15 name kernel: [   12.345678] …", "[   12.345678] kernel: …", "[   12.345678] …"
_TIME = r"\[ {0,12}(\d{1,9}\.\d{1,9})\] ?"
_FRONT = re.compile(rf"(?:{_TIME}(?:(?:[^\s:]{{1,64}} )?kernel: ?)?|.{{0,160}}?\bkernel: ?)?(?:{_TIME})?(?=\S)")
_BEGINNING = re.compile("Linux version |Booting Linux on ")
_RECORD = re.compile(r"(\d{1,6}),(\d{1,20}),(\d{1,20}),[^;]{0,200};(.*)")


class _Said(NamedTuple):
    lines: Iterable[tuple[float | None, str]]
    from_start: bool


def kernel_log(tree: Tree, addresses: Sequence[str] = ()) -> KernelLog:
    """`addresses`: of cards, whose lines are kept. Reads at most 16 MiB of each place."""
    about = (*_ABOUT_GPUS, *(address.lower() for address in addresses))
    problems: dict[str, str] = {}
    rest: KernelLog | None = None
    for source, ask in _places(tree):
        said = ask()
        if isinstance(said, str):
            problems[source] = said
            continue
        log = _chosen(source, said, about)
        if said.from_start:
            return log._replace(problems=problems)
        rest = rest or log
    return (rest or KernelLog())._replace(problems=problems)


def _places(tree: Tree) -> Iterator[tuple[str, Callable[[], _Said | str]]]:
    yield KMSG, partial(_buffer, tree)
    if tree.is_this_machine:
        yield JOURNAL, _journal
    for path in _FILES:
        yield path, partial(_file, tree, path)


def _buffer(tree: Tree) -> _Said | str:
    """The device gives one record at each reading, and EPIPE where it has overwritten the next one."""
    try:
        descriptor = os.open(tree.at(KMSG), READING)
        try:
            content = b"".join(_records(descriptor)).decode("utf-8", "backslashreplace")
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        return problem_of(error)
    found = [match for line in content.splitlines() if (match := _RECORD.fullmatch(line[:2048])) is not None]
    if not found:
        return "empty"
    return _Said([(int(each[3]) / 1e6, each[4]) for each in found], from_start=int(found[0][2]) == 0)


def _records(descriptor: int) -> Iterator[bytes]:
    size = 0
    for _ in range(_MOST_RECORDS):
        try:
            piece = os.read(descriptor, 1 << 16)
        except BrokenPipeError:
            continue
        except OSError:  # EAGAIN: that was the last one
            return
        size += len(piece)
        if not piece or size > _MOST_BYTES:
            return
        yield piece if piece.endswith(b"\n") or len(piece) == 1 << 16 else piece + b"\n"


def _journal() -> _Said | str:
    from gpuprobe.survey.bounded_child import JOURNALCTLS_ENVIRONMENT, journalctl, said_by

    program = journalctl()
    if program is None:
        return ABSENT
    command = [program, "-k", "-b", "-o", "short-monotonic", "--no-pager"]
    answer = said_by(command, JOURNALCTLS_ENVIRONMENT, _PATIENCE_SECONDS, _MOST_BYTES)
    if isinstance(answer, str):
        return answer
    lines = [line for line in answer.output.splitlines() if not line.startswith("-- ")]
    if not lines:
        hidden = re.search("insufficient permissions|not seeing messages", answer.errors)
        return "denied" if hidden else "empty"
    begins = any(_BEGINNING.search(line[:400]) for line in lines[:4])
    return _Said(map(_taken_apart, lines), from_start=begins and not answer.was_cut)


def _file(tree: Tree, path: str) -> _Said | str:
    reading = tree.read(path, _MOST_BYTES)
    if reading.text is None:
        return reading.problem or ABSENT
    lines = [line for line in reading.text.splitlines() if line.startswith("[") or "kernel:" in line[:200]]
    starts = [number for number, line in enumerate(lines) if _BEGINNING.search(line[:400])]
    kept = lines[starts[-1] :] if starts else lines
    return _Said(map(_taken_apart, kept), from_start=bool(starts)) if kept else "empty"


def _taken_apart(line: str) -> tuple[float | None, str]:
    front = _FRONT.match(line[:2048])
    if front is None:
        return None, line
    time = front[2] or front[1]
    return float(time) if time else None, line[front.end() :]


def _chosen(source: str, said: _Said, about: Sequence[str]) -> KernelLog:
    """The lines about GPUs, each kind once with how often it came; of ordinary ones fewer than of those about trouble."""
    kinds: dict[str, LogLine] = {}
    left = {True: _MOST_TROUBLE, False: _MOST_ORDINARY}
    dropped = False
    for at, message in said.lines:
        text = message[:_LONGEST]
        lower = text.lower()
        if not any(word in lower for word in about):
            continue
        kind = _VARYING.sub("#", text)
        known = kinds.get(kind)
        if known is not None:
            kinds[kind] = known._replace(times=known.times + 1, last=at)
            continue
        trouble = _TROUBLE.search(lower) is not None
        dropped = dropped or left[trouble] == 0
        if left[trouble]:
            left[trouble] -= 1
            kinds[kind] = LogLine(text, at)
    return KernelLog(source, tuple(kinds.values()), is_whole=said.from_start and not dropped)
