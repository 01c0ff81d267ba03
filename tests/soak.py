"""Hours of use in one command: `python -m tests.soak --minutes 60` (Linux; prints figures, exit 1 where one grows).

`refresh --watch` over doubles that come, go, hang and lie has all of that time, with a thousand `list` in a row beside it
(`--lists N`); then fifty at once. Memory and descriptors of the watching process are compared between the end of the first
quarter and the end, and once its doubles are well again, so must its figures be.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests import temporary
from tests.chaos_faults import FAULTS
from tests.cli.terminal import COMMAND, environment
from tests.doubles import cuda_driver, described, nvml_driver, script
from tests.watched import children_of

GiB = 1 << 30
SETTLED_SECONDS = 60.0  # until a watch over doubles that are well again has every figure
WATCH = ("refresh", "--watch", "0.2", "--json", "--timeout", "2")
AT_ONCE = 50
GROWTH_KIB = 4096  # of the watching process; CPython's arenas are 1 MiB each
MOST_CHILDREN = 3  # CUDA and NVML, and one that is being ended
CHANGE_SECONDS = 1.5
# What ends the parent is no soak, and a GiB of noise at each reading is nothing but a GiB of noise.
WORDS = tuple(fault.word for fault in FAULTS if not fault.word.startswith("parent") and not fault.by_hand)


class Reading(NamedTuple):
    seconds: float
    kib: int
    descriptors: int
    children: int


def card(number: int) -> str:
    uuid = f"GPU-00000000-0000-0000-0000-{number:012x}"
    return described(name="NVIDIA GeForce RTX 4090", uuid=uuid, pci=f"0000:{number:02x}:00.0", memory=24 * GiB, free=GiB)


class Machine:
    """Up to four cards, whose libraries behave otherwise again and again."""

    def __init__(self, seed: int) -> None:
        self.place = temporary.folder("soak")
        self._chance = random.Random(seed)
        self.changes = 0
        self.change(healthy=True)

    def variables(self) -> dict[str, str]:
        libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
        scripts = {"FAKE_CUDA": str(self.place / "cuda"), "FAKE_NVML": str(self.place / "nvml")}
        home = {"HOME": str(self.place), "TMPDIR": str(self.place), "FAKE_MARK": f"soak-{self.place.name}"}
        return environment(LD_LIBRARY_PATH=libraries, VK_DRIVER_FILES="/none", **scripts, **home)

    def change(self, *, healthy: bool = False) -> None:
        """Another number of cards; in each library, every other time, another fault in one of its functions."""
        cards = [card(number) for number in range(1, 1 + (2 if healthy else self._chance.randrange(5)))]
        cuda = () if healthy else self._fault("cuInit", "cuDeviceGetName", "cuDevicePrimaryCtxRetain", "cuMemGetInfo_v2")
        nvml = () if healthy else self._fault("nvmlInitWithFlags", "nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo_v2")
        self._write("cuda", *cards, *cuda)
        self._write("nvml", *nvml)
        self.changes += 1

    def _fault(self, *functions: str) -> tuple[str, ...]:
        return self._chance.choice(((), (f"chaos {self._chance.choice(functions)} {self._chance.choice(WORDS)}",)))

    def _write(self, name: str, *lines: str) -> None:
        """Whole at once: the doubles read it while they are watched."""
        new = self.place / f"{name}.new"
        new.write_text(script(*lines))
        new.replace(self.place / name)


def read(process: int, began: float) -> Reading:
    folder = Path(f"/proc/{process}")
    (kib,) = [int(line.split()[1]) for line in (folder / "status").read_text().splitlines() if line.startswith("VmRSS")]
    return Reading(time.monotonic() - began, kib, len(list((folder / "fd").iterdir())), len(children_of(process)))


def watch(minutes: float, seed: int) -> Iterator[str]:
    """What grew, or did not go on; figures are printed."""
    machine, began, readings = Machine(seed), time.monotonic(), []
    subprocess.run([*COMMAND, "list"], env=machine.variables(), capture_output=True, check=True)
    lines = machine.place / "lines"
    with lines.open("wb") as out:
        process = subprocess.Popen([*COMMAND, *WATCH], env=machine.variables(), stdin=subprocess.DEVNULL, stdout=out)
    try:
        while time.monotonic() - began < minutes * 60 and process.poll() is None:
            time.sleep(CHANGE_SECONDS)
            machine.change()
            if process.poll() is None:
                readings.append(read(process.pid, began))
        machine.change(healthy=True)
        is_well = _is_well_again(process, lines)
    finally:
        process.send_signal(signal.SIGINT)
        code = _ended(process)
    count = _lines_of(lines)
    first, last = readings[len(readings) // 4], readings[-1]
    most = max(each.children for each in readings)
    _say(f"watched {last.seconds:.0f} s, {count} readings, {machine.changes} changes; exit {code}")
    for each in (readings[min(len(readings) - 1, len(readings) * quarter // 4)] for quarter in range(5)):
        _say(f"after {each.seconds:.0f} s: {each.kib} KiB, {each.descriptors} descriptors, {each.children} children")
    largest = max(each.kib for each in readings), max(each.descriptors for each in readings)
    _say(f"at most {largest[0]} KiB, {largest[1]} descriptors, {most} children")
    if not is_well:
        yield f"{SETTLED_SECONDS:g} s after its libraries were well again, the watch had not every figure"
    if code not in (0, 130):
        yield f"the watch ended with exit {code}"
    if last.kib - first.kib > GROWTH_KIB:
        yield "memory grew"
    if last.descriptors > max(each.descriptors for each in readings[: len(readings) // 4 + 1]):
        yield "descriptors grew"
    if most > MOST_CHILDREN:
        yield f"{most} children at once"
    yield from _left(machine)


def _is_well_again(process: subprocess.Popen[bytes], lines: Path) -> bool:
    """Whether a whole line comes in which no device's figure is an old one."""
    end, begin = time.monotonic() + SETTLED_SECONDS, lines.stat().st_size
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.5)
        with lines.open("rb") as file:
            file.seek(begin)
            whole = file.read().split(b"\n")[1:-1]
        devices = json.loads(whole[-1])["devices"] if whole else []
        if devices and not any(each["stale"] for each in devices):
            return True
    return False


