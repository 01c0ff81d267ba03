"""Where `gpuprobe` and `python -m gpuprobe` begin."""

from __future__ import annotations

import gc
import sys
gc.disable()


def main() -> None:
    """Runs the command line of this process and leaves with its exit code."""
    try:
        from gpuprobe.leaving import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while modules are loaded: nothing was asked yet, no child is to be ended
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
