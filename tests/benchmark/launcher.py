"""Starts one command after another and says what each cost. One request per line on stdin, one answer per line on stdout.

A process of its own under `python -I -S`: what Linux reports as the peak of a process is at least the memory of the one that
started it.
"""

import json
import os
import sys
import time

KiB = 1024


def main() -> None:
    for line in sys.stdin:
        os.write(1, json.dumps(ran(**json.loads(line))).encode() + b"\n")


def ran(argv: list[str], env: dict[str, str], out: str, watch: bool) -> dict[str, object]:
    """Seconds until it had ended and been reaped; peaks in bytes, of the largest in the tree and (watched) of its own."""
    writable = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, out, writable, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, out + ".err", writable, 0o600),
    ]
    began = time.perf_counter()
    process_id = os.posix_spawn(argv[0], argv, env, file_actions=streams)
    own = watched(process_id) if watch else None
    _, status, usage = os.wait4(process_id, 0)
    seconds = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    return {"seconds": seconds, "peak": usage.ru_maxrss * KiB, "own_peak": own, "code": code}


def watched(process_id: int) -> int:
    """The peak of this process without its children, in bytes, read every millisecond up to its end."""
    peak = 0
    while (now := high_water(process_id)) is not None:
        peak = now
        time.sleep(0.001)
    return peak


def high_water(process_id: int) -> int | None:
    with open(f"/proc/{process_id}/status", "rb") as file:
        _, found, rest = file.read().partition(b"VmHWM:")
    return int(rest.split()[0]) * KiB if found else None  # a process that has ended has no memory any more


if __name__ == "__main__":
    main()
