"""Runs a command on a terminal of 120 columns for so many seconds and prints what it and its children cost, as JSON.

`seconds`: CPU time of all its processes, start included, up to the moment it is ended. Bytes, near the end: `resident`, the
sum over all processes; `proportional`, where what several processes share counts once.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

CPUCLOCK_SCHED = 2  # include/linux/posix-timers_types.h: with a process's number, its CPU time in nanoseconds
TICK = os.sysconf("SC_CLK_TCK")
KiB = 1024


def main() -> None:
    lasting, command = float(sys.argv[1]), sys.argv[2:]
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    written = read_until(terminal, time.monotonic() + lasting)
    cost = {"seconds": sum(map(seconds_of, family(process))), "written": written, **memory(family(process))}
    os.kill(process, signal.SIGTERM)
    read_until(terminal, time.monotonic() + 1)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    sys.stdout.write(json.dumps(cost))


def read_until(terminal: int, end: float) -> int:
    """How many bytes came; what is not read would stop the command."""
    written = 0
    while (left := end - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            try:
                written += len(os.read(terminal, 65536))
            except OSError:  # it has ended
                return written
    return written


def family(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(each for child in children for each in family(int(child)))]


def seconds_of(process: int) -> float:
    """Its own, of all its threads, and of its children that have ended and were waited for (these in ticks)."""
    own = time.clock_gettime(~process << 3 | CPUCLOCK_SCHED)
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return own + sum(map(int, fields[13:15])) / TICK


def memory(processes: list[int]) -> dict[str, int]:
    texts = [Path(f"/proc/{process}/smaps_rollup").read_text() for process in processes]
    sums = {name: sum(figure(text, f"{name}:") for text in texts) * KiB for name in ("Rss", "Pss")}
    return {"resident": sums["Rss"], "proportional": sums["Pss"], "processes": len(processes)}


def figure(text: str, name: str) -> int:
    return int(text.partition(name)[2].split()[0])


if __name__ == "__main__":
    main()
