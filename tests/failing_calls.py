"""System calls that fail below gpuprobe, one a run: `python -m tests.failing_calls` (needs a C compiler, and an hour for all).

Each call that a command makes is made to fail once with a usual error and once with EINTR; calls for its own code, the
interpreter's and the loader's are left alone, as nothing of ours could answer without them. What must hold: no traceback,
nothing that is called a bug, an end, nothing left running or lying about, and exit 1 only where the answer could not be written
or a table of its own not be read. Whether what is said is still true needs a reader: `--show`, with `--only`.

A call is found again by what it is for (supervised_calls.py), the first and the last of those that are alike. `missed`: this
time it was not made as often, in any of some tries.
Those that no command before has made come first; the order is by chance (`--seed`) otherwise, `--sample N` takes that many and
`--minutes N` those that fit. `--only TEXT` takes those whose name has it, `--children` those of the children and of what else
is started. `--once` takes each of those that are alike in all commands once, `--commands` those of some commands.
"""

from __future__ import annotations

import argparse
import errno
import math
import os
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests import supervised_calls, temporary
from tests.chaos_worlds import GEFORCE
from tests.cli.terminal import COMMAND, COMPILED, REPOSITORY, environment
from tests.doubles import cuda_driver, nvml_driver
from tests.supervised_calls import MAIN, Call, Ended

COMMANDS = {
    "list": ("list",),
    "list --json": ("list", "--json"),
    "env": ("env",),
    "capture": ("capture", "CAPTURE"),
    "refresh": ("refresh", "--json"),
    "doctor": ("doctor",),
}
# For what a call usually fails, beside EINTR; epoll_ctl(2) has no EINTR.
ERRORS = {
    "openat": "EMFILE", "read": "EIO", "pread64": "EIO", "write": "ENOSPC", "mmap": "ENOMEM", "clone": "EAGAIN",
    "clone3": "EAGAIN", "vfork": "EAGAIN", "fork": "EAGAIN", "pipe2": "EMFILE", "poll": "ENOMEM", "epoll_create1": "EMFILE",
    "epoll_ctl": "ENOSPC", "epoll_wait": "EINTR", "select": "ENOMEM", "dup": "EMFILE", "dup2": "EBADF", "fcntl": "EMFILE",
    "newfstatat": "EACCES", "stat": "EACCES", "statx": "EACCES", "fstat": "EIO", "lstat": "EACCES", "access": "EACCES",
    "getdents64": "EIO", "readlink": "EACCES", "unlink": "EACCES", "rename": "EACCES", "mkdir": "EACCES", "fsync": "EIO",
    "fchmod": "EPERM", "chmod": "EPERM", "lseek": "EINVAL", "ioctl": "ENOTTY", "wait4": "ECHILD", "waitid": "ECHILD",
    "pidfd_open": "EMFILE", "kill": "EPERM", "close": "EIO", "sched_getaffinity": "EPERM", "getrandom": "ENOSYS",
    "sysinfo": "EPERM", "statfs": "EIO", "socket": "EACCES", "connect": "ECONNREFUSED", "mremap": "ENOMEM",
    "flock": "EWOULDBLOCK", "getcwd": "ENOENT", "prlimit64": "EPERM", "ftruncate": "EIO", "umask": "EPERM", "setsid": "EPERM",
    "setsockopt": "EPERM", "readlinkat": "EACCES", "unlinkat": "EACCES", "mkdirat": "EACCES", "faccessat2": "EACCES",
}  # fmt: skip
_OWN = re.compile("|".join(map(re.escape, {sys.prefix, sys.base_prefix, str(COMPILED), os.path.dirname(os.__file__)})))
_CODE = re.compile(
    rf"{re.escape(str(REPOSITORY))}(?=[>,]|$)|/gpuprobe(?:/[\w/]*)?(?:\.pyc?)?(?=[>,]|$)|\.so[.\d]*(?=[>,]|$)|ld\.so|locale"
    "|/usr/lib/python"
)
PATIENCE = 60.0
TRIES = 3
SOME = 6
_PIPE = re.compile(r"<(?:pipe|anon_inode):")


