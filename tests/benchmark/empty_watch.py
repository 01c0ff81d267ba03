"""A watch of nothing: once a second a line to a child that answers at once, and a picture of two kilobytes.

What it takes is what a machine charges for waking two Pythons, and no watch that has a process for its libraries takes less.
"""

import subprocess
import sys
import time

CHILD = "import os\nwhile os.read(0, 16): os.write(1, b'x' * 5000)"
PICTURE = "\x1b[H" + "a line of the picture\n" * 90


def main() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", CHILD], stdin=pipe, stdout=pipe, bufsize=0) as child:
        assert child.stdin is not None and child.stdout is not None
        due = time.monotonic()
        while True:
            child.stdin.write(b"\n")
            child.stdout.read(1 << 16)
            sys.stdout.write(PICTURE)
            sys.stdout.flush()
            due += 1
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
