"""What Python is given to start a child: `python -I -S …/gpuprobe/child.py`. What it then does is `runner`.

The file that Python is given is compiled anew at each start, and what that one imports is not. To compile the runner took a
seventh of the instructions of NVML's child until it had answered, so this file is short.
"""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """The package that this file lies in is imported from there, and nothing else is."""
    gc.disable()  # what is imported stays, and is not looked through for what could go; `runner` enables it again
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    try:
        from gpuprobe.runner import main as answer
    finally:
        sys.path.pop()
    answer()


if __name__ == "__main__":
    main()