def _lines_of(file: Path) -> int:
    """How many documents there are; each can be read."""
    with file.open("rb") as lines:
        return sum(bool(json.loads(line)) for line in lines)


def _ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def in_a_row(count: int, seed: int) -> Iterator[str]:
    machine, codes, slowest = Machine(seed), list[int](), 0.0
    for _ in range(count):
        machine.change()
        began = time.monotonic()
        codes.append(_listed(machine))
        slowest = max(slowest, time.monotonic() - began)
    _say(f"{len(codes)} lists in a row, {sum(code != 0 for code in codes)} without an answer, the slowest {slowest:.1f} s")
    if any(codes):
        yield f"exit codes {sorted(set(codes))}"
    yield from _left(machine)


def at_once(seed: int) -> Iterator[str]:
    machine = Machine(seed)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(lambda _: _listed(machine, 60.0), range(AT_ONCE)))
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    _say(f"{AT_ONCE} lists at once, {sum(code != 0 for code in codes)} without an answer; the largest process had {most} KiB")
    if any(codes):
        yield f"exit codes {sorted(set(codes))}"
    yield from _left(machine)


def _listed(machine: Machine, seconds: float = 2.0) -> int:
    command = [*COMMAND, "list", "--json", "--timeout", f"{seconds:g}"]
    done = subprocess.run(command, env=machine.variables(), capture_output=True, check=False)
    return done.returncode if b"Traceback" not in done.stderr and done.stdout.startswith(b"{") else -1


def _left(machine: Machine) -> Iterator[str]:
    from tests.fault_matrix import _marked

    time.sleep(0.5)
    for number in _marked(f"soak-{machine.place.name}".encode()):
        yield f"process {number} is left"
    known = {"cuda", "nvml", "lines", ".cache"}
    for file in machine.place.iterdir():
        if file.name not in known:
            yield f"{file.name} is left"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--lists", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=os.getpid())
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts this with `&` has it ignored, and the watch would too
    _say(f"seed {chosen.seed}")
    with ThreadPoolExecutor(1) as beside:
        lists = beside.submit(lambda: list(in_a_row(chosen.lists, chosen.seed)))
        wrong = [*watch(chosen.minutes, chosen.seed), *lists.result()]
    wrong += at_once(chosen.seed)
    for problem in wrong:
        _say(problem)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
