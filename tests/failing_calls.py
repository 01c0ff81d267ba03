"""System calls that fail below gpuprobe, one a run: `python -m tests.failing_calls` (needs strace, and some minutes).

Each call that a command makes is made to fail once with a usual error and once with EINTR; calls for its own code, the
interpreter's and the loader's are left alone, as nothing of ours could answer without them. What must hold: no traceback,
nothing that is called a bug, and exit 1 only where the answer could not be written or a table of its own not be read.
Where a call has a path, its number is that among the calls with this path. Where another call came at that number this time, it
was that which failed; it is tried again, and at last counted as missed. Other processes' calls for `/proc` would shift most
numbers: where it may, the command runs in a PID namespace of its own.
Those that no command before has made come first; the order is by chance (`--seed`) otherwise, `--sample N` takes that many and
`--minutes N` those that fit. `--only TEXT` takes those whose name has it, `--children` counts in all processes.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests import temporary
from tests.chaos_worlds import GEFORCE
from tests.cli.terminal import COMMAND, COMPILED, REPOSITORY, environment
from tests.doubles import cuda_driver, nvml_driver

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
    "sysinfo": "EPERM", "statfs": "EIO", "socket": "EACCES", "connect": "ECONNREFUSED",
    "flock": "EWOULDBLOCK", "getcwd": "ENOENT", "prlimit64": "EPERM", "ftruncate": "EIO", "umask": "EPERM",
    "setsockopt": "EPERM",
}  # fmt: skip
_CALL = re.compile(r"(?:\d+ +)?(\w+)\((.*)")
_OWN = re.compile("|".join(map(re.escape, {sys.prefix, sys.base_prefix, str(COMPILED), os.path.dirname(os.__file__)})))
_CODE = re.compile(
    rf"{re.escape(str(REPOSITORY))}(?=[\">])|/gpuprobe(?:/[\w/]*)?(?:\.pyc?)?(?=[\">])|\.so[.\d]*(?=[\">])|ld\.so|locale|/usr/lib/python"
)
PATIENCE = 120.0
TRIES = 3
PLACE = "/the/place"  # the world's folder, which is another one in each run
# The path stands in the second argument; of other calls the first says what they are for.
_AT = ("openat", "newfstatat", "statx")
_ADDRESS = re.compile(r"0x[0-9a-f]+|\d+")


class Failing(NamedTuple):
    """The `number`-th call of this name with this path ("": with any) in a run, as it was seen without a fault."""

    command: str
    call: str
    path: str
    number: int
    error: str
    seen: str

    @property
    def name(self) -> str:
        return f"{self.command}: {self.call} number {self.number} with {self.error} ({self.seen[:90]})"

    @property
    def purpose(self) -> tuple[str, str, str]:
        """By which calls of several commands, and of several runs, are the same one."""
        return (self.call, _purpose(self.call, self.seen), self.error)


class Judged(NamedTuple):
    """`problem`: what did not hold; `kind`: ran, missed (another call failed), void (a call for code failed), left."""

    failing: Failing
    kind: str
    problem: str | None = None


class World(NamedTuple):
    place: Path

    def variables(self) -> dict[str, str]:
        libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
        known = {"LD_LIBRARY_PATH": libraries, "FAKE_CUDA": GEFORCE, "VK_DRIVER_FILES": "/none", "HOME": str(self.place)}
        return environment(**known, TMPDIR=str(self.place))

    def command(self, name: str) -> list[str]:
        return [*COMMAND, *(str(self.place / "machine.json") if word == "CAPTURE" else word for word in COMMANDS[name])]


def a_world(name: str) -> World:
    world = World(temporary.folder("failing"))
    if name == "refresh":
        subprocess.run(world.command("list"), env=world.variables(), capture_output=True, check=True)
    return world


def calls_of(name: str, *, children: bool = False) -> list[Failing]:
    """Every call of a healthy run that has an error here; of those alike but for their numbers, the first."""
    world, seen = a_world(name), Counter[tuple[str, str]]()
    log = world.place / "calls"
    _compiled(name)
    subprocess.run(
        _traced(log, children, *world.command(name)), cwd="/", env=world.variables(), capture_output=True, check=False
    )
    found: dict[tuple[str, str], Failing] = {}
    has_begun = False  # what the interpreter does before it reads a module of ours is its own
    for line in log.read_text(errors="replace").splitlines():
        has_begun = has_begun or f"{REPOSITORY}/gpuprobe/" in line
        matched = _CALL.match(line)
        if matched is None or matched[1] not in ERRORS:
            continue
        call, rest = matched.groups()
        rest = rest.replace(str(world.place), PLACE)
        path = _path(call, rest)
        seen.update({(call, path), (call, "")})
        if has_begun and not _of_code(rest):
            number = seen[call, path] if path else seen[call, ""]
            failing = Failing(name, call, path, number, "", rest)
            found.setdefault((call, _ADDRESS.sub("N", failing.seen)), failing)
    shutil.rmtree(world.place)
    errors = {call: dict.fromkeys((error, error if call == "epoll_ctl" else "EINTR")) for call, error in ERRORS.items()}
    return [each._replace(error=error) for each in found.values() for error in errors[each.call]]


def _compiled(name: str) -> None:
    """The first run of a command compiles modules of its own, which shifts the numbers."""
    world = a_world(name)
    subprocess.run(world.command(name), cwd="/", env=world.variables(), capture_output=True, check=False)
    shutil.rmtree(world.place)


def _path(call: str, rest: str) -> str:
    """Which strace can be told: none that is another one in each run."""
    pattern = r'[^,]*, "(/[^"]*)"' if call in _AT else r'(?:\d+<|")(/[^">]*)'
    matched = re.match(pattern, rest)
    return (
        matched[1]
        if matched and not re.search(r"/proc/\d|\(deleted\)|\.new|\.tmp|gpuprobe-tests|/\.devices", matched[1])
        else ""
    )


def _purpose(call: str, rest: str) -> str:
    count = 2 if call in _AT else 1
    return _ADDRESS.sub("N", ",".join(rest.split(",")[:count]).partition(") = ")[0])


def new_first(failings: Iterable[Failing]) -> list[Failing]:
    """What gathers evidence is the same code in each command: its calls come once before they come for each."""
    firsts: dict[tuple[str, str, str], Failing] = {}
    failings = list(failings)
    for each in failings:
        firsts.setdefault(each.purpose, each)
    chosen = set(firsts.values())
    return [*firsts.values(), *(each for each in failings if each not in chosen)]


def _of_code(rest: str) -> bool:
    return bool(_OWN.search(rest) or _CODE.search(rest))


def _traced(log: Path, children: bool, *command: str) -> list[str]:
    return [*_alone(), "strace", "-y", "-qq", *(["-f"] if children else []), "-o", str(log), "-e", "signal=none", *command]


@functools.cache
def _alone() -> tuple[str, ...]:
    namespace = ("unshare", "--pid", "--fork", "--mount-proc")
    if shutil.which("unshare") and subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode == 0:
        return namespace
    return ()


def run(failing: Failing, *, children: bool = False, until: float = math.inf) -> Judged:
    judged = Judged(failing, "left")
    for _ in range(TRIES):
        if judged.kind in ("ran", "void") or judged.problem or time.monotonic() > until:
            break
        judged = _run_once(failing, children)
    return judged


def _run_once(failing: Failing, children: bool) -> Judged:
    world = a_world(failing.command)
    log = world.place / "calls"
    inject = f"inject={failing.call}:error={failing.error}:when={failing.number}"
    path = ["-P", failing.path.replace(PLACE, str(world.place))] if failing.path else []
    traced = _traced(log, children, *path, "-e", f"trace={failing.call}", "-e", inject, *world.command(failing.command))
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        done = subprocess.run(traced, cwd="/", env=world.variables(), text=True, timeout=PATIENCE, check=False, **streams)  # type: ignore[call-overload]
    except subprocess.TimeoutExpired:
        return Judged(failing, "ran", f"it had not ended after {PATIENCE:g} s")
    finally:
        injected = [line for line in log.read_text(errors="replace").splitlines() if "(INJECTED)" in line]
        left = [path.name for path in world.place.iterdir() if path.name not in ("calls", "machine.json", ".cache")]
        shutil.rmtree(world.place)
    if injected and _of_code(injected[0]):
        return Judged(failing, "void")
    shown = [line.replace(str(world.place), PLACE) for line in injected]
    problem = _wrong(failing, done, left)
    return Judged(failing, "ran" if _meant(failing, shown) else "missed", problem and f"{problem}; failed: {shown}")


def _meant(failing: Failing, injected: list[str]) -> bool:
    matched = _CALL.match(injected[0]) if injected else None
    return matched is not None and _purpose(failing.call, matched[2]) == failing.purpose[1]


def _wrong(failing: Failing, done: subprocess.CompletedProcess[str], left: list[str]) -> str | None:
    if "Traceback" in done.stderr or "bug in gpuprobe" in done.stdout + done.stderr:
        return f"exit {done.returncode}: {done.stderr[-500:]}"
    if done.returncode == 1 and not re.search("written|own file", done.stdout + done.stderr):
        return f"exit 1: {done.stderr[-300:]}"
    if done.returncode not in (0, 1, 2, 3, 4, 5, 6):
        return f"exit {done.returncode}: {done.stderr[-300:]}"
    return f"left behind: {left}" if left and failing.call not in ("unlink", "rename") else None


def run_all(failings: Iterable[Failing], *, children: bool = False, minutes: float = math.inf) -> Iterator[Judged]:
    cuda_driver(), nvml_driver()
    until = time.monotonic() + minutes * 60
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(lambda each: run(each, children=children, until=until), failings)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.failing_calls", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--children", action="store_true")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    known = [each for name in COMMANDS for each in calls_of(name, children=chosen.children) if chosen.only in each.name]
    random.Random(chosen.seed).shuffle(known)
    known = new_first(known)[: chosen.sample]
    purposes = {each.purpose for each in known}
    sys.stdout.write(f"{len(known)} failing calls, {len(purposes)} of them not alike\n")
    results = []
    for judged in run_all(known, children=chosen.children, minutes=chosen.minutes):
        results.append(judged)
        if judged.problem:
            sys.stdout.write(f"{judged.failing.name} ({judged.kind}): {judged.problem}\n")
        if len(results) % 100 == 0 or judged.problem:
            sys.stdout.write(f"so far: {_counted(results)}\n")
            sys.stdout.flush()
    for name in COMMANDS:
        sys.stdout.write(f"{name}: {_counted(judged for judged in results if judged.failing.command == name)}\n")
    tried = {judged.failing.purpose for judged in results if judged.kind == "ran"}
    sys.stdout.write(f"all: {_counted(results)}; {len(tried)} of {len(purposes)} that are not alike\n")
    sys.stdout.write(f"in {time.monotonic() - began:.0f} s\n")
    return int(any(judged.problem for judged in results))


def _counted(results: Iterable[Judged]) -> str:
    results = list(results)
    counts = Counter(judged.kind for judged in results)
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in ("ran", "missed", "void", "left"))
    return f"{kinds}; {sum(bool(judged.problem) for judged in results)} wrong"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
