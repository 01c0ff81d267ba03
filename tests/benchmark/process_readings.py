"""Prints how many seconds each reading of the processes takes, its document included; the first is left out."""

import json
import sys
import time
from io import StringIO

from gpuprobe.command.gathering import request_of
from gpuprobe.command.options import Options
from gpuprobe.command.running import answer_of, machine_of, reply_of
from gpuprobe.command.running_options import Wanted
from gpuprobe.render.screen import Screen
from gpuprobe.running_now import RunningNow

READINGS = 10


def main() -> None:
    screen = Screen(StringIO(), StringIO(), {})
    asked = Options(screen, json=True)
    now = RunningNow(machine_of(asked), request_of(asked))
    seconds = []
    for _ in range(READINGS + 1):
        began = time.perf_counter()
        answer = answer_of(now, Wanted())
        screen.write_line(reply_of(answer, asked).document())
        seconds.append(time.perf_counter() - began)
    now.close()
    found = {"seconds": seconds[1:], "looked_at": answer.snapshot.table.looked_at, "found": len(answer.shown)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