class Failing(NamedTuple):
    """The `number`-th call of this process for this purpose; `text`: as it was seen without a fault."""

    command: str
    process: str
    call: str
    purpose: str
    number: int
    error: str
    text: str

    @property
    def name(self) -> str:
        process = "" if self.process == MAIN else f"{self.process}, "
        return f"{self.command}: {process}{self.call}({self.text}) number {self.number} with {self.error}"

    @property
    def alike(self) -> tuple[str, ...]:
        """By which calls of several commands, and of several children, are the same one."""
        return (re.sub(r"\d+", "N", self.process), self.call, self.purpose, self.error)


class Judged(NamedTuple):
    """`problem`: what did not hold; `kind`: ran, missed (it was not made) or left; `ended`: what it said then."""

    failing: Failing
    kind: str
    problem: str | None = None
    ended: Ended | None = None


class World(NamedTuple):
    place: Path

    def variables(self) -> dict[str, str]:
        libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
        known = {"LD_LIBRARY_PATH": libraries, "FAKE_CUDA": GEFORCE, "VK_DRIVER_FILES": "/none", "HOME": str(self.place)}
        return environment(**known, TMPDIR=str(self.place))

    def command(self, name: str) -> list[str]:
        return [*COMMAND, *(str(self.place / "machine.json") if word == "CAPTURE" else word for word in COMMANDS[name])]

    def ends(self, name: str, calls: Iterable[str], answer: supervised_calls.Answer, children: bool) -> Ended:
        command, variables = self.command(name), self.variables()
        return supervised_calls.run(command, calls, answer, variables, seconds=PATIENCE, place=self.place, children=children)


def a_world() -> World:
    return World(temporary.folder("failing"))


