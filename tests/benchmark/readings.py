"""Prints how many seconds each reading of a watch of the saved devices takes, its document included; the first is left out."""

import json
import sys
import time
from io import StringIO

from gpuprobe.command.options import Options
from gpuprobe.command.watching import readings, written
from gpuprobe.doctor.lasting_notes import LastingNotes
from gpuprobe.render.screen import Screen

READINGS = 30


def main() -> None:
    asked = Options(Screen(StringIO(), StringIO(), {}), json=True)
    seconds, lasting = [], LastingNotes()
    watched = readings(asked)
    for _ in range(READINGS + 1):
        began = time.perf_counter()
        answer = next(watched)
        written(answer, asked, diff=False, machine_notes=lasting.on(answer))
        seconds.append(time.perf_counter() - began)
    watched.close()
    sys.stdout.write(json.dumps(seconds[1:]))


if __name__ == "__main__":
    main()
