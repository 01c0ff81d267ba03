"""System calls that fail below gpuprobe, one a run: `python -m tests.failing_calls` (needs strace, and some minutes).

Each call that a command makes is made to fail once with a usual error and once with EINTR; calls for its own code, the
interpreter's and the loader's are left alone, as nothing of ours could answer without them. What must hold: no traceback,
nothing that is called a bug, and exit 1 only where the answer could not be written.
`--only TEXT` takes those whose name has it, `--sample N` that many by chance (`--seed`), `--children` counts in all processes.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
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


class Failing(NamedTuple):
    """The `number`-th call of this name in a run of the command, as it was seen without a fault."""

    command: str
    call: str
    number: int
    error: str
    seen: str

    @property
    def name(self) -> str:
        return f"{self.command}: {self.call} number {self.number} with {self.error} ({self.seen[:90]})"


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
    world, seen = a_world(name), Counter[str]()
    log = world.place / "calls"
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
        seen[call] += 1
        if has_begun and not _of_code(rest):
            found.setdefault((call, re.sub(r"\d+|0x[0-9a-f]+", "N", rest)), Failing(name, call, seen[call], "", rest))
    shutil.rmtree(world.place)
    errors = {call: dict.fromkeys((error, error if call == "epoll_ctl" else "EINTR")) for call, error in ERRORS.items()}
    return [each._replace(error=error) for each in found.values() for error in errors[each.call]]


def _of_code(rest: str) -> bool:
    return bool(_OWN.search(rest) or _CODE.search(rest))


def _traced(log: Path, children: bool, *command: str) -> list[str]:
    return ["strace", "-y", "-qq", *(["-f"] if children else []), "-o", str(log), "-e", "signal=none", *command]


def wrong(failing: Failing, *, children: bool = False) -> str | None:
    """What did not hold; "" where the failing call was one for code after all."""
    world = a_world(failing.command)
    log = world.place / "calls"
    inject = f"inject={failing.call}:error={failing.error}:when={failing.number}"
    traced = _traced(log, children, "-e", f"trace={failing.call}", "-e", inject, *world.command(failing.command))
    try:
        done = subprocess.run(
            traced,
            cwd="/",
            env=world.variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it had not ended after {PATIENCE:g} s"
    finally:
        injected = [line for line in log.read_text(errors="replace").splitlines() if "(INJECTED)" in line]
        left = [path.name for path in world.place.iterdir() if path.name not in ("calls", "machine.json", ".cache")]
        shutil.rmtree(world.place)
    if not injected or _of_code(injected[0]):
        return ""
    if "Traceback" in done.stderr or "bug in gpuprobe" in done.stderr:
        return f"exit {done.returncode}: {done.stderr[-500:]}"
    if done.returncode == 1 and "written" not in done.stderr:
        return f"exit 1: {done.stderr[-300:]}"
    if done.returncode not in (0, 1, 2, 3, 4, 5, 6):
        return f"exit {done.returncode}: {done.stderr[-300:]}"
    return f"left behind: {left}" if left and failing.call not in ("unlink", "rename") else None


def run_all(failings: Iterable[Failing], *, children: bool = False) -> list[tuple[Failing, str | None]]:
    failings = list(failings)
    cuda_driver(), nvml_driver()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(zip(failings, pool.map(lambda each: wrong(each, children=children), failings), strict=True))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.failing_calls", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--children", action="store_true")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    known = [each for name in COMMANDS for each in calls_of(name, children=chosen.children) if chosen.only in each.name]
    sys.stdout.write(f"{len(known)} failing calls\n")
    if chosen.sample is not None:
        known = random.Random(chosen.seed).sample(known, min(chosen.sample, len(known)))
    results = run_all(known, children=chosen.children)
    for failing, problem in results:
        if problem:
            sys.stdout.write(f"{failing.name}: {problem}\n")
    for name in COMMANDS:
        mine = [problem for failing, problem in results if failing.command == name]
        void = sum(problem == "" for problem in mine)
        sys.stdout.write(f"{name}: {len(mine)} runs, {void} void, {len(mine) - void - mine.count(None)} wrong\n")
    sys.stdout.write(f"in {time.monotonic() - began:.0f} s\n")
    return int(any(problem for _, problem in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
