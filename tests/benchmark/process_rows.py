"""The rows about running processes: one reading of a machine with hundreds of them, and what the command weighs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.benchmark.nvidia_doubles import nvidia
from tests.benchmark.startup import MEMORY_BAR
from tests.benchmark.table import Line, Unmeasured, mebibytes, milliseconds, times
from tests.benchmark.workplace import Workplace, interleaved
from tests.running_doubles import Running

READING_BAR = 0.5  # times `ps aux` and `list --json` together
PROCESSES, SERVERS = 500, 8
READINGS = Path(__file__).with_name("process_readings.py")
# Half of what runs is so large that only a look at what it has mapped tells whether it matters.
_LARGER = "import ctypes, json, mmap, ssl, time; held = mmap.mmap(-1, 1 << 27); time.sleep(600)"


def processes(workplace: Workplace) -> Iterator[Line]:
    cache = workplace.directory / "processes"
    cache.mkdir(exist_ok=True)
    environment = workplace.environment(**nvidia(cards=1), XDG_CACHE_HOME=str(cache), OLLAMA_VULKAN="0")
    ps = shutil.which("ps")
    if ps is None:
        raise Unmeasured("there is no `ps`")
    with ExitStack() as stack:
        _populate(stack, workplace.directory)
        commands = ([sys.executable, str(READINGS)], [ps, "aux"], workplace.gpuprobe("list", "--json"))
        read, listed, whole = interleaved(workplace.here, [(argv, environment) for argv in commands], min(workplace.runs, 7))
        (runs,) = interleaved(workplace.here, [(workplace.gpuprobe("running", "--json"), environment)], 3, watch=True)
        beside = _nvitop(workplace, environment)
    if read[0].document["found"] < SERVERS:
        raise Unmeasured(f"the reading found {read[0].document['found']} of {SERVERS} servers")
    seconds = [median(run.document["seconds"]) for run in read]
    pairs = zip(seconds, listed, whole, strict=True)
    figure = median(one / (ps_run.seconds + list_run.seconds) for one, ps_run, list_run in pairs)
    count = read[0].document["looked_at"]
    together = f"`ps aux` ({milliseconds(median(run.seconds for run in listed))}) and `list --json`"
    remark = f"{together} ({milliseconds(median(run.seconds for run in whole))}); {milliseconds(median(seconds))}"
    yield times("running, one reading", figure, READING_BAR, f"{remark}, {count} processes, {SERVERS} of them servers{beside}")
    peak = max(run.own_peak or 0 for run in runs)
    cost = f"{milliseconds(median(run.seconds for run in runs))}; the parent alone, read each millisecond"
    yield Line("memory of running", mebibytes(peak), mebibytes(MEMORY_BAR), peak <= MEMORY_BAR, cost)


def _nvitop(workplace: Workplace, environment: dict[str, str]) -> str:
    try:
        program = str(workplace.peers / "nvitop")
    except Unmeasured:
        return ""
    (runs,) = interleaved(workplace.here, [([program, "-1"], environment)], 3)
    return f"; `nvitop -1` {milliseconds(median(run.seconds for run in runs))}"


def _populate(stack: ExitStack, directory: Path) -> None:
    for number in range(SERVERS):
        place, port = directory / f"server{number}", ("/opt/bin/llama-server", "serve", "-m", "/models/a.gguf")
        stack.enter_context(Running(place, port, ("libggml-base.so", "libggml-cuda.so")))
    sleeping = [["/bin/sleep", "600"]] * (PROCESSES // 2) + [[sys.executable, "-c", _LARGER]] * (PROCESSES // 2 - SERVERS)
    for command in sleeping:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
