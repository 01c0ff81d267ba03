"""Where `gpuprobe` and `python -m gpuprobe` begin, and end."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from gpuprobe import contexts as contextlib
from gpuprobe import signals as signal


def main() -> None:
    """Runs the command line of this process and leaves with its exit code."""
    # What a run of a second leaves in cycles is not worth looking for: that was 6 % of `list --json` (CPython 3.11).
    gc.disable()
    if hasattr(signal, "SIGCHLD"):
        # Some supervisors start programs with it ignored; how a child ended would then be lost.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        from gpuprobe.command.exiting import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while modules are loaded
        code = _interrupted()
    atexit.register(_end_at_once, code)
    sys.exit(code)


def _interrupted() -> int:
    with contextlib.suppress(KeyboardInterrupt):
        from gpuprobe.command.exiting import interrupted

        return interrupted(sys.argv[1:])
    return 130


def _end_at_once(code: int) -> None:
    """Leaves the taking apart of the interpreter to the system: it was 12 % of `list --json`, and nothing needs it.

    Children have ended before, and every answer has been flushed; what a closed stream refuses is lost either way.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