def calls_of(name: str, *, children: bool = False) -> list[Failing]:
    """Of those calls of a healthy run that are alike, the first and the last that were in each of two runs; of those for pipes,
    which are all alike, some between."""
    other, seen = _seen(name, children), _seen(name, children)  # the first one compiles modules, which is more calls
    found = []
    for key, (first, end, call) in seen.items():
        if key not in other or (call.process != MAIN) != children or _of_code(call.text):
            continue
        last = max(first, min(end, other[key][1]))
        between = range(first, last, max(1, (last - first) // SOME)) if _PIPE.search(call.text) else ()
        for number in dict.fromkeys((first, last, *between)):
            for error in dict.fromkeys((ERRORS[call.name], "EINTR" if call.name != "epoll_ctl" else "ENOSPC")):
                found.append(Failing(name, *call[:3], number, error, call.text))
    return found


def _seen(name: str, children: bool) -> dict[tuple[str, ...], tuple[int, int, Call]]:
    """First and last number of each call that a process makes once it reads what is ours: before, it is the interpreter's."""
    world, counts = a_world(), Counter[tuple[str, ...]]()
    found: dict[tuple[str, ...], tuple[int, int, Call]] = {}
    begun = set()

    def note(call: Call) -> None:
        key = call[:3]
        counts[key] += 1
        if f"{REPOSITORY}/gpuprobe/" in call.text:
            begun.add(call.process)
        if call.process in begun or not call.process.startswith((MAIN, "child ")):
            found[key] = (found[key][0] if key in found else counts[key], counts[key], call)

    ended = world.ends(name, ERRORS, note, children)
    shutil.rmtree(world.place)
    if ended.code:
        raise RuntimeError(f"`{name}` without a fault ended with {ended}")
    return found


def new_first(failings: Iterable[Failing]) -> list[Failing]:
    """What gathers evidence is the same code in each command: its calls come once before they come for each."""
    firsts: dict[tuple[str, ...], Failing] = {}
    failings = list(failings)
    for each in failings:
        firsts.setdefault(each.alike, each)
    chosen = set(firsts.values())
    return [*firsts.values(), *(each for each in failings if each not in chosen)]


def _of_code(text: str) -> bool:
    return bool(_OWN.search(text) or _CODE.search(text))


def run(failing: Failing, *, until: float = math.inf) -> Judged:
    judged = Judged(failing, "left")
    for _ in range(TRIES):
        if judged.kind == "ran" or judged.problem or time.monotonic() > until:
            break
        judged = _run_once(failing)
    return judged


def _run_once(failing: Failing) -> Judged:
    world, count = a_world(), Counter[str]()
    meant = (failing.process, failing.call, failing.purpose)

    def answer(call: Call) -> int | None:
        if call[:3] != meant:
            return None
        count["made"] += 1
        return int(getattr(errno, failing.error)) if count["made"] == failing.number else None

    try:
        ended = world.ends(failing.command, [failing.call], answer, failing.process != MAIN)
        left = [path.name for path in world.place.iterdir() if path.name not in ("machine.json", ".cache")]
    finally:
        shutil.rmtree(world.place)
    kind = "ran" if count["made"] >= failing.number else "missed"
    return Judged(failing, kind, _wrong(failing, ended, left), ended)


def _wrong(failing: Failing, ended: Ended, left: list[str]) -> str | None:
    said = f"exit {ended.code}: {ended.err[-500:]}"
    if ended.late:
        return f"it had not ended after {PATIENCE:g} s"
    if "Traceback" in ended.err or "bug in gpuprobe" in ended.out + ended.err:
        return said
    if ended.code == 1 and not re.search("written|own file", ended.out + ended.err):
        return said
    if ended.code == supervised_calls.LEFT_RUNNING:
        return "something that it started still runs"
    if ended.code not in (0, 1, 2, 3, 4, 5, 6):
        return said
    return f"left behind: {left}" if left and failing.call not in ("unlink", "rename") else None


def run_all(failings: Iterable[Failing], *, minutes: float = math.inf) -> Iterator[Judged]:
    cuda_driver(), nvml_driver(), supervised_calls.why_not()
    until = time.monotonic() + minutes * 60
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(lambda each: run(each, until=until), failings)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.failing_calls", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=[*COMMANDS])
    parser.add_argument("--children", action="store_true")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--show", action="store_true")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    known = [each for name in chosen.commands for each in calls_of(name, children=chosen.children) if chosen.only in each.name]
    random.Random(chosen.seed).shuffle(known)
    alike = {each.alike for each in known}
    known = new_first(known)[: len(alike) if chosen.once else None][: chosen.sample]
    _write(f"{len(known)} failing calls; {len(alike)} are not alike")
    results = []
    for judged in run_all(known, minutes=chosen.minutes):
        results.append(judged)
        if judged.problem or judged.kind == "missed" or chosen.show:
            _write(f"{judged.failing.name} ({judged.kind}): {judged.problem or 'nothing is wrong'}")
        if chosen.show and judged.ended:
            _write(f"exit {judged.ended.code}\n{judged.ended.out}{judged.ended.err}")
        if len(results) % 100 == 0 and judged.kind != "left":
            _write(f"so far, in {time.monotonic() - began:.0f} s: {_counted(results)}")
    for name in chosen.commands:
        _write(f"{name}: {_counted(judged for judged in results if judged.failing.command == name)}")
    tried = {judged.failing.alike for judged in results if judged.kind == "ran"}
    _write(f"all: {_counted(results)}; {len(tried)} of {len(alike)} that are not alike; in {time.monotonic() - began:.0f} s")
    return int(any(judged.problem for judged in results))


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _counted(results: Iterable[Judged]) -> str:
    results = list(results)
    counts = Counter(judged.kind for judged in results)
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in ("ran", "missed", "left"))
    return f"{kinds}; {sum(bool(judged.problem) for judged in results)} wrong"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
